"""What can go wrong, as one tree that branches on what the caller can do about it.

    LabError
    ├── InputError              fix the input, then call again
    │   ├── StillError          a still that cannot be used
    │   ├── ClipError           a clip that cannot be read
    │   ├── PromptError         an unknown term, an empty prompt
    │   ├── SweepError          a sweep file with mistakes (all of them, one a line)
    │   ├── BackendError        a backend that does not exist or cannot do this shot
    │   └── RunFolderError      a folder that is no run, cannot be written, or holds another sweep
    ├── BusyError               wait: somebody else holds the run folder
    │   └── NoSlot              wait: the account has no free slot; nothing was bought
    ├── MoneyError              decide about money: a plan over budget
    │   └── AccountError        the account must be put right: key, balance, permission; ends a run
    ├── ServiceError            the service cannot be reached or understood; go on later
    ├── Refusal                 a result: the backend will not make this take; never retried
    ├── SubmitUncertain         unknown whether the take was bought; look it up first
    ├── FetchError              the clip exists but could not be brought here; ask for it again
    ├── WorkerDied              the process that worked on this item died, alone too; give it memory
    └── WeightsError            model weights cannot be had; a stated fallback takes over

Anything else that escapes is a bug in this toolkit. Every message is one line a mistake, names the
file, field or take it is about, and says what would be accepted.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class LabError(Exception):
    """Root of every error this toolkit raises on purpose.

    `problems` holds one line per mistake; the message joins them with newlines.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class InputError(LabError):
    """The caller can fix the input."""


class StillError(InputError):
    """A still that cannot be used."""


class ClipError(InputError):
    """A clip that cannot be read."""


class PromptError(InputError):
    """A prompt that cannot be understood."""


class SweepError(InputError):
    """A sweep file with mistakes."""


class BackendError(InputError):
    """A backend that does not exist, is not set up, or cannot make this shot."""


class RunFolderError(InputError):
    """A run folder that is none, cannot be written, or holds another sweep."""


class BusyError(LabError):
    """Somebody else is at work; wait and try again."""


class MoneyError(LabError):
    """A person has to decide about money."""


class NoSlot(BusyError):  # noqa: N818 - a state of the account, not a fault
    """The account has no free slot, or was asked too fast; surely nothing was bought."""


class AccountError(MoneyError):
    """The service will sell nothing to this account until a person puts it right."""


class ServiceError(LabError):
    """The service cannot be reached, or answers what cannot be understood. Nothing is lost."""


class Refusal(LabError):  # noqa: N818 - a refusal is a result of the experiment, not a fault
    """The backend will not make this take. Kept as data, never retried."""


class SubmitUncertain(LabError):  # noqa: N818 - a state of knowledge, not a fault
    """It is unknown whether the submission arrived."""


class FetchError(LabError):
    """The job is done but its clip could not be brought here. Fetching again costs nothing."""


class WorkerDied(LabError):  # noqa: N818 - names what happened to the process
    """The process that worked on one item died again when it worked on that item alone."""


class WeightsError(LabError):
    """Model weights cannot be had. The one line says why; callers fall back and say so."""


class Interrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C; the message says how far it got and how to go on."""


def did_you_mean(wrong: str, accepted: Iterable[str]) -> str:
    """One clause that names the nearest accepted word, or lists what is accepted."""
    names = sorted(accepted)
    near = get_close_matches(wrong, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"accepted: {', '.join(names)}"
