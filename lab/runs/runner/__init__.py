"""Make takes: a pure decision about what happens next, and the loop that performs it."""

from lab.runs.runner.runner import Runner
from lab.runs.runner.spend_guard import cap_reason

__all__ = ["Runner", "cap_reason"]
