"""Elements are registered once per account despite faults, and runs keep their ids."""

import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.unscored import Unscored
from lab.emulator import Emulator, Fault, RunningServer, TaskTiming, serving
from lab.errors import (
    AccountError,
    BackendError,
    InputError,
    Interrupted,
    MoneyError,
    RunFolderError,
    ServiceError,
    SubmitUncertain,
)
from lab.media import open_image, write_image
from lab.runs import (
    Control,
    Ledger,
    RunFolder,
    delete_element,
    known_elements,
    list_elements,
    plan,
    register_element,
    run,
)
from lab.runs.elements import ElementRowState
from lab.settings import settings
from lab.sweeps import Sweep
from tests.runs.test_crash import STILLS, Runs
from tests.waiting import until

POST = "POST /v1/general/advanced-custom-elements"
pytestmark = pytest.mark.usefixtures("offline")


@pytest.fixture
def point(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunningServer], None]:
    """Points this process at an emulator."""

    def to(running: RunningServer) -> None:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        for name in ("KLING_POLL_S", "KLING_SETTLE_S"):
            monkeypatch.setenv(name, "0.02")

    return to


@pytest.fixture
def service(point: Callable[[RunningServer], None]) -> Iterator[RunningServer]:
    """An account on loopback that finishes registrations at once."""
    with serving(Emulator(timing=TaskTiming.instant(), short_side_px=64)) as running:
        point(running)
        yield running


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a front, a side and a still."""
    folder = tmp_path_factory.mktemp("drawn")
    for side, name in (("front", "astronaut"), ("side", "cat"), ("still", "coffee")):
        rgb = open_image(STILLS / f"{name}.jpg").rgb[:300, :400]
        write_image(folder / f"{side}.png", np.ascontiguousarray(rgb))
    return folder


@pytest.fixture
def pictures(drawn: Path, tmp_path: Path) -> list[Path]:
    """Copies of these pictures that a test may change."""
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    return [tmp_path / f"{side}.png" for side in ("front", "side", "still")]


@pytest.fixture
def sweep(tmp_path: Path, pictures: list[Path]) -> Path:
    """A sweep of one take that cites one element."""
    path = tmp_path / "sweep.yaml"
    path.write_text(
        "stills: still.png\nprompts: push in on @hero\nelements: {hero: [front.png, side.png]}\n"
        "settings: {duration_s: 3, aspect_ratio: '4:3'}\nbackend: kling\nbudget_usd: 5\n"
    )
    return path


def posts(service: RunningServer) -> int:
    """All registration requests, with or without a reply."""
    return sum(n for what, n in service.emulator.requests.items() if what.startswith(POST))


def go(sweep: Path, out: Path, **how: Any) -> Any:
    return run(sweep, out, executor=Unscored(), quiet=True, **{"confirmed": True, **how})


def hero(pictures: list[Path], **how: Any) -> Any:
    return register_element("hero", pictures[:2], **{"confirmed": True, "quiet": True, **how})


def the_only_element(service: RunningServer) -> dict[str, Any]:
    (made,) = service.emulator.elements
    return made


def forget_everything() -> None:
    for file in settings().data_dir.glob("elements.sqlite*"):
        file.unlink()


class TestRegistering:
    """Registering an element."""

    def test_the_same_pictures_are_registered_once(
        self, service: RunningServer, pictures: list[Path]
    ) -> None:
        """The same pictures under another name are not registered again."""
        row = hero(pictures)
        assert (row.id, row.state) == (
            the_only_element(service)["element_id"],
            ElementRowState.READY,
        )
        assert row.files == ("front.png", "side.png")
        again = register_element("cat", pictures[:2], quiet=True)
        assert again == row
        assert posts(service) == 1
        assert known_elements() == (row,)

    def test_an_unknown_price_is_agreed_to(
        self, service: RunningServer, pictures: list[Path]
    ) -> None:
        """Without confirmation nothing is sent, and the message says why."""
        with pytest.raises(MoneyError, match=r"price is not documented.*--yes"):
            hero(pictures, confirmed=False)
        assert service.emulator.requests.total() == 0

    def test_a_lost_store_is_found_again_at_the_service(
        self, service: RunningServer, pictures: list[Path]
    ) -> None:
        """With the store deleted, the key made of the pictures finds the registration."""
        row = hero(pictures)
        forget_everything()
        assert hero(pictures).id == row.id
        assert posts(service) == 1

    def test_another_key_of_the_account_finds_it(
        self, service: RunningServer, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A second key pair of the account finds the registration and registers nothing."""
        row = hero(pictures)
        account = service.emulator.account
        monkeypatch.delenv("KLING_API_KEY")
        monkeypatch.setenv("KLING_ACCESS_KEY", account.access_key)
        monkeypatch.setenv("KLING_SECRET_KEY", account.secret_key)
        assert known_elements() == ()
        assert hero(pictures).id == row.id
        assert posts(service) == 1

    def test_another_account_registers_its_own(
        self, service: RunningServer, pictures: list[Path], point: Callable[[RunningServer], None]
    ) -> None:
        """Another account registers its own element."""
        hero(pictures)
        with serving(Emulator(timing=TaskTiming.instant(), seed=1)) as other:
            point(other)
            row = hero(pictures)
            assert row.id == the_only_element(other)["element_id"]
        assert row.id != the_only_element(service)["element_id"]

    def test_two_at_the_same_moment_register_once(
        self, service: RunningServer, pictures: list[Path]
    ) -> None:
        """The second call waits for the slow first one and uses its registration."""
        service.emulator.add_fault(Fault("slow", method="POST", seconds=0.5, times=1))
        with ThreadPoolExecutor(2) as both:
            rows = [future.result() for future in [both.submit(hero, pictures) for _ in "ab"]]
        assert rows[0] == rows[1]
        assert posts(service) == 1

    def test_without_a_key_nothing_is_sent(
        self, service: RunningServer, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without an API key nothing is sent, and the message names the variable."""
        monkeypatch.delenv("KLING_API_KEY")
        with pytest.raises(AccountError, match="KLING_API_KEY"):
            hero(pictures)


class TestTrouble:
    """Replies that are lost, late or negative."""

    @pytest.mark.parametrize(
        "fault",
        [
            Fault("accept_then_drop", times=1, path="/v1/general/"),
            Fault("drop_before", times=1, method="POST"),
            Fault("no_slot", times=2, path="/v1/general/"),
            *(
                pytest.param(fault, marks=pytest.mark.slow)
                for fault in (
                    Fault("server_error", times=1, accepted=True, method="POST"),
                    Fault("html_502", times=1, method="POST"),
                    Fault("bad_json", times=1, method="POST"),
                    Fault("duplicate_external_id", times=1, path="/v1/general/"),
                    Fault("unknown_status", times=1, path="/v1/general/"),
                )
            ),
        ],
        ids=lambda fault: fault.kind,
    )
    def test_one_fault_registers_once(
        self,
        service: RunningServer,
        pictures: list[Path],
        fault: Fault,
    ) -> None:
        """After any fault the service is asked, and there is exactly one registration."""
        service.emulator.add_fault(fault)
        assert hero(pictures).id == the_only_element(service)["element_id"]

    def test_a_list_that_lags_is_asked_twice(
        self, service: RunningServer, pictures: list[Path]
    ) -> None:
        """A registration that appears late in the list is not sent again."""
        service.emulator.add_fault(Fault("accept_then_drop", times=1, path="/v1/general/"))
        # The first two questions come before it is sent; the next two find nothing yet.
        service.emulator.add_fault(
            Fault("lost_tasks", after=2, times=2, path="/v1/general/", method="GET")
        )
        assert hero(pictures).id == the_only_element(service)["element_id"]
        assert posts(service) == 1

    def test_an_unclear_answer_stays_uncertain(
        self, service: RunningServer, pictures: list[Path]
    ) -> None:
        """An uncertain one is not sent again; the next call asks, and a person may remove it."""
        service.emulator.add_fault(Fault("accept_then_drop", times=1, path="/v1/general/"))
        service.emulator.add_fault(Fault("api_error", method="GET", code=1200, after=2))
        for _ in range(2):
            with pytest.raises(SubmitUncertain, match=r"hero.*--forget hero"):
                hero(pictures)
        assert [row.state for row in known_elements()] == [ElementRowState.UNCERTAIN]
        with pytest.raises(SubmitUncertain):
            delete_element("hero")
        service.emulator.clear_faults()
        assert hero(pictures).id == the_only_element(service)["element_id"]
        assert posts(service) == 1

    def test_a_forgotten_one_is_looked_for_before_it_is_sent(
        self, service: RunningServer, pictures: list[Path]
    ) -> None:
        """A row removed by mistake is looked up before anything is sent."""
        row = hero(pictures)
        delete_element("hero", remote=False)
        assert known_elements() == ()
        assert hero(pictures).id == row.id
        assert posts(service) == 1

    def test_when_the_service_cannot_be_asked_nothing_is_sent(
        self, service: RunningServer, pictures: list[Path]
    ) -> None:
        """Nothing is sent while the service cannot say what exists."""
        service.emulator.add_fault(Fault("api_error", method="GET", code=1200))
        with pytest.raises(ServiceError, match="nothing was sent"):
            hero(pictures)
        assert posts(service) == 0
        assert known_elements() == ()

    def test_one_that_fails_is_not_tried_again_by_itself(
        self, service: RunningServer, pictures: list[Path]
    ) -> None:
        """A failed one keeps its reason; after deleting it, a new key is used."""
        words = {"description": "risk-control"}
        for _ in range(2):
            with pytest.raises(BackendError, match=r"risk control.*--delete hero"):
                hero(pictures, **words)
        assert posts(service) == 1
        delete_element("hero")
        assert hero(pictures).state is ElementRowState.READY
        keys = [one["external_id"] for one in service.emulator.elements]
        assert [key[-2:] for key in keys] == ["-1", "-2"]

    def test_a_refusal_is_a_result(self, service: RunningServer, pictures: list[Path]) -> None:
        """Content that the service refuses is stored as failed and not sent again."""
        for _ in range(2):
            with pytest.raises(BackendError, match="refused by content safety"):
                hero(pictures, description="forbidden-at-submit")
        assert posts(service) == 1

    def test_pictures_are_checked_before_anything_is_sent(
        self, service: RunningServer, pictures: list[Path], tmp_path: Path
    ) -> None:
        """Small, too many and repeated pictures are refused in one line, without a request."""
        small = tmp_path / "small.png"
        write_image(small, open_image(pictures[0]).rgb[:200, :300])
        with pytest.raises(BackendError, match=r"small\.png, 300x200 px.*300 px"):
            register_element("hero", [small], confirmed=True)
        with pytest.raises(InputError, match="same picture"):
            register_element("hero", [pictures[0], pictures[0]], confirmed=True)
        assert service.emulator.requests.total() == 0


class TestDeleting:
    """Deleting an element at the service and in the store."""

    def test_it_is_gone_from_both(self, service: RunningServer, pictures: list[Path]) -> None:
        """Deleting works by name or id; the same pictures can then be registered again."""
        row = hero(pictures)
        assert delete_element("hero").state is ElementRowState.DELETED
        assert the_only_element(service)["state"] == "deleted"
        assert list_elements() == ()
        again = hero(pictures)
        assert again.id != row.id
        assert delete_element(again.id).name == "hero"

    def test_an_unknown_name_gets_a_hint(
        self, service: RunningServer, pictures: list[Path]
    ) -> None:
        """An unknown name gets a hint, and an ambiguous one needs the id."""
        hero(pictures)
        with pytest.raises(InputError, match="did you mean 'hero'"):
            delete_element("herro")
        other = register_element("hero", pictures[2:], confirmed=True, quiet=True)
        with pytest.raises(InputError, match=other.id):
            delete_element("hero")
        assert {one["state"] for one in service.emulator.elements} == {"succeeded"}

    @pytest.mark.parametrize("kind", ["accept_then_drop", "drop_before"])
    def test_a_lost_answer_deletes_nothing_here(
        self, service: RunningServer, pictures: list[Path], kind: str
    ) -> None:
        """The row stays until the service confirms the deletion."""
        hero(pictures)
        service.emulator.add_fault(Fault(kind, times=1, path="/v1/general/delete"))
        with pytest.raises(ServiceError, match="run the same command again"):
            delete_element("hero")
        assert len(known_elements()) == 1
        delete_element("hero")
        assert known_elements() == ()
        assert the_only_element(service)["state"] == "deleted"

    def test_the_list_shows_what_was_made_elsewhere(
        self, service: RunningServer, pictures: list[Path]
    ) -> None:
        """The list includes elements of the account that this user did not register."""
        row = hero(pictures)
        forget_everything()
        (stranger,) = list_elements()
        assert (stranger.id, stranger.state, stranger.content) == (
            row.id,
            ElementRowState.READY,
            "",
        )
        hero(pictures)
        assert [one.name for one in list_elements()] == ["hero"]


class TestStore:
    """The store in the user's data folder."""

    def test_no_key_is_in_it(self, service: RunningServer, pictures: list[Path]) -> None:
        """The store holds a fingerprint of the account and no API key."""
        hero(pictures)
        content = (settings().data_dir / "elements.sqlite").read_bytes()
        assert service.emulator.account.api_key.encode() not in content

    @pytest.mark.parametrize(
        "damage",
        ["UPDATE elements SET row = replace(row, '3227', '3228')", "PRAGMA user_version = 9", ""],
    )
    def test_damage_is_named(
        self, service: RunningServer, pictures: list[Path], damage: str
    ) -> None:
        """A changed row, a newer version and a foreign file are reported."""
        hero(pictures)
        path = settings().data_dir / "elements.sqlite"
        if damage:
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(damage)
        else:
            path.write_bytes(b"not a database, whatever its name says" * 100)
        with pytest.raises(RunFolderError, match=r"elements\.sqlite.*(move it away|update)"):
            hero(pictures)
        path.unlink()
        assert hero(pictures).id == the_only_element(service)["element_id"]


class TestSweeps:
    """Elements that a sweep file gives by pictures."""

    def test_the_plan_says_what_is_to_register(self, service: RunningServer, sweep: Path) -> None:
        """The plan names elements, pictures and the unknown price, and asks for confirmation."""
        priced = plan(Sweep.load(sweep))
        assert dict(priced.lines())["elements"] == (
            "1 to register (hero, 2 pictures; price not documented)"
        )
        assert priced.to_json()["elements_to_register"] == ["hero"]
        assert priced.needs_confirmation
        with pytest.raises(MoneyError, match=r"Register elements \(hero, 2 pictures\).*--yes"):
            go(sweep, sweep.parent / "run", confirmed=False)
        assert service.emulator.requests.total() == 0
        assert not (sweep.parent / "run").exists()

    def test_a_run_registers_first_and_keeps_its_ids(
        self, service: RunningServer, sweep: Path, tmp_path: Path
    ) -> None:
        """The take uses the id, also after the store and the element are deleted."""
        out = tmp_path / "run"
        assert go(sweep, out).complete
        element = the_only_element(service)["element_id"]
        with Ledger.read(RunFolder(out).ledger) as ledger:
            (row,) = ledger.takes()
            (noted,) = ledger.fact("elements").values()
        assert row.take.shot.elements == (("hero", element),)
        assert noted == {"name": "hero", "id": element}
        delete_element("hero")
        forget_everything()
        asked = service.emulator.requests
        again = plan(Sweep.load(sweep), out)
        assert (again.done, again.takes, again.needs_confirmation) == (1, 1, False)
        assert go(sweep, out, confirmed=False).complete
        assert service.emulator.requests == asked

    def test_another_folder_uses_what_is_registered(
        self, service: RunningServer, sweep: Path, tmp_path: Path
    ) -> None:
        """A second folder needs no confirmation and does not buy the same take again."""
        go(sweep, tmp_path / "run")
        priced = plan(Sweep.load(sweep), tmp_path / "second")
        assert dict(priced.lines())["elements"] == "1 known already"
        assert priced.reused == 1
        assert go(sweep, tmp_path / "second", confirmed=False).reused == 1
        assert (posts(service), service.emulator.charged_jobs) == (1, 1)

    def test_other_pictures_under_a_name_are_another_sweep(
        self, service: RunningServer, sweep: Path, pictures: list[Path], tmp_path: Path
    ) -> None:
        """A run folder refuses other pictures before anything is registered."""
        go(sweep, tmp_path / "run")
        write_image(pictures[1], open_image(pictures[1]).rgb[:, ::-1].copy())
        with pytest.raises(RunFolderError, match=r"element hero was made from other pictures"):
            go(sweep, tmp_path / "run")
        assert len(service.emulator.elements) == 1

    def test_one_deleted_elsewhere_is_not_used(
        self, service: RunningServer, sweep: Path, tmp_path: Path, pictures: list[Path]
    ) -> None:
        """A new run reports a deleted element before it submits; the next run registers it."""
        row = hero(pictures)
        service.emulator.store.elements.delete(row.id, service.emulator.clock())
        with pytest.raises(BackendError, match="deleted at the service; run the same"):
            go(sweep, tmp_path / "run")
        assert go(sweep, tmp_path / "run").complete
        assert posts(service) == 2

    def test_pictures_that_are_not_taken_block_the_plan(
        self, service: RunningServer, sweep: Path, pictures: list[Path], tmp_path: Path
    ) -> None:
        """The message names the element and the file, before anything is sent."""
        write_image(pictures[1], open_image(pictures[1]).rgb[:200])
        with pytest.raises(BackendError, match=r"elements\.hero 'side\.png, 400x200 px'"):
            go(sweep, tmp_path / "run")
        assert service.emulator.requests.total() == 0

    def test_a_backend_without_elements_refuses(self, sweep: Path, tmp_path: Path) -> None:
        """A backend that registers no elements refuses them."""
        with pytest.raises(BackendError, match="cannot register elements from pictures"):
            run(sweep, tmp_path / "run", backend="offline")

    def test_a_stopped_run_goes_on(
        self, point: Callable[[RunningServer], None], sweep: Path, tmp_path: Path
    ) -> None:
        """After a stop, the next call waits for the same registration."""
        now_s = [1_795_000_000.0]
        emulator = Emulator(timing=TaskTiming(0, 60, 0), short_side_px=64, clock=lambda: now_s[0])
        with serving(emulator) as service:
            point(service)
            control = Control()
            with ThreadPoolExecutor(1) as beside:
                under_way = beside.submit(go, sweep, tmp_path / "run", control=control)
                until(lambda: emulator.elements)
                control.stop()
                with pytest.raises(Interrupted, match="run the same command again"):
                    under_way.result()
            assert [row.state for row in known_elements()] == [ElementRowState.WAITING]
            with ThreadPoolExecutor(1) as beside:
                under_way = beside.submit(hero, [tmp_path / "front.png", tmp_path / "side.png"])
                now_s[0] += 100
                assert under_way.result().state is ElementRowState.READY
            assert posts(service) == 1


def elements_sweep(folder: Path, count: int) -> Path:
    """A sweep file with this many elements of one picture each."""
    rgb = open_image(STILLS / "coffee.jpg").rgb[:300, :400]
    names = [f"e{number}" for number in range(count)]
    for number, name in enumerate(names):
        write_image(folder / f"{name}.png", np.roll(rgb, number, axis=1))
    path = folder / "sweep.yaml"
    document = {
        "stills": "e0.png",
        "prompts": " ".join(f"@{name}" for name in names),
        "elements": {name: [f"{name}.png"] for name in names},
        "backend": "kling",
    }
    path.write_text(json.dumps(document))
    return path


@pytest.mark.slow
def test_two_processes_register_once(service: RunningServer, tmp_path: Path) -> None:
    """Two runs that start together register each element once."""
    service.emulator.add_fault(Fault("slow", method="POST", seconds=0.3))
    both = [Runs(elements_sweep(tmp_path, 3), tmp_path / "run") for _ in "ab"]
    for each in both:
        each.start("elements")
    for each in both:
        each.ended.wait()
        each.close()
    assert [each.status for each in both] == [0, 0]
    assert posts(service) == len(service.emulator.elements) == 3


FAULTS = [
    {"kind": "accept_then_drop", "method": "POST", "share": 0.25},
    {"kind": "drop_before", "method": "POST", "share": 0.1},
    {"kind": "server_error", "method": "POST", "share": 0.1, "accepted": True},
    {"kind": "html_502", "method": "GET", "share": 0.05},
    {"kind": "lost_tasks", "method": "GET", "share": 0.05},
]
# What a start is killed after, and the most of it.
AFTER = {"nothing": 1, "registrations": 2, "requests": 8}


@pytest.mark.parametrize(("kills", "count"), [(6, 6), pytest.param(50, 25, marks=pytest.mark.slow)])
def test_killed_again_and_again_it_registers_each_once(
    kills: int, count: int, tmp_path: Path, point: Callable[[RunningServer], None]
) -> None:
    """With faults and SIGKILL at every step, each element is registered exactly once."""
    rng = random.Random(kills)
    sweep = elements_sweep(tmp_path, count)
    emulator = Emulator(
        timing=TaskTiming(0.01, 0.02), faults=[Fault.from_mapping(fault) for fault in FAULTS]
    )
    with serving(emulator) as service:
        point(service)
        tries = Runs(sweep, tmp_path / "run")
        killed: Counter[str] = Counter()
        try:
            while killed.total() < kills:
                what = rng.choice(list(AFTER))
                wanted = rng.randint(1, AFTER[what])
                before = {"registrations": posts(service), "requests": _asked(service)}
                tries.start("elements")
                while not tries.ended.wait(0.001):
                    now = {"registrations": posts(service), "requests": _asked(service)}
                    if what == "nothing" or now[what] - before[what] >= wanted:
                        break
                if not tries.ended.is_set():
                    tries.kill()
                    killed[what] += 1
                elif tries.status == 0:
                    break
            emulator.clear_faults()
            tries.start("elements")
            assert tries.ended.wait(240)
            assert tries.status == 0
        finally:
            tries.close()
        assert killed.total() == kills, f"all was done before it was killed often: {killed}"
        keys = [one["external_id"] for one in emulator.elements]
        assert len(keys) == len(set(keys)) == count
        ids = {one["element_id"] for one in emulator.elements}
        assert {row.id for row in known_elements()} == ids
        assert {row.state for row in known_elements()} == {ElementRowState.READY}


def _asked(service: RunningServer) -> int:
    return service.emulator.requests.total()
