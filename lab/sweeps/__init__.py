"""The design of an experiment: factors become trials, trials become takes, takes get a price."""

from lab.sweeps.creation import CreatedStill
from lab.sweeps.document import prompt_entry, write_yaml
from lab.sweeps.plan import Plan, plan
from lab.sweeps.remarks import remarks
from lab.sweeps.sweep import NO_STILL, Sweep, Trial, block_of

__all__ = [
    "NO_STILL",
    "CreatedStill",
    "Plan",
    "Sweep",
    "Trial",
    "block_of",
    "plan",
    "prompt_entry",
    "remarks",
    "write_yaml",
]
