"""Defines the interface that every backend implements, and its data types.

A backend makes a clip in three steps: `submit` starts a job, `poll` reads its state and `fetch`
downloads the clip. A `Job` is plain data, so another process can continue after any step.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol, Self, runtime_checkable

from lab.shots import Option as OptionValue
from lab.shots import Shot, ShotSettings
from lab.takes import Take


@dataclass(frozen=True)
class Option:
    """A setting that only this backend has: its default, its range or choices, its effect."""

    name: str
    default: OptionValue
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[OptionValue, ...] = ()


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do, as data.

    duration_s: the shortest and the longest clip. duration_step_s: None if any length between is
    possible. text_to_video: a clip needs no still. creates_stills: it makes a still from text.
    lookup: it finds a job by our external id. simulated: no model is involved.
    registers_elements: it makes elements from pictures (see `lab.backends.elements`). element_usd:
    the price of one element; None if no price is documented. renders_locally: `fetch` computes the
    clip on this machine, so fetches are spread over processes.

    concurrency: how many jobs may run at once. poll_every_s: the pause between two polls.
    slot_wait_s: how long a run waits for a free slot. outage_s: how long it waits for a service
    that does not answer. job_wait_s: how long it waits for one job. unlisted_s: how long it waits
    for a job that is missing from poll results. After such a wait the run ends and the next run
    continues. backoff_s: the first and the longest pause before the next submission when there is
    no free slot.

    options: settings that only this backend has. rejected_settings: names of settings that people
    try although this backend lacks them, each with what to do instead.
    """

    duration_s: tuple[float, float]
    duration_step_s: float | None
    aspect_ratios: tuple[str, ...]
    resolutions: tuple[str, ...]
    fps: tuple[float, ...]
    seed: bool
    end_frame: bool = False
    elements: bool = False
    registers_elements: bool = False
    element_usd: float | None = None
    multi_shot: bool = False
    sound: bool = False
    text_to_video: bool = False
    creates_stills: bool = False
    lookup: bool = False
    cancel: bool = False
    simulated: bool = False
    renders_locally: bool = False
    concurrency: int = 1
    poll_every_s: float = 10.0
    slot_wait_s: float = 3600.0
    outage_s: float = 900.0
    job_wait_s: float = 3 * 3600.0
    unlisted_s: float = 300.0
    backoff_s: tuple[float, float] = (1.0, 60.0)
    options: tuple[Option, ...] = ()
    rejected_settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Unsupported:
    """A setting of a shot that a backend cannot fulfil, and the reason.

    blocking: the shot cannot be made at all. Otherwise it is made without this setting.
    """

    setting: str
    value: str
    reason: str
    blocking: bool = False

    def __str__(self) -> str:
        return f"{self.setting} {self.value!r}: {self.reason}"


@dataclass(frozen=True)
class Quote:
    """The expected cost of one take: USD from low to high, seconds of work, bytes on disk.

    basis: where the price comes from and its date, in words; "" if there is no source.
    """

    low_usd: float
    high_usd: float
    seconds: float
    bytes: int
    basis: str = ""


@dataclass(frozen=True)
class Job:
    """The backend's handle for a take, as plain data that another process can use."""

    backend: str
    id: str
    take_id: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(data["backend"], data["id"], data["take_id"], data["data"])


class JobState(StrEnum):
    """The state of a job. `done`: its clip can be fetched."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True)
class JobStatus:
    """A job's state, the backend's message about it, and its cost so far; None if unknown."""

    state: JobState
    message: str = ""
    cost_usd: float | None = None


@dataclass(frozen=True)
class FetchResult:
    """How a fetched clip matches its take.

    honoured: prompt terms and settings that the clip follows. not_honoured: those it does not
    follow, each with the reason. notes: other remarks.
    """

    honoured: tuple[str, ...] = ()
    not_honoured: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "honoured": list(self.honoured),
            "not_honoured": [list(pair) for pair in self.not_honoured],
            "notes": list(self.notes),
        }


Lookup = Job | Literal["absent", "unknown"]
Outcome = Literal["held", "did not hold", "could not be checked"]


@dataclass(frozen=True)
class Setting:
    """The name and location of a setting that has a value. It never contains the value.

    used: no other setting overrides this one.
    """

    name: str
    location: str
    used: bool = True

    def __str__(self) -> str:
        return f"{self.name} ({self.location}{'' if self.used else ', overridden'})"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"name": self.name, "place": self.location, "used": self.used}


@dataclass(frozen=True)
class Secret:
    """A text that must never be shown, and the setting that contains it."""

    setting: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class CheckResult:
    """The result of checking one assumption about a service.

    observed: what the service answered, or why the assumption could not be checked. source and
    read_on: the page that states the assumption, and the date on which it was read.
    """

    name: str
    assumption: str
    outcome: Outcome
    observed: str
    source: str
    read_on: str

    def __str__(self) -> str:
        return f"{self.outcome}: {self.assumption}; {self.observed} [{self.source}, {self.read_on}]"

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return {
            "name": self.name,
            "says": self.assumption,
            "outcome": self.outcome,
            "seen": self.observed,
            "source": self.source,
            "read_on": self.read_on,
        }


@runtime_checkable
class Checkable(Protocol):
    """An optional part of a backend: it checks its service with free requests."""

    def configured_settings(self) -> tuple[Setting, ...]:
        """The settings that have a value, and where each was read."""

    def describe(self) -> Mapping[str, str]:
        """The address, the protocol and what a free request cannot check, by snake_case label.

        Contains no secrets.
        """

    def check(self) -> Iterator[CheckResult]:
        """Check each assumption about the service. Costs nothing."""


class Backend(Protocol):
    """Makes clips, at a remote service or on this machine.

    Methods block. To overlap their waits, call them from threads or processes. They change only
    the remote service and the file that `fetch` writes.

    origin: the address of the service, or the backend's name. A run folder contains takes of one
    origin only, and a purchase from one origin is never reused for another. account: a fingerprint
    of the API key that pays for takes, "" if there is none. A job submitted with one API key may be
    invisible to another.
    """

    name: str
    capabilities: Capabilities
    origin: str
    account: str

    def __init__(self) -> None: ...

    @classmethod
    def secrets(cls) -> tuple[Secret, ...]:
        """Every secret in this backend's settings, even if it is unused or invalid.

        Works without a valid account and contacts no service. Broken or unreadable settings raise
        nothing.
        """

    def quote(self, shot: Shot) -> Quote:
        """The price of one take of a shot. Costs nothing."""

    def limits(self, shot: Shot) -> tuple[Unsupported, ...]:
        """Settings of this shot that `capabilities` allow but the chosen model cannot fulfil.

        Capabilities are the union over all models.
        """

    def prepare(self) -> None:
        """Check that takes can be bought now, for example that an API key is set.

        Raises AccountError.
        """

    def submit(self, take: Take, external_id: str) -> Job:
        """Start a take. This call costs money; the toolkit never repeats it by itself.

        external_id: our own name for the submission. It is unique to take and run folder, and
        the ledger contains it before this call.

        Raises Refusal if the backend refuses the content, and BackendError if it cannot make the
        take. Raises NoSlot, AccountError or ServiceError if it is certain that nothing was
        bought. Raises SubmitUncertain if the request may have arrived.
        """

    def lookup(self, take: Take, external_id: str) -> Lookup:
        """The job that was submitted with this id; "unknown" if the service gives no clear answer.

        "absent" means that the service certainly has no such job.
        """

    def adopt(self, take: Take, job_id: str) -> Job:
        """The job of a take, by the id that a person found at the service."""

    def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        """States by job id. A job of unknown state is missing from the result.

        Raises ServiceError or AccountError if there is no answer at all.
        """

    def pause(self, seconds: float) -> None:
        """Wait that long, or until the service calls back about a job or `close` is called."""

    def fetch(self, job: Job, path: Path) -> FetchResult:
        """Download a done job's clip to `path`, completely or not at all. Repeating it is free.

        Raises FetchError if the download failed and another try may help.
        """

    def close(self) -> None:
        """Close connections. Calls in progress end soon."""


def unsupported(backend: Backend, shot: Shot) -> tuple[Unsupported, ...]:
    """Settings of a shot that a backend cannot fulfil: by its capabilities, then by its limits."""
    capabilities = backend.capabilities
    return (
        *_outside_ranges(capabilities, shot.settings),
        *_invalid_options(capabilities, shot.settings),
        *_missing_features(capabilities, shot),
        *backend.limits(shot),
    )


def _blocking(setting: str, value: object, accepted: str) -> Unsupported:
    return Unsupported(setting, str(value), f"accepted: {accepted}", blocking=True)


def _outside_ranges(capabilities: Capabilities, settings: ShotSettings) -> Iterator[Unsupported]:
    low, high = capabilities.duration_s
    step, duration_s = capabilities.duration_step_s, settings.duration_s
    off_step = step is not None and abs(duration_s / step - round(duration_s / step)) > 1e-6
    if not low <= duration_s <= high or off_step:
        steps = f" in steps of {step:g} s" if step else ""
        yield _blocking("duration_s", f"{duration_s:g}", f"{low:g} to {high:g} s{steps}")
    for setting, value, accepted in (
        ("aspect_ratio", settings.aspect_ratio, capabilities.aspect_ratios),
        ("resolution", settings.resolution, capabilities.resolutions),
    ):
        if value not in accepted:
            yield _blocking(setting, value, ", ".join(accepted))
    if settings.fps not in capabilities.fps:
        accepted_fps = ", ".join(f"{fps:g}" for fps in capabilities.fps)
        yield _blocking("fps", f"{settings.fps:g}", accepted_fps)


def _invalid_options(capabilities: Capabilities, settings: ShotSettings) -> Iterator[Unsupported]:
    options = {option.name: option for option in capabilities.options}
    rejected = dict(capabilities.rejected_settings)
    for name, value in settings.options:
        if name in rejected:
            yield Unsupported(name, str(value), rejected[name], blocking=True)
            continue
        if name not in options:
            reason = f"this backend has no such setting; it has {', '.join(options) or 'none'}"
            yield Unsupported(name, str(value), reason, blocking=True)
            continue
        option = options[name]
        if option.choices and value not in option.choices:
            yield _blocking(name, value, ", ".join(map(str, option.choices)))
        low, high = option.low, option.high
        if low is not None and high is not None and not _in_range(value, low, high):
            yield _blocking(name, value, f"{low:g} to {high:g}")
    if settings.seed is not None and not capabilities.seed:
        yield Unsupported("seed", str(settings.seed), "this backend does not support seeds")


def _missing_features(capabilities: Capabilities, shot: Shot) -> Iterator[Unsupported]:
    segments = shot.prompt.multi_shot
    has_no_still = shot.still is None and shot.makes == "clip"
    for setting, requested, possible, reason in (
        ("still", has_no_still, capabilities.text_to_video, "needs a still"),
        ("end_still", shot.end_still is not None, capabilities.end_frame, "supports no end still"),
        ("elements", bool(shot.elements), capabilities.elements, "supports no elements"),
        ("multi_shot", bool(segments), capabilities.multi_shot, "makes no clips with cuts"),
        ("sound", shot.settings.sound, capabilities.sound, "makes no sound"),
        ("makes", shot.makes == "still", capabilities.creates_stills, "makes only clips"),
    ):
        if requested and not possible:
            value = "none" if setting == "still" else "asked for"
            yield Unsupported(setting, value, f"this backend {reason}", blocking=True)
    duration_s, total_s = shot.settings.duration_s, sum(part.duration_s for part in segments)
    if segments and abs(total_s - duration_s) > 1e-6:
        accepted = f"{duration_s:g} s in all, the value of duration_s"
        yield _blocking("multi_shot", f"{total_s:g} s in all", accepted)


def _in_range(value: OptionValue, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
