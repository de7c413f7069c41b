"""Drift: how far the subject has gone from the still."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from lab.metrics import ClipScores
from lab.metrics.drift import Drift
from lab.render import Defects
from lab.stills import Still
from lab.vision import subject_mask

ScoreFrames = Callable[..., ClipScores]
FPS = 12  # drift looks twice a second, so a low rate saves time


@pytest.fixture(scope="module")
def drifting(
    score_frames: ScoreFrames, small: np.ndarray, coffee: Still
) -> Callable[..., ClipScores]:
    """Score 2 s of the still, its subject's colour moving by that many ΔE until the end."""
    alpha = (subject_mask(small).alpha * 255).round().astype(np.uint8)

    def drift(drift_de: float, *, still: Still | None = coffee) -> ClipScores:
        defects = Defects(drift_de=drift_de)
        shown = [
            defects.applied(small, alpha, index=n, frames=26, fps=FPS, seed=0) for n in range(26)
        ]
        return score_frames(shown, [Drift()], still=still, fps=FPS)

    return drift


def test_an_unchanged_clip_is_near_0(drifting: Callable[..., ClipScores]) -> None:
    """The still held reads less than anybody could see."""
    scores = drifting(0)
    for name in ("drift", "drift.onset", "drift.worst"):
        assert scores.value(name) < 1
    assert abs(scores.value("drift.change")) < 0.2
    assert scores.notes == ()


def test_drift_grows_with_what_was_injected(drifting: Callable[..., ClipScores]) -> None:
    """More colour shift scores more, at the end more than at the start."""
    read = [drifting(de) for de in (0, 6, 12)]
    for name in ("drift", "drift.change", "drift.worst"):
        low, middle, high = (scores.value(name) for scores in read)
        assert low + 1 < middle < high - 1
    assert read[2].value("drift.worst") > read[2].value("drift") > read[2].value("drift.onset")


def test_a_cropped_still_is_found(
    score_frames: ScoreFrames, small: np.ndarray, coffee: Still
) -> None:
    """A clip in another ratio is compared with the part of the still that it shows."""
    upright = [small[:, 110:250]] * 8
    scores = score_frames(upright, [Drift()], still=coffee, fps=FPS)
    assert scores.value("drift") < 1.5


def test_moving_and_growing_is_no_drift(
    score_frames: ScoreFrames, small: np.ndarray, coffee: Still
) -> None:
    """A subject that comes nearer and tilts keeps its colour, and so its score."""
    turned = cv2.getRotationMatrix2D((180, 120), 6, 1.25)
    near = cv2.warpAffine(small, turned, (360, 240), borderMode=cv2.BORDER_REFLECT)
    assert score_frames([near] * 8, [Drift()], still=coffee, fps=FPS).value("drift") < 2


def test_exposure_is_hardly_drift(
    score_frames: ScoreFrames, small: np.ndarray, coffee: Still
) -> None:
    """The whole picture brightening by 20 code values adds less than 1 ΔE."""
    ramp = [cv2.add(small, (20 * n / 17,) * 3) for n in range(18)]
    assert score_frames(ramp, [Drift()], still=coffee, fps=FPS).value("drift") < 1.4


def test_without_a_still_the_first_frame_stands_in(drifting: Callable[..., ClipScores]) -> None:
    """Drift is then counted from the clip's own start, says so, and has no onset."""
    scores = drifting(12, still=None)
    assert scores.value("drift") > 3
    assert any("first frame" in note and "no still was given" in note for note in scores.notes)
    (onset,) = [score for score in scores.scores if score.name == "drift.onset"]
    assert math.isnan(onset.value)
    assert onset.reason == "no still was given"


def test_the_first_frame_is_not_held_against_itself(
    score_frames: ScoreFrames, small: np.ndarray
) -> None:
    """Without a still one frame has no drift; a second one that differs has."""
    for score in score_frames([small], [Drift()], fps=FPS).scores:
        assert math.isnan(score.value)
        assert "first frame" in score.reason
    changed = [small] + [np.roll(small, 1, axis=2)] * 3
    assert score_frames(changed, [Drift()], fps=FPS).value("drift") > 10


def test_a_change_needs_two_looks(
    score_frames: ScoreFrames, small: np.ndarray, coffee: Still
) -> None:
    """Where the subject was seen only once its change is NaN with a reason, not 0."""
    scores = score_frames([small], [Drift()], still=coffee, fps=FPS)
    (change,) = [score for score in scores.scores if score.name == "drift.change"]
    assert math.isnan(change.value)
    assert "only once" in change.reason


def test_the_last_frame_counts(score_frames: ScoreFrames, small: np.ndarray, coffee: Still) -> None:
    """A clip of less than half a second is judged by its end too, not by its first frame alone."""
    clip = [small] * 2 + [np.roll(small, 1, axis=2)] * 2
    assert score_frames(clip, [Drift()], still=coffee, fps=FPS).value("drift.worst") > 10


def test_another_picture_is_no_number(
    score_frames: ScoreFrames, texture: np.ndarray, coffee: Still
) -> None:
    """A clip of something else cannot be compared, and says so."""
    other = cv2.resize(texture, (240, 240), interpolation=cv2.INTER_AREA)
    for score in score_frames([other] * 8, [Drift()], still=coffee, fps=FPS).scores:
        assert math.isnan(score.value)
        assert "could not be found" in score.reason
