"""The embedded backend: animates the still on this machine's processor, for nothing."""

from lab.backends.offline.backend import OfflineBackend

__all__ = ["OfflineBackend"]
