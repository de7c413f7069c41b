"""The backend works with the project's emulator over a real socket, faults included.

The emulator follows the same documents but shares no code with the backend. What it assumes remains
an assumption.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.backends import Job
from lab.backends.contract import JobState
from lab.backends.kling import Account, KlingBackend
from lab.errors import (
    AccountError,
    BackendError,
    FetchError,
    NoSlot,
    Refusal,
    ServiceError,
    SubmitUncertain,
)
from lab.media import open_image, probe
from lab.prompts import Prompt
from lab.prompts.prompt import Segment
from lab.takes import Take

pytest.importorskip("starlette")
emulator = pytest.importorskip("lab.emulator")
TakeWith = Callable[..., Take]
Emulated = Callable[..., tuple[KlingBackend, Any]]


@pytest.fixture
def made(emulated: Emulated, tmp_path: Path) -> Callable[..., tuple[Path, Any, Any]]:
    """Submits a take, polls until it is done and fetches it; returns file, status and result."""

    def make(take: Take, *faults: Any, **how: Any) -> tuple[Path, Any, Any]:
        backend, _ = emulated(*faults, **how)
        job = backend.submit(take, "key-1")
        status = backend.poll([job])[job.id]
        assert status.state is JobState.DONE
        path = tmp_path / ("still.png" if take.shot.makes == "still" else "clip.mp4")
        return path, status, backend.fetch(job, path)

    return make


KINDS: list[dict[str, Any]] = [
    {"resolution": "1080p", "sound": True},
    {"still": None, "aspect_ratio": "9:16"},
    {"still": None, "model": "kling-3.0-omni"},
    {"end": True, "model": "kling-3.0-omni"},
    {"end": True, "cuts": True},
    {"cuts": True},
]


@pytest.mark.parametrize(
    ("protocol", "changed"),
    [
        *(("new", kind) for kind in KINDS[:5]),
        *(("legacy", KINDS[index]) for index in (0, 1, 3, 5)),
    ],
    ids=str,
)
def test_every_kind_of_clip(
    made: Callable[..., Any],
    take_with: TakeWith,
    wide: Any,
    protocol: str,
    changed: dict[str, Any],
) -> None:
    """The clip has the requested settings and costs what was quoted."""
    changed = {"duration_s": 3, **changed}
    prompt: Any = "slow push in; steam rises"
    if changed.pop("end", False):
        changed["end_still"] = wide
    if changed.pop("cuts", False):
        prompt = Prompt.cut([Segment("push in", 1), Segment("pan right", 2)])
    take = take_with(prompt, **changed)
    path, status, fetched = made(take, protocol=protocol)
    facts = probe(path)
    width, height = (float(part) for part in take.shot.settings.aspect_ratio.split(":"))
    assert facts.width_px / facts.height_px == pytest.approx(width / height, rel=0.02)
    assert facts.duration_s == pytest.approx(take.shot.settings.duration_s, abs=0.2)
    assert facts.has_audio is take.shot.settings.sound
    assert fetched.not_honoured == ()
    quote = KlingBackend(account=Account()).quote(take.shot)
    assert status.cost_usd == pytest.approx(quote.low_usd)


@pytest.mark.parametrize("protocol", ["new", "legacy"])
@pytest.mark.parametrize("model", ["kling-3.0", "kling-3.0-omni", "kling-2.6", "kling-2.5-turbo"])
@pytest.mark.parametrize("start", ["still", "frames", "text", "cuts", "elements"])
def test_no_model_is_sent_what_it_does_not_have(
    emulated: Emulated, take_with: TakeWith, wide: Any, model: str, protocol: str, start: str
) -> None:
    """What passes our limits passes a service that rejects every undocumented field."""
    backend, service = emulated(protocol=protocol)
    changed: dict[str, Any] = {"model": model, "resolution": "1080p"}
    prompt: Any = "slow push in"
    if start == "frames":
        changed["end_still"] = wide
    elif start == "text":
        changed["still"] = None
    elif start == "cuts":
        prompt = Prompt.cut([Segment("push in", 2), Segment("pan right", 3)])
        changed["still"] = None
    elif start == "elements":
        prompt, changed["elements"] = "@a @b @c", tuple((name, name) for name in "abc")
    take = take_with(prompt, **changed)
    if any(item.blocking for item in backend.limits(take.shot)):
        assert start in ("cuts", "elements")
        with pytest.raises(BackendError):
            backend.submit(take, "key-1")
        assert service.requests == {}
    else:
        backend.submit(take, "key-1")
        assert service.charged_jobs == 1


def test_turbo(made: Callable[..., Any], take_with: TakeWith) -> None:
    """Turbo always makes sound."""
    path, _, fetched = made(take_with(model="kling-3.0-turbo", sound=True, duration_s=3))
    assert probe(path).has_audio
    assert fetched.not_honoured == ()


def test_a_pair_of_keys(made: Callable[..., Any], take_with: TakeWith) -> None:
    """The legacy protocol accepts signed tokens."""
    path, _, _ = made(take_with(duration_s=3), pair=True)
    assert probe(path).frames > 60


def test_a_still_from_text(made: Callable[..., Any], take_with: TakeWith) -> None:
    """The picture has the requested ratio."""
    take = take_with("a lighthouse", still=None, makes="still", aspect_ratio="3:4")
    path, status, _ = made(take)
    height, width = open_image(path).rgb.shape[:2]
    assert width / height == pytest.approx(0.75, rel=0.05)
    assert status.cost_usd == pytest.approx(0.028)


class TestOneOrderOnePayment:
    """A take is never paid twice, whatever fails."""

    @pytest.mark.parametrize("protocol", ["new", "legacy"])
    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "accept_then_drop"},
            {"kind": "html_502", "path": "/", "method": "POST", "accepted": True},
            {"kind": "server_error", "method": "POST", "accepted": True},
            {"kind": "server_error", "method": "POST", "accepted": True, "code": 5002},
        ],
        ids=str,
    )
    def test_a_lost_reply(
        self, emulated: Emulated, take_with: TakeWith, protocol: str, fault: dict[str, Any]
    ) -> None:
        """A submission whose reply is lost is found by its key and was charged once."""
        backend, service = emulated(emulator.Fault(times=1, **fault), protocol=protocol)
        take = take_with()
        with pytest.raises(SubmitUncertain):
            backend.submit(take, "key-1")
        job = backend.lookup(take, "key-1")
        assert isinstance(job, Job)
        assert backend.poll([job])[job.id].state is JobState.DONE
        assert service.charged_jobs == 1

    @pytest.mark.parametrize("protocol", ["new", "legacy"])
    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "drop_before", "method": "POST"},
            {"kind": "html_502", "method": "POST", "accepted": False},
        ],
        ids=str,
    )
    def test_a_request_that_never_arrived(
        self, emulated: Emulated, take_with: TakeWith, protocol: str, fault: dict[str, Any]
    ) -> None:
        """The look-up returns absent, so the take may be submitted again."""
        backend, service = emulated(emulator.Fault(times=1, **fault), protocol=protocol)
        take = take_with()
        with pytest.raises(SubmitUncertain):
            backend.submit(take, "key-1")
        assert service.charged_jobs == 0
        assert backend.lookup(take, "key-1") == "absent"
        backend.submit(take, "key-1")
        assert service.charged_jobs == 1

    @pytest.mark.parametrize("protocol", ["new", "legacy"])
    def test_sent_twice(self, emulated: Emulated, take_with: TakeWith, protocol: str) -> None:
        """The second submission is rejected, and the first job is returned."""
        backend, service = emulated(protocol=protocol)
        take = take_with()
        first = backend.submit(take, "key-1")
        assert backend.submit(take, "key-1").id == first.id
        assert service.charged_jobs == 1

    def test_rejected_but_made(self, emulated: Emulated, take_with: TakeWith) -> None:
        """A rejected key may belong to a job that was just made."""
        backend, service = emulated(emulator.Fault("duplicate_external_id", times=1))
        job = backend.submit(take_with(), "key-1")
        assert [each["id"] for each in service.jobs] == [job.id]

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            ({"kind": "no_slot"}, NoSlot),
            ({"kind": "rate_limited", "method": "POST"}, NoSlot),
            ({"kind": "server_error", "method": "POST", "code": 5001}, ServiceError),
            ({"kind": "api_error", "method": "POST", "code": 1102}, AccountError),
            ({"kind": "api_error", "method": "POST", "code": 1301}, Refusal),
            ({"kind": "api_error", "method": "POST", "code": 1203}, BackendError),
        ],
        ids=str,
    )
    def test_surely_not_bought(
        self, emulated: Emulated, take_with: TakeWith, fault: dict[str, Any], kind: type[Exception]
    ) -> None:
        """Nothing was charged, and the exception says what to do."""
        backend, service = emulated(emulator.Fault(times=1, **fault))
        with pytest.raises(kind):
            backend.submit(take_with(), "key-1")
        assert service.charged_jobs == 0

    def test_no_free_slot(self, emulated: Emulated, take_with: TakeWith) -> None:
        """A slot stays taken until its job ends."""
        backend, service = emulated(
            account=emulator.Account(concurrency=1), timing=emulator.TaskTiming(1000.0, 1000.0)
        )
        backend.submit(take_with(), "key-1")
        with pytest.raises(NoSlot, match="parallel task over resource pack limit"):
            backend.submit(take_with(repeat=2), "key-2")
        assert service.charged_jobs == 1


class TestPolling:
    """Errors while polling."""

    @pytest.mark.parametrize(
        "kind", ["rate_limited", "html_502", "drop_before", "bad_json", "server_error"]
    )
    def test_failures_are_retried(self, emulated: Emulated, take_with: TakeWith, kind: str) -> None:
        """Queries are retried."""
        backend, _ = emulated(emulator.Fault(kind, times=2, method="GET"))
        job = backend.submit(take_with(), "key-1")
        assert backend.poll([job])[job.id].state is JobState.DONE

    def test_an_unknown_state(self, emulated: Emulated, take_with: TakeWith) -> None:
        """A job in an unknown state is waited for."""
        backend, _ = emulated(emulator.Fault("unknown_status", times=1))
        job = backend.submit(take_with(), "key-1")
        states = [backend.poll([job])[job.id].state for _ in range(2)]
        assert states == [JobState.WAITING, JobState.DONE]

    def test_lost(self, emulated: Emulated, take_with: TakeWith) -> None:
        """A job that the service does not know for a while is missing, not failed."""
        backend, _ = emulated(emulator.Fault("lost_tasks", times=1))
        job = backend.submit(take_with(), "key-1")
        assert backend.poll([job]) == {}
        assert backend.poll([job])[job.id].state is JobState.DONE

    def test_a_wrong_key(self, emulated: Emulated, take_with: TakeWith) -> None:
        """It is an account error that names the region as a likely reason."""
        backend, _ = emulated(api_key="another")
        with pytest.raises(AccountError, match="KLING_REGION"):
            backend.submit(take_with(), "key-1")

    def test_a_clock_that_is_off(self, emulated: Emulated, take_with: TakeWith) -> None:
        """A rejected token is signed again with the service's own time."""
        fault = emulator.Fault("clock_skew", seconds=5000)
        backend, service = emulated(fault, pair=True)
        backend.submit(take_with(), "key-1")
        assert service.charged_jobs == 1

    def test_many_at_once(self, emulated: Emulated, take_with: TakeWith) -> None:
        """One query returns the state of each job."""
        backend, _ = emulated()
        jobs = [backend.submit(take_with(repeat=each), f"key-{each}") for each in range(1, 6)]
        assert set(backend.poll(jobs)) == {job.id for job in jobs}


class TestFetching:
    """Errors while downloading."""

    @pytest.mark.parametrize("kind", ["cut_download", "expired_link"])
    def test_failures_are_retried(
        self, emulated: Emulated, take_with: TakeWith, tmp_path: Path, kind: str
    ) -> None:
        """The clip arrives complete, without another submission."""
        backend, service = emulated(emulator.Fault(kind, times=1))
        job = backend.submit(take_with(duration_s=3), "key-1")
        backend.poll([job])
        backend.fetch(job, tmp_path / "clip.mp4")
        assert probe(tmp_path / "clip.mp4").frames > 60
        assert service.charged_jobs == 1

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            ({"kind": "wrong_type_download"}, "not an MP4 clip"),
            ({"kind": "redirect_download", "to": "https://evil.example/a.mp4"}, "evil.example"),
            ({"kind": "expired_link"}, "HTTP 410"),
        ],
        ids=str,
    )
    def test_a_lasting_failure(
        self,
        emulated: Emulated,
        take_with: TakeWith,
        tmp_path: Path,
        fault: dict[str, Any],
        reason: str,
    ) -> None:
        """One line; no file is left behind and nothing is submitted."""
        backend, service = emulated(emulator.Fault(**fault))
        job = backend.submit(take_with(duration_s=3), "key-1")
        with pytest.raises(FetchError, match=reason):
            backend.fetch(job, tmp_path / "clip.mp4")
        assert not list(tmp_path.glob("*clip*"))
        assert service.charged_jobs == 1


def test_its_environment_is_enough(take_with: TakeWith, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that the emulator prints configure the account."""
    with emulator.serving(emulator.Emulator(timing=emulator.TaskTiming.instant())) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        backend = KlingBackend()
        backend.prepare()
        job = backend.submit(take_with(), "key-1")
        assert job.data["host"] == backend.origin == running.url
        backend.close()
