"""The built-in backend, which renders clips on this machine's processor at no cost."""

from lab.backends.offline.backend import OfflineBackend

__all__ = ["OfflineBackend"]
