"""The tree of errors, which branches on what the caller can do.

    LabError
    ├── InputError              fix the input, then call again
    │   ├── StillError          a still that cannot be used
    │   ├── ClipError           a clip that cannot be read
    │   ├── PromptError         an unknown term or an empty prompt
    │   ├── SweepError          a sweep file with mistakes, each on a line
    │   ├── BackendError        a backend that does not exist or cannot make this shot
    │   └── RunFolderError      a folder without a run, a read-only one, or one with another sweep
    ├── BusyError               wait: another process holds the run folder
    │   └── NoSlot              wait: the account has no free slot; nothing was bought
    ├── MoneyError              decide about money: a plan over budget
    │   └── AccountError        fix the account: key, balance or permission; ends a run
    ├── ServiceError            the service does not answer, or not understandably; try again later
    ├── Refusal                 a result: the backend refuses to make this take; never retried
    ├── SubmitUncertain         the take may have been bought; look it up first
    ├── FetchError              the clip exists but was not downloaded; fetch it again
    ├── WorkerDied              the worker process of this item died twice; give it memory
    └── WeightsError            model weights are not available; a stated fallback is used

Any other exception is a bug in this toolkit. Every message has one line per mistake. The line names
the file, field or take, and says what is accepted.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class LabError(Exception):
    """The base of every error that this toolkit raises on purpose.

    problems: one line per mistake. The message joins them with newlines.
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
    """A folder that holds no run, is read-only, or holds another sweep."""


class BusyError(LabError):
    """Another process holds the run folder or the ledger; wait and try again."""


class MoneyError(LabError):
    """A person must decide about money."""


class NoSlot(BusyError):  # noqa: N818 - a state of the account, not a fault
    """The account has no free slot, or a rate limit was reached. Certainly nothing was bought."""


class AccountError(MoneyError):
    """The service sells nothing to this account until a person fixes it."""


class ServiceError(LabError):
    """The service cannot be reached, or its reply cannot be understood. Nothing is lost."""


class Refusal(LabError):  # noqa: N818 - a refusal is a result of the experiment, not a fault
    """The backend refuses to make this take. It is recorded as a result and never retried."""


class SubmitUncertain(LabError):  # noqa: N818 - a state of knowledge, not a fault
    """A submission may or may not have arrived."""


class FetchError(LabError):
    """A finished clip could not be downloaded. Fetching it again costs nothing."""


class WorkerDied(LabError):  # noqa: N818 - names what happened to the process
    """The worker process of one item died, and again when only that item was running."""


class WeightsError(LabError):
    """Model weights are not available. The message says why; callers name their fallback."""


class Interrupted(KeyboardInterrupt):
    """The work was interrupted. The message says how far it got and how to continue."""


def did_you_mean(word: str, accepted: Iterable[str]) -> str:
    """A hint for an unknown word: the closest accepted one, or the list of all."""
    names = sorted(accepted)
    closest = get_close_matches(word, names, n=1, cutoff=0.6)
    if closest:
        return f"did you mean {closest[0]!r}?"
    return f"accepted: {', '.join(names)}"
