"""Restore a damaged ledger from its pages and from the files of the run."""

from lab.runs.recovery.losses import LOSSES_FACT, Losses
from lab.runs.recovery.recover import RecoverOutcome, recover
from lab.runs.recovery.take_recovery import snapshots_of_lost_takes

__all__ = ["LOSSES_FACT", "Losses", "RecoverOutcome", "recover", "snapshots_of_lost_takes"]
