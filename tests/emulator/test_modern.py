"""The newer protocol: envelopes, defaults, refusals, batch queries and pages."""

from collections.abc import Callable
from typing import Any

import pytest

from lab.emulator import Assumptions

Body = Callable[..., dict[str, Any]]
PATH = "/image-to-video/kling-3.0"


def _refusal(response: Any) -> tuple[int, int, str]:
    body = response.json()
    assert set(body) == {"code", "message", "request_id"}
    return response.status_code, body["code"], body["message"]


def test_a_task_is_accepted_as_documented(slow: Any, modern_body: Body) -> None:
    """The reply has an 18-digit id, times in milliseconds and the client's own id."""
    reply = slow.post(PATH, modern_body(external_id="a-1")).json()
    assert reply["code"] == 0
    assert reply["message"] == "SUCCEED"
    assert len(reply["request_id"]) == 36
    data = reply["data"]
    assert data["id"].isdecimal()
    assert len(data["id"]) == 18
    assert data["status"] == "submitted"
    assert data["external_id"] == "a-1"
    assert data["create_time"] == data["update_time"] == int(slow.clock() * 1000)


def test_states_follow_the_clock(slow: Any, modern_body: Body) -> None:
    """A task is submitted, processing, then succeeded; each change has its time."""
    job = slow.post(PATH, modern_body()).json()["data"]["id"]
    first = slow.row(job)
    assert (first["status"], "outputs" in first) == ("submitted", False)
    slow.clock.advance(2)
    second = slow.row(job)
    assert second["status"] == "processing"
    assert second["update_time"] == first["create_time"] + 1000
    slow.clock.advance(4)
    last = slow.row(job)
    assert last["status"] == "succeeded"
    assert last["update_time"] == first["create_time"] + 5000
    assert last["outputs"][0]["type"] == "video"
    assert last["outputs"][0]["duration"] == "3.04"
    assert last["billing"] == [
        {"charge_type": "unit", "amount": "1.8", "package_type": "video", "list_price": "0.252"}
    ]


def test_the_documented_defaults(served: Any, modern_body: Body) -> None:
    """The defaults are multi-shot, 5 s, 720p and silent; unknown fields change nothing."""
    body = modern_body() | {"settings": {"seed": 7, "fps": 60}, "negative_prompt": "blur"}
    assert served.post(PATH, body).status_code == 200
    (job,) = served.emulator.jobs
    assert job["multi_shot"] is True
    assert (job["duration_s"], job["resolution"], job["sound"]) == (5, "720p", False)
    served.post(PATH, modern_body())
    assert served.emulator.jobs[1]["multi_shot"] is False


def test_a_watermark_link_is_optional(served: Any, modern_body: Body) -> None:
    """`watermark_url` is present only on request."""
    with_watermark = modern_body(options={"watermark_info": {"enabled": True}})
    outputs = [
        served.row(served.post(PATH, body).json()["data"]["id"])["outputs"][0]
        for body in (modern_body(), with_watermark)
    ]
    assert ["watermark_url" in output for output in outputs] == [False, True]


def test_a_batch_skips_unknown_ids(served: Any, modern_body: Body) -> None:
    """Rows are newest first; unknown ids are missing; an unknown id alone gives []."""
    ids = [served.post(PATH, modern_body(external_id=f"e{n}")).json()["data"]["id"] for n in "12"]
    rows = served.get("/tasks", task_ids=f"{ids[0]},999999999999999999,{ids[1]}").json()["data"]
    assert [row["id"] for row in rows] == ids[::-1]
    rows = served.get("/tasks", external_task_ids="e1,nobody").json()["data"]
    assert [row["external_id"] for row in rows] == ["e1"]
    alone = served.get("/tasks", task_ids="999999999999999999")
    assert (alone.status_code, alone.json()["code"], alone.json()["data"]) == (200, 0, [])


def test_a_query_needs_exactly_one_kind_of_id(served: Any) -> None:
    """No id, or both kinds of id, is 400/1201."""
    assert _refusal(served.get("/tasks")) == (
        400,
        1201,
        "task_ids or external_task_ids is required",
    )
    assert _refusal(served.get("/tasks", task_ids="1", external_task_ids="a"))[:2] == (400, 1201)


def test_an_external_id_is_not_an_idempotency_key(served: Any, modern_body: Body) -> None:
    """A second task with the same id is refused; the first is not returned."""
    assert served.post(PATH, modern_body(external_id="same")).status_code == 200
    for _ in range(2):
        reply = served.post(PATH, modern_body(external_id="same"))
        assert _refusal(reply)[:2] == (400, 1201)
    assert served.emulator.charged_jobs == 1


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no prompt": ({"contents": [{"type": "first_frame", "url": "AAAA"}]}, "prompt"),
    "no first frame": ({"contents": [{"type": "prompt", "text": "a"}]}, "first_frame"),
    "last frame alone": (
        {"contents": [{"type": "prompt", "text": "a"}, {"type": "last_frame", "url": "AAAA"}]},
        "first_frame",
    ),
    "unknown content": ({"contents": [{"type": "frame", "url": "AAAA"}]}, "contents"),
    "resolution": ({"settings": {"resolution": "480p"}}, "resolution"),
    "audio": ({"settings": {"audio": "on"}}, "audio"),
    "long": ({"settings": {"duration": 16}}, "duration"),
    "short": ({"settings": {"duration": 2}}, "duration"),
    "duration as text": ({"settings": {"duration": "5"}}, "duration"),
    "multi_shot as text": ({"settings": {"multi_shot": "false"}}, "multi_shot"),
    "settings as list": ({"settings": []}, "settings"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused_at_once(served: Any, modern_body: Body, name: str) -> None:
    """Missing fields and invalid values are 400/1201 and cost nothing."""
    change, word = WRONG[name]
    status, code, message = _refusal(served.post(PATH, modern_body() | change))
    assert (status, code) == (400, 1201)
    assert word in message
    assert served.emulator.jobs == []


def test_a_prompt_may_be_3072_characters_long(served: Any, modern_body: Body) -> None:
    """One more character is refused."""
    assert served.post(PATH, modern_body("a" * 3072)).status_code == 200
    assert _refusal(served.post(PATH, modern_body("a" * 3073)))[:2] == (400, 1201)


def test_an_image_that_is_not_base64_is_refused(served: Any, modern_body: Body) -> None:
    """The message is the service's; a data URI is accepted."""
    reply = served.post(PATH, modern_body(still="%%%"))
    assert _refusal(reply) == (400, 1201, "File is not in a valid base64 format")
    good = modern_body()
    good["contents"][1]["url"] = "data:image/jpeg;base64," + good["contents"][1]["url"]
    assert served.post(PATH, good).status_code == 200


@pytest.mark.parametrize(
    ("model", "settings", "accepted"),
    [
        ("kling-3.0", {"duration": 15, "resolution": "4k", "audio": "native"}, True),
        ("kling-3.0", {"audio": "original"}, False),
        ("kling-3.0-turbo", {"duration": 3, "resolution": "1080p"}, True),
        ("kling-3.0-turbo", {"resolution": "4k"}, False),
        ("kling-2.6", {"duration": 5, "resolution": "1080p", "audio": "native"}, True),
        ("kling-2.6", {"duration": 5, "resolution": "720p", "audio": "native"}, False),
        ("kling-2.6", {"duration": 7}, False),
        ("kling-2.5-turbo", {"duration": 10, "resolution": "1080p"}, True),
        ("kling-2.5-turbo", {"duration": 5, "audio": "native"}, False),
    ],
)
def test_each_model_has_its_limits(
    served: Any, modern_body: Body, model: str, settings: dict[str, Any], accepted: bool
) -> None:
    """Durations, resolutions and sound that a model lacks are 400/1201."""
    reply = served.post(f"/image-to-video/{model}", modern_body(**settings))
    assert reply.status_code == (200 if accepted else 400)


@pytest.mark.parametrize(
    ("model", "settings", "accepted"),
    [
        ("kling-3.0", {}, True),
        ("kling-3.0-turbo", {}, False),
        ("kling-2.6", {"duration": 5, "resolution": "1080p"}, True),
        ("kling-2.6", {"duration": 5, "resolution": "1080p", "audio": "native"}, False),
        ("kling-2.5-turbo", {"duration": 5, "resolution": "720p"}, False),
    ],
)
def test_a_last_frame_depends_on_the_model(
    served: Any,
    modern_body: Body,
    still_base64: str,
    model: str,
    settings: dict[str, Any],
    accepted: bool,
) -> None:
    """Turbo accepts none; older models accept one at 1080p without sound."""
    reply = served.post(f"/image-to-video/{model}", modern_body(end=still_base64, **settings))
    assert reply.status_code == (200 if accepted else 400)


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        ("kling-3.0", {"negative_prompt": "blur"}, "negative_prompt"),
        ("kling-3.0", {"settings": {"seed": 7}}, "seed"),
        ("kling-3.0", {"settings": {"aspect_ratio": "16:9"}}, "aspect_ratio"),
        ("kling-3.0", {"options": {"external_id": "a"}}, "external_id"),
        ("kling-2.6", {"settings": {"multi_shot": False, "duration": 5}}, "multi_shot"),
        ("kling-2.5-turbo", {"settings": {"audio": "off", "duration": 5}}, "audio"),
        ("kling-3.0-turbo", {"settings": {"audio": "native", "duration": 5}}, "audio"),
    ],
)
def test_in_strict_mode_only_documented_fields_pass(
    emulate: Any, modern_body: Body, model: str, body: dict[str, Any], field: str
) -> None:
    """The error names the undocumented field."""
    served = emulate(assumptions=Assumptions(strict_fields=True))
    status, code, message = _refusal(served.post(f"/image-to-video/{model}", modern_body() | body))
    assert (status, code) == (400, 1201)
    assert message == f"{field} is not a documented field of {model}"
    assert served.post(PATH, modern_body(audio="native")).status_code == 200


def test_elements_are_limited(emulate: Any, modern_body: Body) -> None:
    """3.0 accepts three, Turbo none; no id may contain another."""
    served = emulate(assumptions=Assumptions(unknown_elements=True))

    def with_elements(*names: str) -> dict[str, Any]:
        body = modern_body()
        body["contents"] += [
            {"type": "element", "element_id": str(n), "id": name} for n, name in enumerate(names)
        ]
        return body

    assert served.post(PATH, with_elements("hero", "cup", "dog")).status_code == 200
    assert _refusal(served.post(PATH, with_elements("a1", "b", "c", "d")))[0] == 400
    assert _refusal(served.post(PATH, with_elements("hero", "heroine")))[0] == 400
    turbo = served.post("/image-to-video/kling-3.0-turbo", with_elements("hero"))
    assert _refusal(turbo)[0] == 400


def test_shots_in_the_prompt_have_limits(served: Any, modern_body: Body) -> None:
    """At most six shots, each at least a second long, that add up to the duration."""
    good = "shot 1, 2, slow push in; shot 2, 1, pan left;"
    assert served.post(PATH, modern_body(good, multi_shot=True)).status_code == 200
    for wrong in (
        "shot 1, 2, push in; shot 2, 2, pan left;",
        "shot 1, 0.5, push in; shot 2, 2.5, pan left",
        "; ".join(f"shot {n}, 1, pan left" for n in range(1, 8)),
        f"shot 1, 3, {'a' * 513}",
    ):
        assert _refusal(served.post(PATH, modern_body(wrong, multi_shot=True)))[:2] == (400, 1201)
        assert served.post(PATH, modern_body(wrong, multi_shot=False)).status_code == 200


def test_unknown_models_and_paths(served: Any, modern_body: Body) -> None:
    """An unknown model or path is 404/1203; a wrong method is 404/1202."""
    for path in ("/image-to-video/kling-9", "/omni-video/kling-3.0", "/image-to-video/kling-v1"):
        assert _refusal(served.post(path, modern_body()))[:2] == (404, 1203)
    assert _refusal(served.get("/nothing"))[:2] == (404, 1203)
    assert _refusal(served.client.delete("/tasks"))[:2] == (404, 1202)
    assert served.emulator.requests["GET unknown 404"] == 1


def test_a_body_that_is_not_an_object_is_1200(served: Any) -> None:
    """Invalid JSON, a list and a string are refused."""
    for content in (b"{", b"[]", b"null", b'"a"', b"\xff"):
        assert _refusal(served.client.post(PATH, content=content))[:2] == (400, 1200)


def test_content_is_refused_at_once_or_later(served: Any, modern_body: Body) -> None:
    """Trigger words give 400/1301, 400/1300, or an accepted task that fails."""
    assert _refusal(served.post(PATH, modern_body("forbidden-at-submit")))[:2] == (400, 1301)
    assert _refusal(served.post(PATH, modern_body("forbidden-by-platform")))[:2] == (400, 1300)
    job = served.post(PATH, modern_body("pan left, risk-control")).json()["data"]["id"]
    row = served.row(job)
    assert (row["status"], row["message"]) == ("failed", "Failure to pass the risk control system")
    assert row["billing"] == []
    assert "outputs" not in row
    assert served.emulator.charged_jobs == 0


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((299, 400), "Image pixel is invalid"),
        ((20, 20), "Image pixel is invalid"),
        ((1000, 399), "Image pixel is invalid"),
        ((1000, 400), ""),
        ((300, 300), ""),
    ],
)
def test_a_bad_image_fails_later(
    served: Any,
    modern_body: Body,
    image_of: Callable[[int, int], str],
    size: tuple[int, int],
    message: str,
) -> None:
    """Sides under 300 px and ratios beyond 1:2.5 are accepted, and fail free of charge."""
    reply = served.post(PATH, modern_body(still=image_of(*size)))
    assert reply.status_code == 200
    row = served.row(reply.json()["data"]["id"])
    assert row["message"] == message
    assert row["status"] == ("failed" if message else "succeeded")


def test_a_file_that_is_not_an_image_fails_later(served: Any, modern_body: Body) -> None:
    """The task fails because of the format."""
    job = served.post(PATH, modern_body(still="R0lGODdhSGVsbG8gd29ybGQ=")).json()["data"]["id"]
    assert served.row(job)["message"] == "Image format is invalid"


def test_omni_needs_a_ratio_without_a_first_frame(served: Any, modern_body: Body) -> None:
    """A first frame determines the ratio; without one, aspect_ratio is required."""
    path = "/omni-video/kling-3.0-omni"
    assert served.post(path, modern_body()).status_code == 200
    bare: dict[str, Any] = {"contents": [{"type": "prompt", "text": "a lake"}], "settings": {}}
    assert _refusal(served.post(path, bare))[:2] == (400, 1201)
    bare["settings"]["aspect_ratio"] = "1:1"
    assert served.post(path, bare).status_code == 200


def test_omni_reference_videos(served: Any, modern_body: Body) -> None:
    """At most one; a feature video needs multi-shot and silence, a base video no frames."""
    path = "/omni-video/kling-3.0-omni"

    def with_videos(*kinds: str, frames: bool = False, **settings: Any) -> int:
        body = modern_body(**settings)
        body["contents"] = body["contents"][: 2 if frames else 1]
        body["contents"] += [{"type": kind, "url": "https://example.test/a.mp4"} for kind in kinds]
        return int(served.post(path, body).status_code)

    assert with_videos("feature_video", multi_shot=True) == 200
    assert with_videos("feature_video", multi_shot=False) == 400
    assert with_videos("feature_video", multi_shot=True, audio="native") == 400
    assert with_videos("base_video", audio="original") == 200
    assert with_videos("base_video", audio="native") == 400
    assert with_videos("base_video", frames=True) == 400
    assert with_videos("base_video", "feature_video") == 400


def test_an_empty_list_has_no_result_key(served: Any) -> None:
    """It has count and has_more only, as seen live."""
    assert served.post("/tasks", {}).json()["data"] == {"count": 0, "has_more": False}


def test_the_cursor_walks_through_all_pages(served: Any, modern_body: Body) -> None:
    """Each task appears once, newest first; new tasks do not shift the pages."""
    ids = [served.post(PATH, modern_body()).json()["data"]["id"] for _ in range(5)]
    listed_ids: list[str] = []
    body: dict[str, Any] = {"limit": 2}
    while True:
        data = served.post("/tasks", body).json()["data"]
        listed_ids += [row["id"] for row in data["result"]]
        assert data["count"] == len(data["result"])
        served.post(PATH, modern_body())
        if not data["has_more"]:
            break
        body = {"limit": 2, "cursor": data["next_cursor"]}
    assert listed_ids == ids[::-1]


def test_a_list_is_filtered_by_state_and_time(served: Any, modern_body: Body) -> None:
    """Filters are status, product type and times; the default range is 30 days."""
    old = served.post(PATH, modern_body()).json()["data"]["id"]
    served.clock.advance(31 * 86_400)
    bad = served.post(PATH, modern_body("risk-control")).json()["data"]["id"]

    def listed(**body: Any) -> list[str]:
        data = served.post("/tasks", body).json()["data"]
        return [row["id"] for row in data.get("result", [])]

    assert listed() == [bad]
    assert listed(start_time="0") == [bad, old]
    assert listed(start_time="0", filters=[{"key": "status", "values": ["succeeded"]}]) == [old]
    assert listed(end_time=str(int(served.clock() * 1000) - 1000), start_time="0") == [old]
    assert listed(filters=[{"key": "product_type", "values": ["omni-video"]}]) == []
    for wrong in ({"limit": 501}, {"limit": 0}, {"cursor": "x"}, {"start_time": "noon"}):
        assert _refusal(served.post("/tasks", wrong))[:2] == (400, 1201)


def test_a_key_is_required(served: Any, modern_body: Body) -> None:
    """No header is 1001 and an unknown key 1002, whatever the body."""
    headers = {"Authorization": ""}
    assert _refusal(served.post(PATH, {}, headers=headers)) == (401, 1001, "Authorization is empty")
    headers = {"Authorization": "Bearer nobody"}
    assert _refusal(served.post(PATH, {}, headers=headers)) == (401, 1002, "api key not found")


def test_signed_tokens_are_legacy_only(
    emulate: Any, modern_body: Body, token_of: Callable[..., str]
) -> None:
    """The newer protocol refuses them, unless the assumption says otherwise."""
    headers = {"Authorization": f"Bearer {token_of()}"}
    assert _refusal(emulate().post(PATH, modern_body(), headers=headers))[:2] == (401, 1002)
    lenient = emulate(assumptions=Assumptions(tokens_on_new_paths=True))
    assert lenient.post(PATH, modern_body(), headers=headers).status_code == 200
