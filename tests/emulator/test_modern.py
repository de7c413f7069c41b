"""The newer protocol: envelopes, defaults, refusals, batches and pages."""

from collections.abc import Callable
from typing import Any

import pytest

from lab.emulator import Assumptions

Body = Callable[..., dict[str, Any]]
PATH = "/image-to-video/kling-3.0"


def _refusal(response: Any) -> tuple[int, int, str]:
    told = response.json()
    assert set(told) == {"code", "message", "request_id"}
    return response.status_code, told["code"], told["message"]


def test_a_task_is_accepted_as_documented(slow: Any, modern_body: Body) -> None:
    """The reply names the task with an 18-digit string, times in ms, and the caller's id."""
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
    """Submitted, processing, succeeded: never at once, and each change is stamped."""
    job = slow.post(PATH, modern_body()).json()["data"]["id"]
    first = slow.row(job)
    assert (first["status"], "outputs" in first) == ("submitted", False)
    slow.clock.passes(2)
    second = slow.row(job)
    assert second["status"] == "processing"
    assert second["update_time"] == first["create_time"] + 1000
    slow.clock.passes(4)
    last = slow.row(job)
    assert last["status"] == "succeeded"
    assert last["update_time"] == first["create_time"] + 5000
    assert last["outputs"][0]["type"] == "video"
    assert last["outputs"][0]["duration"] == "3.04"
    assert last["billing"] == [
        {"charge_type": "unit", "amount": "1.8", "package_type": "video", "list_price": "0.252"}
    ]


def test_the_silent_defaults_are_the_true_ones(served: Any, modern_body: Body) -> None:
    """Without settings: cuts, 5 s, 720p, silent; a field nobody knows changes nothing."""
    body = modern_body() | {"settings": {"seed": 7, "fps": 60}, "negative_prompt": "blur"}
    assert served.post(PATH, body).status_code == 200
    (job,) = served.emulator.jobs
    assert job["multi_shot"] is True
    assert (job["duration_s"], job["resolution"], job["sound"]) == (5, "720p", False)
    served.post(PATH, modern_body())
    assert served.emulator.jobs[1]["multi_shot"] is False


def test_a_watermark_link_comes_only_when_asked_for(served: Any, modern_body: Body) -> None:
    """`watermark_url` is absent otherwise."""
    asked = modern_body(options={"watermark_info": {"enabled": True}})
    outputs = [
        served.row(served.post(PATH, body).json()["data"]["id"])["outputs"][0]
        for body in (modern_body(), asked)
    ]
    assert ["watermark_url" in output for output in outputs] == [False, True]


def test_a_batch_leaves_out_what_nobody_knows(served: Any, modern_body: Body) -> None:
    """Rows come in the store's order, unknown ids are missing, an unknown id alone is []."""
    ids = [served.post(PATH, modern_body(external_id=f"e{n}")).json()["data"]["id"] for n in "12"]
    rows = served.get("/tasks", task_ids=f"{ids[0]},999999999999999999,{ids[1]}").json()["data"]
    assert [row["id"] for row in rows] == ids[::-1]
    rows = served.get("/tasks", external_task_ids="e1,nobody").json()["data"]
    assert [row["external_id"] for row in rows] == ["e1"]
    alone = served.get("/tasks", task_ids="999999999999999999")
    assert (alone.status_code, alone.json()["code"], alone.json()["data"]) == (200, 0, [])


def test_a_query_needs_exactly_one_kind_of_id(served: Any) -> None:
    """None or both is 400/1201."""
    assert _refusal(served.get("/tasks")) == (
        400,
        1201,
        "task_ids or external_task_ids is required",
    )
    assert _refusal(served.get("/tasks", task_ids="1", external_task_ids="a"))[:2] == (400, 1201)


def test_an_external_id_is_no_idempotency_key(served: Any, modern_body: Body) -> None:
    """The second task of that id is refused, and not answered with the first."""
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
    """Missing parts and values outside the lists are 400/1201 and cost nothing."""
    change, word = WRONG[name]
    status, code, message = _refusal(served.post(PATH, modern_body() | change))
    assert (status, code) == (400, 1201)
    assert word in message
    assert served.emulator.jobs == []


def test_a_prompt_may_be_3072_characters_long(served: Any, modern_body: Body) -> None:
    """And not one more."""
    assert served.post(PATH, modern_body("a" * 3072)).status_code == 200
    assert _refusal(served.post(PATH, modern_body("a" * 3073)))[:2] == (400, 1201)


def test_an_image_that_is_no_base64_is_refused(served: Any, modern_body: Body) -> None:
    """With the words of the service; a data URI is taken here."""
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
    """Durations, resolutions and sound outside a model's own are 400/1201."""
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
def test_a_last_frame_is_not_for_every_model(
    served: Any,
    modern_body: Body,
    still_base64: str,
    model: str,
    settings: dict[str, Any],
    accepted: bool,
) -> None:
    """Turbo takes none; older ones only at 1080p and silent."""
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
    """What the service would ignore is refused and named."""
    served = emulate(assumptions=Assumptions(strict_fields=True))
    code, number, said = _refusal(served.post(f"/image-to-video/{model}", modern_body() | body))
    assert (code, number) == (400, 1201)
    assert said == f"{field} is not a documented field of {model}"
    assert served.post(PATH, modern_body(audio="native")).status_code == 200


def test_elements_are_counted(emulate: Any, modern_body: Body) -> None:
    """At most three on 3.0, none on Turbo, and no id within another."""
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


def test_shots_in_the_prompt_keep_the_documented_limits(served: Any, modern_body: Body) -> None:
    """They add up to the duration, last a second at least, and are six at most."""
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
    """A model that is not there is 404/1203, as is a path; a wrong method is 404/1202."""
    for path in ("/image-to-video/kling-9", "/omni-video/kling-3.0", "/image-to-video/kling-v1"):
        assert _refusal(served.post(path, modern_body()))[:2] == (404, 1203)
    assert _refusal(served.get("/nothing"))[:2] == (404, 1203)
    assert _refusal(served.client.delete("/tasks"))[:2] == (404, 1202)
    assert served.emulator.requests["GET unknown 404"] == 1


def test_a_body_that_is_no_object_is_1200(served: Any) -> None:
    """Broken JSON, a list, a bare word."""
    for content in (b"{", b"[]", b"null", b'"a"', b"\xff"):
        assert _refusal(served.client.post(PATH, content=content))[:2] == (400, 1200)


def test_content_is_refused_at_once_or_later(served: Any, modern_body: Body) -> None:
    """One trigger word gives 400/1301, another a failed task with HTTP 200 and code 0."""
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


def test_a_file_that_is_no_picture_fails_later(served: Any, modern_body: Body) -> None:
    """As when a URL leads to a page: the format is invalid."""
    job = served.post(PATH, modern_body(still="R0lGODdhSGVsbG8gd29ybGQ=")).json()["data"]["id"]
    assert served.row(job)["message"] == "Image format is invalid"


def test_omni_wants_a_ratio_without_a_first_frame(served: Any, modern_body: Body) -> None:
    """With a first frame the ratio follows it; without, it has to be said."""
    path = "/omni-video/kling-3.0-omni"
    assert served.post(path, modern_body()).status_code == 200
    bare: dict[str, Any] = {"contents": [{"type": "prompt", "text": "a lake"}], "settings": {}}
    assert _refusal(served.post(path, bare))[:2] == (400, 1201)
    bare["settings"]["aspect_ratio"] = "1:1"
    assert served.post(path, bare).status_code == 200


def test_omni_reference_videos_have_their_rules(served: Any, modern_body: Body) -> None:
    """One at most; a feature video wants multi-shot and silence, a base video no frames."""
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
    """Exactly what was seen: a count and has_more."""
    assert served.post("/tasks", {}).json()["data"] == {"count": 0, "has_more": False}


def test_pages_are_walked_with_the_cursor(served: Any, modern_body: Body) -> None:
    """Newest first, every task once; new ones do not shift the pages."""
    ids = [served.post(PATH, modern_body()).json()["data"]["id"] for _ in range(5)]
    seen: list[str] = []
    body: dict[str, Any] = {"limit": 2}
    while True:
        data = served.post("/tasks", body).json()["data"]
        seen += [row["id"] for row in data["result"]]
        assert data["count"] == len(data["result"])
        served.post(PATH, modern_body())
        if not data["has_more"]:
            break
        body = {"limit": 2, "cursor": data["next_cursor"]}
    assert seen == ids[::-1]


def test_a_list_is_filtered_by_state_and_time(served: Any, modern_body: Body) -> None:
    """By status, by product type, between two times; 30 days back unless told otherwise."""
    old = served.post(PATH, modern_body()).json()["data"]["id"]
    served.clock.passes(31 * 86_400)
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


def test_a_key_is_wanted(served: Any, modern_body: Body) -> None:
    """No header is 1001, an unknown key 1002; both before the body is looked at."""
    headers = {"Authorization": ""}
    assert _refusal(served.post(PATH, {}, headers=headers)) == (401, 1001, "Authorization is empty")
    headers = {"Authorization": "Bearer nobody"}
    assert _refusal(served.post(PATH, {}, headers=headers)) == (401, 1002, "api key not found")


def test_signed_tokens_are_for_the_legacy_protocol(
    emulate: Any, modern_body: Body, token_of: Callable[..., str]
) -> None:
    """Refused here, unless the assumption is turned."""
    headers = {"Authorization": f"Bearer {token_of()}"}
    assert _refusal(emulate().post(PATH, modern_body(), headers=headers))[:2] == (401, 1002)
    lenient = emulate(assumptions=Assumptions(tokens_on_new_paths=True))
    assert lenient.post(PATH, modern_body(), headers=headers).status_code == 200
