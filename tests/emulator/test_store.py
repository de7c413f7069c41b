"""Slots, balance, ids, prices and the recorded state."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lab.emulator import Account, Assumptions, Fault, TaskTiming
from lab.emulator.models import amount_text, video_model
from lab.emulator.replies import ApiError
from lab.emulator.store import Store
from lab.emulator.task_spec import TaskSpec

Body = Callable[..., dict[str, Any]]
PATH = "/image-to-video/kling-3.0"
IMAGES = "/v1/images/generations"


def test_a_slot_is_occupied_until_the_task_ends(slow: Any, modern_body: Body) -> None:
    """A task beyond the quota is 429/1303 with the documented message; failing tasks count too."""
    assert slow.post(PATH, modern_body()).status_code == 200
    assert slow.post(PATH, modern_body("risk-control")).status_code == 200
    full = slow.post(PATH, modern_body())
    assert full.status_code == 429
    assert full.json()["code"] == 1303
    assert full.json()["message"] == "parallel task over resource pack limit"
    slow.clock.advance(4.9)
    assert slow.post(PATH, modern_body()).status_code == 429
    slow.clock.advance(0.2)
    assert slow.post(PATH, modern_body()).status_code == 200


def test_images_have_their_own_slots(slow: Any, modern_body: Body) -> None:
    """One slot per image, independent of videos."""
    for _ in range(2):
        slow.post(PATH, modern_body())
    assert slow.post(IMAGES, {"prompt": "a", "n": 2}).status_code == 200
    assert slow.post(IMAGES, {"prompt": "a", "n": 2}).json()["code"] == 1303
    assert slow.post(IMAGES, {"prompt": "a", "n": 1}).status_code == 200


def test_a_stuck_task_keeps_its_slot(slow: Any, modern_body: Body) -> None:
    """It stays in processing and counts as charged."""
    slow.emulator.add_fault(Fault("stuck", times=1))
    stuck = slow.post(PATH, modern_body()).json()["data"]["id"]
    slow.clock.advance(1_000_000)
    assert slow.row(stuck)["status"] == "processing"
    assert slow.post(PATH, modern_body()).status_code == 200
    assert slow.post(PATH, modern_body()).status_code == 429
    assert slow.emulator.charged_jobs == 2


def test_an_empty_pack_refuses_tasks(emulate: Any, modern_body: Body) -> None:
    """The refusal is 429/1102 with the message seen live; failing tasks cost nothing."""
    served = emulate(account=Account(balance_units=4.0))
    assert served.post(PATH, modern_body("risk-control")).status_code == 200
    for _ in range(2):
        assert served.post(PATH, modern_body()).status_code == 200
    refused = served.post(PATH, modern_body())
    assert refused.status_code == 429
    assert (refused.json()["code"], refused.json()["message"]) == (
        1102,
        "Account balance not enough",
    )
    assert served.emulator.charged_jobs == 2
    assert served.emulator.charges_usd == pytest.approx(3.6 * 0.14)


def test_the_state_reports_jobs_charges_and_requests(served: Any, modern_body: Body) -> None:
    """It counts charges by external id, requests by template and status, and downloads."""
    served.post(PATH, modern_body(external_id="a", resolution="1080p", duration=5))
    served.post(PATH, modern_body(external_id="a"))
    served.get("/tasks", external_task_ids="a")
    served.download(served.running.media_url + "/nothing")
    state = served.get("/emulator/state").json()
    assert state["charged_jobs"] == 1
    assert state["charges"] == {"a": {"units": 4.0, "usd": 0.56}}
    assert state["jobs"][0]["charged_usd"] == 0.56
    assert state["requests"] == {
        "POST /image-to-video/{model} 200": 1,
        "POST /image-to-video/{model} 400": 1,
        "GET /tasks 200": 1,
        "GET media 403": 1,
    }
    assert state["downloads"] == 1
    assert served.emulator.requests == state["requests"]


@pytest.mark.parametrize(
    ("name", "seconds", "resolution", "sound", "units"),
    [
        ("kling-3.0", 5, "1080p", False, "4.0"),
        ("kling-3.0", 5, "720p", False, "3.0"),
        ("kling-3.0", 5, "720p", True, "4.5"),
        ("kling-3.0", 3, "4k", True, "9.0"),
        ("kling-3.0-turbo", 5, "720p", True, "4.0"),
        ("kling-2.5-turbo", 5, "720p", False, "1.5"),
    ],
)
def test_prices_are_the_published_ones(
    name: str, seconds: int, resolution: str, sound: bool, units: str
) -> None:
    """Units per second depend on model, resolution and sound."""
    model = video_model("image-to-video", name=name)
    assert model is not None
    assert amount_text(model.units(seconds, resolution, sound=sound)) == units


def _store(folder: Path, **options: Any) -> Store:
    account = Account(concurrency=100_000)
    defaults: dict[str, Any] = {"account": account, "timing": TaskTiming.instant()}
    return Store(**defaults | options, assumptions=Assumptions(), seed=0, folder=folder)


def _task_spec(**options: Any) -> TaskSpec:
    defaults: dict[str, Any] = {"units": Decimal(1), "usd": Decimal("0.14")}
    return TaskSpec("new", "image-to-video", "kling-3.0", "pan left", **defaults | options)


def test_ids_are_unique_18_digit_numbers(tmp_path: Path) -> None:
    """For any clock, and for many tasks at the same time."""
    store = _store(tmp_path)
    ids = {store.add(_task_spec(), now_s).id for now_s in (0, 1.0, 1.8e9, 9e9) for _ in range(500)}
    assert len(ids) == 2000
    assert {len(each) for each in ids} == {18}
    assert all(each.isdecimal() and int(each) > 2**53 for each in ids)


def test_delays_vary_and_repeat(tmp_path: Path) -> None:
    """Delays vary between tasks within the jitter; equal seeds give equal delays."""
    delays = [
        [job.processing_s for job in _added(_store(tmp_path, timing=TaskTiming()), 5)]
        for _ in range(2)
    ]
    assert delays[0] == delays[1]
    assert len(set(delays[0])) == 5
    assert all(3.2 <= seconds <= 4.8 for seconds in delays[0])


def _added(store: Store, count: int) -> list[Any]:
    return [store.add(_task_spec(), 0.0) for _ in range(count)]


def test_an_external_id_is_accepted_once(tmp_path: Path) -> None:
    """Of many concurrent attempts, one succeeds."""
    store = _store(tmp_path)

    def attempt(_: int) -> int:
        try:
            store.add(_task_spec(external_id="x"), 0.0)
        except ApiError as error:
            return error.code
        return 0

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(50))) == [0, *[1201] * 49]


def test_many_tasks_share_one_stored_image(served: Any, modern_body: Body) -> None:
    """Repeated tasks with the same still add nothing to the folder."""
    body = modern_body()
    for number in range(300):
        body["options"]["external_task_id"] = str(number)
        assert served.post(PATH, body).status_code in (200, 429)
    stored = list((served.emulator.folder / "pictures").iterdir())
    assert len(stored) == 1
