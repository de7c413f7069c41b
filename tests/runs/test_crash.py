"""A runner that is killed at any moment buys every take exactly once."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lab.emulator import Account, Emulator, Fault, TaskTiming, serving
from lab.files import sha256_file
from lab.media import frames, open_image, write_image
from lab.runs import Ledger, RunFolder, TakeState

REPOSITORY = Path(__file__).resolve().parents[2]
STILLS = REPOSITORY / "data" / "stills"

# Everything that goes wrong and ends well; refusals would be results, not crashes.
FAULTS = [
    {"kind": "accept_then_drop", "method": "POST", "share": 0.15},
    {"kind": "drop_before", "method": "POST", "share": 0.05},
    {"kind": "server_error", "method": "POST", "share": 0.05},
    {"kind": "no_slot", "method": "POST", "share": 0.05},
    {"kind": "rate_limited", "method": "POST", "share": 0.05},
    {"kind": "html_502", "method": "GET", "share": 0.05},
    {"kind": "cut_download", "share": 0.1},
    {"kind": "wrong_type_download", "share": 0.05},
    {"kind": "expired_link", "share": 0.05},
]


PICTURES = 4
# What a start is killed after, and the most of it.
AFTER = {"nothing": 1, "its lock": 1, "orders": 4, "requests": 16, "downloads": 3, "measures": 3}


class Progress:
    """The progress of a run, observed at the service and in the run folder."""

    def __init__(self, emulator: Emulator, folder: RunFolder, pid: int) -> None:
        self._emulator = emulator
        self._folder = folder
        self._owner = f'"pid": {pid},'
        self._earlier = self._counted()
        self._before_orders: int | None = None

    def seen(self, what: str) -> int:
        """The count of an event since the start. Requests count from the first submission on."""
        if what == "nothing":
            return 1
        if what == "its lock":
            owner = self._folder.path / "run.owner.json"
            return owner.is_file() and self._owner in owner.read_text()
        now = {name: count - self._earlier[name] for name, count in self._counted().items()}
        if what != "requests":
            return now[what]
        if self._before_orders is None and now["orders"]:
            self._before_orders = now["requests"] - 1
        return 0 if self._before_orders is None else now["requests"] - self._before_orders

    def _counted(self) -> dict[str, int]:
        requests = self._emulator.requests
        return {
            "orders": sum(n for what, n in requests.items() if what.startswith("POST")),
            "requests": requests.total(),
            "downloads": self._emulator.downloads,
            "measures": len(list(self._folder.measures.folder.glob("*.json"))),
        }


class Runs:
    """The helper process that starts runs, and its latest run."""

    def __init__(self, sweep: Path, out: Path) -> None:
        self._helper = subprocess.Popen(
            [sys.executable, "-m", "tests.runs.forked", str(sweep), str(out)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ended = threading.Event()
        self.status = 0
        self.pid = 0

    def start(self, order: str = "go") -> None:
        assert self._helper.stdin is not None
        assert self._helper.stdout is not None
        self.ended = threading.Event()
        self._helper.stdin.write(f"{order}\n")
        self._helper.stdin.flush()
        self.pid = int(self._helper.stdout.readline())
        threading.Thread(target=self._watch, args=(self.ended,)).start()

    def _watch(self, ended: threading.Event) -> None:
        assert self._helper.stdout is not None
        self.status = int(self._helper.stdout.readline())
        ended.set()

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.ended.wait()

    def close(self) -> None:
        assert self._helper.stdin is not None
        self._helper.stdin.close()
        self._helper.wait()
        assert self._helper.stdout is not None
        self._helper.stdout.close()


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Callable[[int], Runs]]:
    """Starts the helper for a sweep with this many clips, after the environment is set.

    Half of the clips start from a still that the sweep makes first.
    """
    rgb = open_image(STILLS / "coffee.jpg").rgb
    write_image(tmp_path / "coffee.png", np.ascontiguousarray(rgb[:300, :400]))
    opened: list[Runs] = []

    def begin(takes: int) -> Runs:
        sweep = tmp_path / "sweep.yaml"
        sweep.write_text(
            f"stills: [coffee.png, {{create: a cat on a wall, best_of: {PICTURES}}}]\n"
            "prompts: [push in, pan left, lock off]\n"
            "settings: {duration_s: 3, aspect_ratio: '4:3'}\n"
            f"repeats: {takes // 6}\n"
            "backend: kling\n"
        )
        opened.append(Runs(sweep, tmp_path / "run"))
        return opened[-1]

    yield begin
    for each in opened:
        each.close()


@pytest.mark.parametrize(
    ("kills", "takes"),
    [
        (10, 24),
        pytest.param(80, 192, marks=pytest.mark.slow),
    ],
)
def test_killed_again_and_again_it_buys_each_take_once(
    kills: int,
    takes: int,
    runs: Callable[[int], Runs],
    tmp_path: Path,
    offline: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Despite faults and SIGKILL at every step, each picture and clip is charged exactly once."""
    rng = random.Random(kills)
    folder = RunFolder(tmp_path / "run")
    emulator = Emulator(
        account=Account(concurrency=6),
        timing=TaskTiming(submitted_s=0.05, processing_s=0.2),
        faults=[Fault.from_mapping(fault) for fault in FAULTS],
        short_side_px=64,
    )
    with serving(emulator) as service:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("KLING_POLL_S", "0.1")
        monkeypatch.setenv("KLING_CONCURRENCY", "6")
        monkeypatch.setenv("KLING_SETTLE_S", "0.2")
        monkeypatch.setenv("I2VLAB_WORKERS", "2")
        tries = runs(takes)
        killed: Counter[str] = Counter()
        while killed.total() < kills:
            what = rng.choice(list(AFTER))
            count = rng.randint(1, AFTER[what])
            tries.start()
            progress = Progress(emulator, folder, tries.pid)
            while progress.seen(what) < count and not tries.ended.wait(0.002):
                pass
            if not tries.ended.is_set():
                tries.kill()
                killed[what] += 1
            elif tries.status == 0:
                break
        assert killed.total() == kills, f"all was done before it was killed often: {killed}"
        assert set(killed) == set(AFTER)
        struck = {fault["kind"]: fault["struck"] for fault in emulator.state()["faults"]}
        assert struck["accept_then_drop"], (emulator.charged_jobs, emulator.requests)
        assert struck["cut_download"]
        emulator.clear_faults()
        for order in ("reconcile", "go"):
            tries.start(order)
            assert tries.ended.wait(240)
        assert tries.status == 0
        assert emulator.charged_jobs == PICTURES + takes
        names = [job["external_id"] for job in emulator.jobs if job["charged_units"]]
        assert len(set(names)) == PICTURES + takes
    with Ledger.read(folder.ledger) as ledger:
        ledger.verify()
        rows = ledger.takes()
    assert [row.state for row in rows] == [TakeState.FETCHED] * (PICTURES + takes)
    assert {row.job.id for row in rows if row.job} == {
        job["id"] for job in emulator.jobs if job["charged_units"]
    }
    for row in (row for row in rows if row.take.shot.makes == "clip"):
        clip = folder.clip_path(row.take_id)
        assert row.clip is not None
        assert sha256_file(clip) == row.clip["sha256"]
        assert sum(1 for _ in frames(clip, 32)) == 73
        assert folder.measures.path(row.take_id).is_file()
    assert not list(folder.path.rglob("*.part"))
