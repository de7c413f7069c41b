"""What every backend promises, so that a sweep need not know which one it has.

A backend turns a take into a clip in three separate steps, each of which another process may carry
on: `submit` starts it, `poll` asks how far it is, `fetch` brings the clip. A `Job` is plain data.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol, Self, runtime_checkable

from lab.shots import Option as OptionValue
from lab.shots import Shot
from lab.takes import Take


@dataclass(frozen=True)
class Option:
    """A setting that only this backend knows: its default, its range or choices, what it does."""

    name: str
    default: OptionValue
    says: str
    low: float | None = None
    high: float | None = None
    choices: tuple[OptionValue, ...] = ()


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do, as data.

    duration_s: shortest and longest; duration_step_s: None when any length between is possible.
    text_to_video: it needs no still. creates_stills: it makes one from text. lookup: a take can be
    found again by our own key. simulated: no model is involved. registers_elements: it makes
    elements from pictures (`lab.backends.elements`); element_usd: the price of one, None where
    that is not documented.
    renders_locally: `fetch` computes on this machine, so it is spread over processes.
    concurrency: jobs that may be in flight at once. poll_every_s: pause between two polls.
    slot_wait_s: how long a run waits for a free slot, outage_s for a service that does not answer,
    and job_wait_s for one job, before it leaves the rest to the next run. options: settings of its
    own; untaken: names of settings it does not take though people ask, with what to do instead.
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
    options: tuple[Option, ...] = ()
    untaken: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Unsupported:
    """Something a shot asks for that a backend cannot do.

    blocking: the shot cannot be made at all; otherwise it is made without it.
    """

    setting: str
    value: str
    says: str
    blocking: bool = False

    def __str__(self) -> str:
        return f"{self.setting} {self.value!r}: {self.says}"


@dataclass(frozen=True)
class Quote:
    """What one take is expected to cost: USD between low and high, seconds of work, bytes.

    basis: where the price comes from and of what date, in words; "" where there is none.
    """

    low_usd: float
    high_usd: float
    seconds: float
    bytes: int
    basis: str = ""


@dataclass(frozen=True)
class Job:
    """The backend's handle for a take: plain data, enough for another process to carry on."""

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
    """Where a job is. `done` means that its clip can be fetched."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True)
class JobStatus:
    """A job's state, the backend's own words on it, and what it has cost so far."""

    state: JobState
    message: str = ""
    cost_usd: float | None = None


@dataclass(frozen=True)
class Fetched:
    """What came with a clip: which requests were honoured, which were not and why, and remarks."""

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
    """A setting that was given: its name and place, never its value. used: it is not overruled."""

    name: str
    place: str
    used: bool = True

    def __str__(self) -> str:
        return f"{self.name} ({self.place}{'' if self.used else ', overruled'})"


@dataclass(frozen=True)
class Secret:
    """A text that must never be shown, and the setting that holds it."""

    setting: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class Checked:
    """One assumption about a service, held against its answers.

    seen: what they were, or why nothing can be said. source, read_on: where and when it was read.
    """

    name: str
    says: str
    outcome: Outcome
    seen: str
    source: str
    read_on: str

    def __str__(self) -> str:
        return f"{self.outcome}: {self.says}; {self.seen} [{self.source}, {self.read_on}]"

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return asdict(self)


@runtime_checkable
class Checkable(Protocol):
    """What a backend may have besides: it can examine its service for nothing."""

    def settings_found(self) -> tuple[Setting, ...]:
        """The settings that were given, and where."""

    def about(self) -> Mapping[str, str]:
        """Whom it would speak to and how, and what cannot be checked for nothing, by snake_case
        label; no secrets."""

    def check(self) -> Iterator[Checked]:
        """Hold what is assumed of the service against what it answers. Costs nothing."""


class Backend(Protocol):
    """A maker of clips.

    Methods block; waiting is overlapped by calling them from threads or processes. None of them
    changes anything but the remote side and the file that `fetch` is told to write.

    origin: whose takes these are: a service's address, or the backend's name. Takes of two origins
    never mix in one run folder, nor is one used in place of the other. account: a fingerprint of
    the key that takes are bought with, "" where there is none; a take sent with one key may be
    invisible to another.
    """

    name: str
    capabilities: Capabilities
    origin: str
    account: str

    def __init__(self) -> None: ...

    @classmethod
    def secrets(cls) -> tuple[Secret, ...]:
        """Every secret in this backend's settings: used or not, valid or not.

        Opens no account and asks no service. Broken or unreadable settings raise nothing.
        """

    def quote(self, shot: Shot) -> Quote:
        """The price of one take of a shot, before anything is bought."""

    def limits(self, shot: Shot) -> tuple[Unsupported, ...]:
        """What this shot asks for that this backend cannot or will not do, though its capabilities
        as a whole would allow it."""

    def prepare(self) -> None:
        """Make sure that takes could be bought now: keys are there. Raises AccountError."""

    def submit(self, take: Take, key: str) -> Job:
        """Start a take; this is what costs money. Never called twice for a take by itself.

        key: our own name for it, unique to take and run folder, and written down beforehand.
        Raises Refusal when the backend will not make it and BackendError when it cannot; NoSlot,
        AccountError or ServiceError when surely nothing was bought; SubmitUncertain when it is
        unknown whether the request arrived.
        """

    def lookup(self, take: Take, key: str) -> Lookup:
        """The job of a take submitted earlier, by our key; "unknown" when that cannot be said."""

    def adopt(self, take: Take, job_id: str) -> Job:
        """The job of a take whose id at the service a person has found."""

    def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        """States by job id, asked for in batches; a job may be missing from the answer.

        Raises ServiceError or AccountError when nobody answers.
        """

    def pause(self, seconds: float) -> None:
        """Return after that long, or sooner when there is news of a job or `close` is called."""

    def fetch(self, job: Job, path: Path) -> Fetched:
        """Bring a done job's clip to `path`, whole or not at all. May be repeated at no cost.

        Raises FetchError when that failed and asking again may help.
        """

    def close(self) -> None:
        """Let go of connections; calls under way end soon."""


def unsupported(backend: Backend, shot: Shot) -> tuple[Unsupported, ...]:
    """What a shot asks for that a backend's capabilities rule out, then what it will ignore."""
    can, wants = backend.capabilities, shot.settings
    found: list[Unsupported] = []

    def refuse(setting: str, value: object, accepted: str) -> None:
        found.append(Unsupported(setting, str(value), f"accepted: {accepted}", blocking=True))

    low, high = can.duration_s
    step = can.duration_step_s
    off_step = (
        step is not None and abs(wants.duration_s / step - round(wants.duration_s / step)) > 1e-6
    )
    if not low <= wants.duration_s <= high or off_step:
        every = f" in steps of {step:g} s" if step else ""
        refuse("duration_s", f"{wants.duration_s:g}", f"{low:g} to {high:g} s{every}")
    for setting, value, accepted in (
        ("aspect_ratio", wants.aspect_ratio, can.aspect_ratios),
        ("resolution", wants.resolution, can.resolutions),
    ):
        if value not in accepted:
            refuse(setting, value, ", ".join(accepted))
    if wants.fps not in can.fps:
        refuse("fps", f"{wants.fps:g}", ", ".join(f"{rate:g}" for rate in can.fps))
    known, untaken = {option.name: option for option in can.options}, dict(can.untaken)
    for name, chosen in wants.options:
        if name in untaken:
            found.append(Unsupported(name, str(chosen), untaken[name], blocking=True))
            continue
        if name not in known:
            refuse(
                name, chosen, f"no setting of that name; its own are {', '.join(known) or 'none'}"
            )
            continue
        if known[name].choices and chosen not in known[name].choices:
            refuse(name, chosen, ", ".join(map(str, known[name].choices)))
        least, most = known[name].low, known[name].high
        if least is not None and most is not None and not _within(chosen, least, most):
            refuse(name, chosen, f"{least:g} to {most:g}")
    if wants.seed is not None and not can.seed:
        found.append(Unsupported("seed", str(wants.seed), "this backend takes no seed"))
    segments = shot.prompt.multi_shot
    for setting, asked, possible, offered in (
        ("still", shot.still is None and shot.makes == "clip", can.text_to_video, "a picture"),
        ("end_still", shot.end_still is not None, can.end_frame, "no last frame"),
        ("elements", bool(shot.elements), can.elements, "no elements"),
        ("multi_shot", bool(segments), can.multi_shot, "clips without cuts"),
        ("sound", wants.sound, can.sound, "no sound"),
        ("makes", shot.makes == "still", can.creates_stills, "clips"),
    ):
        if asked and not possible:
            refuse(setting, "none" if setting == "still" else "asked for", offered)
    total = sum(segment.duration_s for segment in segments)
    if segments and abs(total - wants.duration_s) > 1e-6:
        refuse(
            "multi_shot",
            f"{total:g} s in all",
            f"{wants.duration_s:g} s in all, as duration_s says",
        )
    return (*found, *backend.limits(shot))


def _within(value: OptionValue, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
