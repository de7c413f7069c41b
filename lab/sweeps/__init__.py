"""Designs experiments: turns factors into trials, trials into takes, and prices the takes."""

from lab.sweeps.created_still import CreatedStill
from lab.sweeps.document import CreateYaml, PromptYaml, prompt_entry, write_yaml
from lab.sweeps.findings import shot_findings
from lab.sweeps.levels import NO_STILL
from lab.sweeps.plan import Plan, plan
from lab.sweeps.sweep import Sweep, Trial, block_of

__all__ = [
    "NO_STILL",
    "CreateYaml",
    "CreatedStill",
    "Plan",
    "PromptYaml",
    "Sweep",
    "Trial",
    "block_of",
    "plan",
    "prompt_entry",
    "shot_findings",
    "write_yaml",
]
