"""A scripted backend that follows the contract and fails on request, and small sweeps."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from lab.backends import BACKENDS, Capabilities, FetchResult, Job, JobStatus, Quote
from lab.backends.contract import JobState, Lookup
from lab.errors import FetchError
from lab.media import write_clip, write_image
from lab.stills import Still
from lab.sweeps import Sweep
from lab.takes import Take

STILLS = Path(__file__).resolve().parents[2] / "data" / "stills"
COFFEE = Still.open(STILLS / "coffee.jpg")


@dataclass
class Remote:
    """The scripted service: what was bought, and how it answers each request."""

    bought: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    on_prepare: Callable[[], None] = lambda: None
    on_submit: Callable[[str], None] = lambda take_id: None
    lookup: Callable[[str], str] = lambda take_id: "found"
    polls: dict[str, int] = field(default_factory=dict)
    end_state: JobState = JobState.DONE
    broken_fetches: int = 0
    fetches: int = 0
    price_usd: float = 0.5
    takes: dict[str, Take] = field(default_factory=dict)
    picture: Callable[[Take], np.ndarray] = lambda take: np.roll(COFFEE.rgb(), take.repeat, 1)


REMOTE = Remote()


class ScriptedBackend:
    """A small paid service. Its jobs are done after two polls."""

    name = "scripted"
    capabilities = Capabilities(
        duration_s=(0.1, 15.0),
        duration_step_s=None,
        aspect_ratios=("16:9",),
        resolutions=("720p",),
        fps=(24.0,),
        seed=True,
        creates_stills=True,
        lookup=True,
        concurrency=2,
        poll_every_s=0.0,
    )

    @classmethod
    def secrets(cls) -> tuple[()]:
        return ()

    def quote(self, shot: object) -> Quote:
        return Quote(REMOTE.price_usd, REMOTE.price_usd, 1.0, 1000)

    origin = "scripted"
    account = ""

    def limits(self, shot: object) -> tuple[()]:
        return ()

    def prepare(self) -> None:
        REMOTE.on_prepare()

    def submit(self, take, external_id) -> Job:
        REMOTE.keys.append(external_id)
        REMOTE.takes[take.id] = take
        REMOTE.on_submit(take.id)
        REMOTE.bought.append(take.id)
        return Job(self.name, f"job-{take.id}", take.id)

    def adopt(self, take, job_id: str) -> Job:
        return Job(self.name, job_id, take.id)

    def pause(self, seconds: float) -> None:
        REMOTE.pauses.append(seconds)

    def lookup(self, take, external_id) -> Lookup:
        answer = REMOTE.lookup(take.id)
        return Job(self.name, f"job-{take.id}", take.id) if answer == "found" else answer

    def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        answers = {}
        for job in jobs:
            REMOTE.polls[job.id] = REMOTE.polls.get(job.id, 0) + 1
            if REMOTE.polls[job.id] >= 2:
                answers[job.id] = JobStatus(REMOTE.end_state, "as scripted", REMOTE.price_usd)
        return answers

    def fetch(self, job: Job, path: Path) -> FetchResult:
        REMOTE.fetches += 1
        if REMOTE.broken_fetches:
            REMOTE.broken_fetches -= 1
            raise FetchError("the line was cut")
        if path.suffix == ".png":
            write_image(path, REMOTE.picture(REMOTE.takes[job.take_id]))
            return FetchResult()
        rng = np.random.default_rng(0)
        first = np.kron(rng.integers(0, 255, (18, 32, 3)), np.ones((8, 8, 1))).astype(np.uint8)
        write_clip(path, (np.roll(first, shift, axis=1) for shift in range(6)), fps=24)
        return FetchResult()

    def close(self) -> None:
        pass


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Remote:
    """A fresh service, available as the backend "scripted"."""
    monkeypatch.setitem(BACKENDS, "scripted", ScriptedBackend)
    fresh = Remote()
    vars(REMOTE).update(vars(fresh))
    return REMOTE


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """An executor of threads, which starts faster than a process pool."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """A copy of the coffee still that a test may change."""
    return Path(shutil.copy(STILLS / "coffee.jpg", tmp_path / "coffee.jpg"))


@pytest.fixture
def sweep_of(still: Path) -> Callable[..., Sweep]:
    """Makes a sweep of the coffee still, with three short prompts by default."""

    def make(
        prompts: Sequence[str] = ("push in", "pan left", "lock off"), **fields: object
    ) -> Sweep:
        settings = {"duration_s": 0.25, "seed": 1, **fields.pop("settings", {})}
        if fields.get("backend", "offline") != "offline":
            fields.setdefault("budget_usd", 100.0)
        return Sweep.of(stills=[still], prompts=list(prompts), settings=settings, **fields)

    return make


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Changes how long a run waits for the scripted backend."""

    def change(**waits: object) -> None:
        can = replace(BACKENDS["scripted"].capabilities, **waits)
        monkeypatch.setattr(BACKENDS["scripted"], "capabilities", can)

    return change
