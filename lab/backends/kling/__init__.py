"""The backend for Kling, a paid service: account, catalogue, two protocols."""

from lab.backends.kling.account import Account
from lab.backends.kling.backend import KlingBackend
from lab.backends.kling.catalogue import Catalogue, load_catalogue

__all__ = ["Account", "Catalogue", "KlingBackend", "load_catalogue"]
