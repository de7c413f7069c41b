"""Builds small sweeps for the tests of sweeps."""

from pathlib import Path
from typing import Any

import pytest

from lab.errors import SweepError
from lab.sweeps import Sweep

PAN, PUSH = "pan left", "slow push in"


def build_sweep(folder: Path, **fields: Any) -> Sweep:
    """A sweep of a.jpg and one prompt, with other fields on request."""
    return Sweep.of(**{"stills": ["a.jpg"], "prompts": [PAN], "folder": folder, **fields})


def problems_of(folder: Path, **fields: Any) -> tuple[str, ...]:
    """The lines of the SweepError that such a sweep raises."""
    with pytest.raises(SweepError) as caught:
        build_sweep(folder, **fields)
    return caught.value.problems
