"""Defines the events that can happen during a run and the commands that a run can give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.backends import Job, JobStatus
from lab.backends.contract import Lookup
from lab.errors import LabError, RunFolderError
from lab.runs.ledger import EventKind


@dataclass(frozen=True)
class Started:
    """The run begins."""


@dataclass(frozen=True)
class PauseChanged:
    """Somebody paused or resumed the run."""

    paused: bool


@dataclass(frozen=True)
class InterruptReceived:
    """The run has to end now."""


@dataclass(frozen=True)
class FolderFailed:
    """The run folder cannot be written."""

    error: RunFolderError


@dataclass(frozen=True)
class TimerEnded:
    """The timer has run out, or the backend has news of a job."""


@dataclass(frozen=True)
class StillsChecked:
    """The stills of a planned take are the planned pictures, so the take can be sent."""

    take_id: str


@dataclass(frozen=True)
class StillChanged:
    """A still of a planned take is not the planned picture any more."""

    take_id: str
    error: LabError


@dataclass(frozen=True)
class Submitted:
    """The backend accepted the take."""

    take_id: str
    job: Job


@dataclass(frozen=True)
class SubmitFailed:
    """The submission raised an error. Its class says whether the take may have been bought."""

    take_id: str
    error: Exception


@dataclass(frozen=True)
class LookedUp:
    """The backend answered whether it has the take."""

    take_id: str
    answer: Lookup


@dataclass(frozen=True)
class LookupFailed:
    """The backend did not answer whether it has the take."""

    take_id: str
    error: LabError


@dataclass(frozen=True)
class Polled:
    """The backend answered a poll. statuses: by job id; jobs may be missing."""

    statuses: Mapping[str, JobStatus]


@dataclass(frozen=True)
class PollFailed:
    """The backend did not answer a poll."""

    error: LabError


@dataclass(frozen=True)
class Fetched:
    """A take's file is in the run folder.

    clip: its hash and size, and which terms and settings the backend honoured.
    """

    take_id: str
    clip: Mapping[str, Any]


@dataclass(frozen=True)
class FetchFailed:
    """A take's file could not be fetched."""

    take_id: str
    error: Exception


@dataclass(frozen=True)
class Measured:
    """A take's clip was measured. remark: one line if the clip is damaged, else ""."""

    take_id: str
    remark: str = ""


@dataclass(frozen=True)
class MeasureFailed:
    """A take's clip could not be measured."""

    take_id: str
    error: Exception


RunEvent = (
    Started
    | PauseChanged
    | InterruptReceived
    | FolderFailed
    | TimerEnded
    | StillsChecked
    | StillChanged
    | Submitted
    | SubmitFailed
    | LookedUp
    | LookupFailed
    | Polled
    | PollFailed
    | Fetched
    | FetchFailed
    | Measured
    | MeasureFailed
)


@dataclass(frozen=True)
class Record:
    """Append an event to the ledger. The commands after it wait until it is on disk."""

    take_id: str
    kind: EventKind
    data: Mapping[str, Any]


@dataclass(frozen=True)
class CheckStills:
    """Check that the stills of a take are the planned pictures."""

    take_id: str


@dataclass(frozen=True)
class Submit:
    """Send a take to the backend. This is the only command that costs money."""

    take_id: str


@dataclass(frozen=True)
class LookUp:
    """Ask the backend whether it has a take."""

    take_id: str


@dataclass(frozen=True)
class Poll:
    """Ask the backend for the state of jobs."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Fetch:
    """Download a take's file, or render it locally."""

    take_id: str


@dataclass(frozen=True)
class MeasureClip:
    """Measure the scores of a take's clip that are missing or outdated."""

    take_id: str


@dataclass(frozen=True)
class StartTimer:
    """Wait for some seconds, or until the backend has news of a job."""

    seconds: float


@dataclass(frozen=True)
class AddPurchase:
    """Add a fetched take to the purchase index."""

    take_id: str


@dataclass(frozen=True)
class ShowStatus:
    """Show a line beside the progress bar."""

    text: str


Command = (
    Record
    | CheckStills
    | Submit
    | LookUp
    | Poll
    | Fetch
    | MeasureClip
    | StartTimer
    | AddPurchase
    | ShowStatus
)
