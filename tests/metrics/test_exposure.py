"""Exposure is told in stops against the still, and clipping beyond the still's own."""

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lab.metrics import ClipScores, measure
from lab.metrics.exposure import Exposure
from lab.stills import Still

Pixels = NDArray[np.uint8]


@pytest.fixture
def exposed(
    write_frames: Callable[..., Path], small: Pixels, tmp_path: Path
) -> Callable[[float], ClipScores]:
    """A held photograph whose luma is multiplied, by and by, up to a gain."""
    Image.fromarray(small).save(tmp_path / "still.png")

    def score(gain: float) -> ClipScores:
        gains = np.linspace(1, gain, 16)
        shown = [cv2.convertScaleAbs(small, alpha=float(one)) for one in gains]
        return measure(write_frames(shown), Still.open(tmp_path / "still.png"), (Exposure(),))

    return score


@pytest.mark.parametrize("gain", [0.5, 0.8, 1.0, 1.2])
def test_a_gain_is_told_in_stops(exposed: Callable[[float], ClipScores], gain: float) -> None:
    """Half the luma at the end is one stop darker."""
    assert exposed(gain).value("exposure.change") == pytest.approx(math.log2(gain), abs=0.1)


def test_lights_that_run_into_white_are_clipped(
    exposed: Callable[[float], ClipScores], small: Pixels
) -> None:
    """The share of the picture pushed to white is told; an untouched clip clips nothing."""
    doubled = cv2.cvtColor(cv2.convertScaleAbs(small, alpha=2), cv2.COLOR_RGB2GRAY)
    pushed = float((doubled >= 251).mean())
    assert pushed > 0.05
    assert exposed(2.0).value("exposure.clipped") == pytest.approx(pushed, rel=0.3)
    assert exposed(1.0).value("exposure.clipped") < 0.02
