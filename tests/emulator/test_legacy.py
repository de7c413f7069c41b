"""The legacy protocol: its own names, types and defaults, with the same tasks."""

from collections.abc import Callable
from typing import Any

import pytest

from lab.emulator import Account, Assumptions

Body = Callable[..., dict[str, Any]]
PATH = "/v1/videos/image2video"


def _refusal(response: Any) -> tuple[int, int, str]:
    body = response.json()
    assert set(body) == {"code", "message", "request_id"}
    return response.status_code, body["code"], body["message"]


def test_a_task_from_start_to_end(slow: Any, legacy_body: Body) -> None:
    """A task has `task_id`, `succeed`, `task_result` with `images: null`, and units as a string."""
    reply = slow.post(PATH, legacy_body(mode="pro", external_task_id="e")).json()
    created = reply["data"]
    assert reply["message"] == "SUCCEED"
    assert created["task_status"] == "submitted"
    assert created["task_info"] == {"external_task_id": "e"}
    assert "task_result" not in created
    slow.clock.advance(2)
    row = slow.get(f"{PATH}/{created['task_id']}").json()["data"]
    assert row["task_status"] == "processing"
    assert "task_result" not in row
    slow.clock.advance(4)
    row = slow.get(f"{PATH}/e").json()["data"]
    assert row["task_id"] == created["task_id"]
    assert row["task_status"] == "succeed"
    assert row["task_result"]["images"] is None
    assert row["task_result"]["videos"][0]["duration"] == "3.04"
    assert row["final_unit_deduction"] == "2.4"
    assert row["updated_at"] - row["created_at"] == 5000


def test_the_legacy_defaults(served: Any, legacy_body: Body) -> None:
    """kling-v1, std, 5 s, silent, one shot; the key `model` changes nothing."""
    for extra in ({}, {"model": "kling-v3"}):
        body = legacy_body(**extra)
        del body["model_name"], body["duration"]
        assert served.post(PATH, body).status_code == 200
    for job in served.emulator.jobs:
        assert job["model"] == "kling-v1"
        assert (job["resolution"], job["duration_s"], job["sound"]) == ("720p", 5, False)
        assert job["multi_shot"] is False


def test_omni_is_pro_and_o1_by_default(served: Any, still_base64: str) -> None:
    """Omni has its own default model, at 1080p."""
    body = {
        "prompt": "push in",
        "image_list": [{"image_url": still_base64, "type": "first_frame"}],
    }
    assert served.post("/v1/videos/omni-video", body).status_code == 200
    (job,) = served.emulator.jobs
    assert (job["model"], job["resolution"]) == ("kling-video-o1", "1080p")
    body["image_list"][0]["type"] = "end_frame"
    assert _refusal(served.post("/v1/videos/omni-video", body))[:2] == (400, 1201)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": None}, "image can not be null"),
        ({"image": None, "image_tail": "AAAA"}, "image can not be null"),
        ({"image": "data:image/png;base64,AAAA"}, "File is not in a valid base64 format"),
        ({"model_name": "kling-v3-0"}, "model_name is invalid"),
        ({"model_name": "kling-v2-5"}, "model_name is invalid"),
        ({"model_name": "kling-3.0"}, "model_name is invalid"),
        ({"prompt": ""}, "prompt can not be null"),
        ({"prompt": "a" * 2501}, "prompt is too long, at most 2500 characters"),
        ({"duration": 5}, "duration is invalid"),
        ({"duration": "16"}, "duration 16 is not supported by kling-3.0"),
        ({"mode": "720p"}, "mode is invalid, accepted are std, pro, 4k"),
        ({"sound": "native"}, "sound is invalid, accepted are off, on"),
        ({"cfg_scale": 1.5}, "cfg_scale must be a number from 0 to 1"),
        ({"multi_shot": True}, "shot_type is invalid, accepted are customize, intelligence"),
    ],
)
def test_what_is_refused_at_once(
    served: Any, legacy_body: Body, change: dict[str, Any], message: str
) -> None:
    """Invalid values are 400/1201 with a message that names the field; nothing is charged."""
    assert _refusal(served.post(PATH, legacy_body(**change))) == (400, 1201, message)
    assert served.emulator.jobs == []


def test_unsupported_fields_are_ignored(served: Any, legacy_body: Body) -> None:
    """Camera control, masks, a ratio and a seed cause no error."""
    body = legacy_body(
        camera_control={"type": "simple", "config": {"zoom": 5}},
        aspect_ratio="7:3",
        seed=1,
        negative_prompt="blur",
        cfg_scale=0.5,
        static_mask="x",
    )
    assert served.post(PATH, body).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"seed": 1}, "seed"),
        ({"aspect_ratio": "16:9"}, "aspect_ratio"),
        ({"camera_control": {"type": "simple"}}, "camera_control"),
        ({"static_mask": "x"}, "static_mask"),
        ({"model": "kling-v3"}, "model"),
        ({"watermark_info": {"enabled": False, "text": "x"}}, "text"),
        ({"element_list": [{"element_id": "1", "name": "x"}]}, "name"),
        ({"model_name": "kling-v2-6", "multi_shot": False, "duration": "5"}, "multi_shot"),
        ({"model_name": "kling-v2-6", "cfg_scale": 0.5, "duration": "5"}, "cfg_scale"),
        ({"model_name": "kling-v2-5-turbo", "sound": "off", "duration": "5"}, "sound"),
    ],
)
def test_in_strict_mode_only_documented_fields_pass(
    emulate: Any, legacy_body: Body, change: dict[str, Any], field: str
) -> None:
    """The error names an undocumented field; documented fields pass."""
    served = emulate(assumptions=Assumptions(strict_fields=True))
    status, code, message = _refusal(served.post(PATH, legacy_body(**change)))
    assert (status, code) == (400, 1201)
    assert message.startswith(f"{field} is not a documented field of kling-v")
    assert served.emulator.jobs == []
    documented = {"negative_prompt": "", "cfg_scale": 0.5, "mode": "std", "sound": "on"}
    assert served.post(PATH, legacy_body(**documented)).status_code == 200


def test_in_strict_mode_shots_need_the_key_prompt(emulate: Any, legacy_body: Body) -> None:
    """The key may be empty, as in every documented example, but not missing."""
    served = emulate(assumptions=Assumptions(strict_fields=True))
    shots = [{"index": 1, "prompt": "push in", "duration": "3"}]
    body = legacy_body("", multi_shot=True, shot_type="customize", multi_prompt=shots)
    assert served.post(PATH, body).status_code == 200
    del body["prompt"]
    assert "prompt is missing" in _refusal(served.post(PATH, body))[2]


def test_shots_exclude_frames_on_omni(served: Any, still_base64: str) -> None:
    """A first frame is refused; reference images are accepted."""
    body: dict[str, Any] = {
        "model_name": "kling-v3-omni",
        "prompt": "",
        "multi_shot": True,
        "shot_type": "customize",
        "multi_prompt": [{"index": 1, "prompt": "push in", "duration": "5"}],
        "image_list": [{"image_url": still_base64, "type": "first_frame"}],
        "aspect_ratio": "16:9",
    }
    assert _refusal(served.post("/v1/videos/omni-video", body))[:2] == (400, 1201)
    del body["image_list"][0]["type"]
    assert served.post("/v1/videos/omni-video", body).status_code == 200


def test_open_questions_have_a_switch(emulate: Any, legacy_body: Body) -> None:
    """The assumptions decide about numeric durations and retired models."""
    served = emulate(assumptions=Assumptions(number_durations=True, retired_models=False))
    assert served.post(PATH, legacy_body(duration=3)).status_code == 200
    assert _refusal(served.post(PATH, legacy_body(model_name="kling-v1")))[:2] == (400, 1201)


def test_lists_of_shots(served: Any, legacy_body: Body) -> None:
    """customize needs a valid list of shots; the string "true" is accepted as a flag."""
    shots = [
        {"index": 1, "prompt": "push in", "duration": "2"},
        {"index": 2, "prompt": "pan left", "duration": "1"},
    ]
    body = legacy_body("", multi_shot="true", shot_type="customize", multi_prompt=shots)
    assert served.post(PATH, body).status_code == 200
    assert served.emulator.jobs[0]["multi_shot"] is True
    for wrong in ([], [shots[0]], [{**shots[0], "duration": 3}], [{"duration": "NaN"}]):
        body["multi_prompt"] = wrong
        assert _refusal(served.post(PATH, body))[:2] == (400, 1201)
    automatic = legacy_body(multi_shot=True, shot_type="intelligence")
    assert served.post(PATH, automatic).status_code == 200


def test_a_task_is_found_on_its_own_path_only(served: Any, legacy_body: Body) -> None:
    """An unknown id, or the path of another family, is 400/1201."""
    job = served.post(PATH, legacy_body()).json()["data"]["task_id"]
    assert served.get(f"{PATH}/{job}").status_code == 200
    assert _refusal(served.get(f"/v1/videos/text2video/{job}"))[:2] == (400, 1201)
    assert _refusal(served.get(f"{PATH}/999999999999999999"))[:2] == (400, 1201)


def test_both_protocols_share_their_tasks(
    served: Any, legacy_body: Body, modern_body: Body
) -> None:
    """Each protocol finds the other's tasks, and external ids are unique across both."""
    old = served.post(PATH, legacy_body(external_task_id="a")).json()["data"]["task_id"]
    new = served.post("/image-to-video/kling-3.0", modern_body(external_id="b"))
    assert served.row(old)["status"] == "succeeded"
    assert served.get(f"{PATH}/b").json()["data"]["task_id"] == new.json()["data"]["id"]
    again = served.post(PATH, legacy_body(external_task_id="b"))
    assert _refusal(again) == (400, 1201, "external_task_id already exists")


def test_pages_are_numbered(served: Any, legacy_body: Body) -> None:
    """A page lists the tasks of one family, newest first, 30 by default."""
    ids = [served.post(PATH, legacy_body()).json()["data"]["task_id"] for _ in range(3)]
    served.post("/v1/videos/text2video", {"prompt": "a lake", "model_name": "kling-v3"})
    assert [row["task_id"] for row in served.get(PATH).json()["data"]] == ids[::-1]
    page = served.get(PATH, pageNum=2, pageSize=2).json()["data"]
    assert [row["task_id"] for row in page] == ids[:1]
    assert served.get(PATH, pageNum=9).json()["data"] == []
    for wrong in ({"pageNum": 0}, {"pageNum": 1001}, {"pageSize": 501}, {"pageSize": "x"}):
        assert _refusal(served.get(PATH, **wrong))[:2] == (400, 1201)


def test_text_to_video_needs_no_image(served: Any) -> None:
    """The default ratio is 16:9."""
    path = "/v1/videos/text2video"
    assert served.post(path, {"prompt": "a lake", "model_name": "kling-v3"}).status_code == 200
    assert _refusal(served.post(path, {"prompt": "a", "aspect_ratio": "4:3"}))[:2] == (400, 1201)


def test_image_tasks(served: Any) -> None:
    """n images have one link each and are charged in image units."""
    path = "/v1/images/generations"
    body = {"model_name": "kling-v3", "prompt": "a lake", "n": 2}
    job = served.post(path, body).json()["data"]["task_id"]
    row = served.get(f"{path}/{job}").json()["data"]
    assert [image["index"] for image in row["task_result"]["images"]] == [0, 1]
    assert row["final_unit_deduction"] == "16.0"
    assert served.emulator.charges_usd == pytest.approx(0.056)
    for wrong in ({"n": 10}, {"n": 0}, {"n": "2"}, {"resolution": "8k"}, {"prompt": ""}):
        assert _refusal(served.post(path, body | wrong))[:2] == (400, 1201)


def test_an_image_over_ten_megabytes_fails_later(served: Any, legacy_body: Body) -> None:
    """It is accepted and fails free of charge."""
    oversized = "AAAA" * 3_333_400  # base64 of slightly over 10 MB
    job = served.post(PATH, legacy_body(image=oversized)).json()["data"]["task_id"]
    row = served.get(f"{PATH}/{job}").json()["data"]
    assert row["task_status"] == "failed"
    assert row["task_status_msg"] == "Image size is invalid"
    assert row["final_unit_deduction"] == "0"


def test_costs_lag_half_a_day(emulate: Any, legacy_body: Body) -> None:
    """The remaining units are twelve hours old; two queries within a second are refused."""
    served = emulate(account=Account(balance_units=100))
    times = {"start_time": "0", "end_time": "1"}
    served.post(PATH, legacy_body())

    def remaining() -> float:
        reply = served.get("/account/costs", **times).json()
        assert reply["data"]["code"] == 0
        return float(reply["data"]["resource_pack_subscribe_infos"][0]["remaining_quantity"])

    assert remaining() == 100
    assert _refusal(served.get("/account/costs", **times))[:2] == (429, 1302)
    served.clock.advance(12 * 3600 + 1)
    assert remaining() == pytest.approx(98.2)
    assert _refusal(served.get("/account/costs", start_time="0"))[:2] == (400, 1201)


def test_costs_without_packs_have_no_list(served: Any) -> None:
    """The key is absent, as seen live."""
    data = served.get("/account/costs", start_time="0", end_time="1").json()["data"]
    assert data == {"code": 0, "msg": "success"}
