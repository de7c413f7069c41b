"""The backends that make clips, in one table. Each fulfils the contract in `contract`."""

from lab.backends.contract import (
    Backend,
    Capabilities,
    Checkable,
    CheckResult,
    FetchResult,
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
    RegisteredElement,
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
    "CheckResult",
    "Checkable",
    "ElementLibrary",
    "ElementState",
    "FetchResult",
    "Job",
    "JobStatus",
    "Option",
    "Quote",
    "RegisteredElement",
    "Secret",
    "Setting",
    "Unsupported",
    "element_library",
    "open_backend",
    "unsupported",
]


def open_backend(name: str) -> Backend:
    """Open the backend of that name. Raises BackendError for an unknown name."""
    if name not in BACKENDS:
        raise BackendError(f"backend {name!r} does not exist; {did_you_mean(name, BACKENDS)}")
    return BACKENDS[name]()
