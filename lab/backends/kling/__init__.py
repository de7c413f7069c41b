"""Clips from Kling, a paid service: an account, a catalogue, two protocols and one backend."""

from lab.backends.kling.account import Account
from lab.backends.kling.backend import KlingBackend
from lab.backends.kling.catalogue import Catalogue, catalogue

__all__ = ["Account", "Catalogue", "KlingBackend", "catalogue"]
