"""Who makes clips. Every backend keeps the one contract in `contract` and joins one table here."""

from lab.backends.contract import (
    Backend,
    Capabilities,
    Checkable,
    Checked,
    Fetched,
    Job,
    JobStatus,
    Option,
    Quote,
    Secret,
    Setting,
    Unsupported,
    unsupported,
)
from lab.backends.elements import (
    ElementLibrary,
    ElementState,
    Registered,
    element_library,
)
from lab.backends.kling import KlingBackend
from lab.backends.offline import OfflineBackend
from lab.errors import BackendError, did_you_mean

BACKENDS: dict[str, type[Backend]] = {
    "kling": KlingBackend,
    "offline": OfflineBackend,
}

__all__ = [
    "BACKENDS",
    "Backend",
    "Capabilities",
    "Checkable",
    "Checked",
    "ElementLibrary",
    "ElementState",
    "Fetched",
    "Job",
    "JobStatus",
    "Option",
    "Quote",
    "Registered",
    "Secret",
    "Setting",
    "Unsupported",
    "element_library",
    "open_backend",
    "unsupported",
]


def open_backend(name: str) -> Backend:
    """A backend ready for use. Raises BackendError for an unknown name."""
    if name not in BACKENDS:
        raise BackendError(f"backend {name!r} does not exist; {did_you_mean(name, BACKENDS)}")
    return BACKENDS[name]()
