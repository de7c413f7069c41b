"""Drift: how far the subject has gone from the still."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from lab.calibration.clean_clips import CleanClip
from lab.calibration.defects import drift_colour, identity, onset_gap
from lab.calibration.nuisances import NUISANCES
from lab.metrics import SPECS, ClipScores
from lab.metrics.drift import Drift
from lab.stills import Still

ScoreFrames = Callable[..., ClipScores]
Filmed = Callable[..., CleanClip]
FPS = 12  # drift looks four times a second, so a low rate saves time
HARMLESS = {nuisance.name: nuisance for nuisance in NUISANCES}
UNNOTICED = SPECS["drift"].unnoticed
COLOUR_UNNOTICED = SPECS["drift.colour"].unnoticed


@pytest.fixture(scope="module")
def base(filmed: Filmed) -> CleanClip:
    """3 s of a cup under a slow pan."""
    return filmed("coffee", count=36, fps=FPS, pan=0.03)


@pytest.fixture(scope="module")
def drift(
    score_frames: ScoreFrames, base: CleanClip, still_of: Callable[[CleanClip], Still]
) -> Callable[[list[np.ndarray]], ClipScores]:
    """Score frames against the still that the base began from."""

    def score(shown: list[np.ndarray]) -> ClipScores:
        return score_frames(shown, [Drift()], still=still_of(base), fps=FPS)

    return score


def _hue_gap(base: CleanClip, index: int, shown: list[np.ndarray]) -> float:
    """ΔE*ab between the subject's mean colours with and without a defect."""
    where = base.alphas[index] > 250
    means = [
        cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[where].mean(axis=0)
        for rgb in (shown[index], base.frames[index])
    ]
    return float(np.linalg.norm(means[0] - means[1]))


def test_a_clean_clip_is_near_0(
    drift: Callable[..., ClipScores], base: CleanClip, subject_weights: object
) -> None:
    """A moving camera over the still reads less than half of what could be noticed, everywhere."""
    scores = drift(base.frames)
    for name in ("drift", "drift.colour", "drift.local", "drift.onset", "drift.proper"):
        assert abs(scores.value(name)) < 0.5 * SPECS[name].unnoticed
    for name in ("drift.between", "drift.worst", "drift.slope", "drift.structure"):
        assert abs(scores.value(name)) < SPECS[name].unnoticed
    assert scores.notes == {}
    assert min(score.confidence for score in scores.scores) > 0.8


def test_a_growing_shift_is_drift_proper(drift: Callable[..., ClipScores], base: CleanClip) -> None:
    """Hue that moves with time raises the end in proportion; onset stays behind."""
    read = [drift(drift_colour(base, de, np.random.default_rng(1))) for de in (10, 20)]
    for some in read:
        assert some.value("drift.onset") < 0.3 * some.value("drift.colour")
        proper = some.value("drift.colour") - some.value("drift.onset")
        assert some.value("drift.proper") == pytest.approx(proper)
        assert some.value("drift.slope") > SPECS["drift.slope"].unnoticed
    for name in ("drift.colour", "drift.proper"):
        assert read[1].value(name) == pytest.approx(2 * read[0].value(name), rel=0.25)
    assert read[1].value("drift") > 1.5 * read[0].value("drift") > 2 * UNNOTICED


def test_a_gap_from_the_first_frame_on_is_onset(
    drift: Callable[..., ClipScores], base: CleanClip
) -> None:
    """A subject of another hue throughout raises onset and end alike, and nothing else."""
    read = [drift(onset_gap(base, de, np.random.default_rng(1))) for de in (10, 20)]
    for some in read:
        assert some.value("drift.onset") == pytest.approx(some.value("drift.colour"), rel=0.05)
        assert abs(some.value("drift.proper")) < 0.3
        assert abs(some.value("drift.slope")) < 1
        assert some.value("drift.between") < 0.5
    assert read[1].value("drift.onset") > 1.7 * read[0].value("drift.onset") > 2 * COLOUR_UNNOTICED


def test_distances_are_those_that_were_injected(
    drift: Callable[..., ClipScores], base: CleanClip
) -> None:
    """A shift of hue that CIEDE2000 would call half as large reads between a third and the whole
    of its ΔE*ab, whichever hue it takes.
    """
    for seed in range(2):
        shown = onset_gap(base, 8, np.random.default_rng(seed))
        gap = _hue_gap(base, 20, shown)
        assert gap / 3 < drift(shown).value("drift.colour") < gap


def test_end_and_worst_are_told_apart(drift: Callable[..., ClipScores], base: CleanClip) -> None:
    """A subject that changes for a second and returns has a worst, and no drift at the end."""
    gone = onset_gap(base, 20, np.random.default_rng(1))
    shown = [*base.frames[:14], *gone[14:24], *base.frames[24:]]
    scores = drift(shown)
    assert scores.value("drift") < 0.5 * UNNOTICED
    assert scores.value("drift.worst") > 2 * UNNOTICED
    assert scores.value("drift.between") > SPECS["drift.between"].unnoticed


def test_another_subject_of_the_same_colour_is_drift(
    drift: Callable[..., ClipScores], base: CleanClip
) -> None:
    """A subject that turns into another one drifts in proportion, and loses its texture."""
    read = [drift(identity(base, share, np.random.default_rng(1))) for share in (0.4, 0.8)]
    assert read[1].value("drift") > read[0].value("drift") + 15 > 2 * UNNOTICED
    assert read[1].value("drift") > 60
    for part in ("drift.structure", "drift.identity"):
        assert read[1].value(part) > SPECS[part].unnoticed


def test_a_change_of_a_part_is_drift(drift: Callable[..., ClipScores], base: CleanClip) -> None:
    """Another hue on an eighth of the subject is seen by the worst tenth, not by the median."""
    shown = []
    for rgb, alpha in zip(base.frames, base.alphas, strict=True):
        left, top, width, height = cv2.boundingRect((alpha > 127).astype(np.uint8))
        part = np.s_[
            top + height // 3 : top + 2 * height // 3, left + width // 3 : left + width * 3 // 5
        ]
        changed = rgb.copy()
        changed[part] = np.roll(rgb[part], 1, axis=2)
        shown.append(changed)
    scores = drift(shown)
    assert scores.value("drift.local") > 2 * SPECS["drift.local"].unnoticed
    assert scores.value("drift.colour") < COLOUR_UNNOTICED
    assert scores.value("drift") > 2 * UNNOTICED


@pytest.mark.parametrize(
    "name", ["passing post", "turning subject", "exposure ramp", "fade out", "compressed (CRF 30)"]
)
def test_what_is_no_drift(drift: Callable[..., ClipScores], base: CleanClip, name: str) -> None:
    """Being covered for a while, turning, and light that changes for all stay unnoticed."""
    scores = drift(HARMLESS[name].change(base).frames)
    for part in ("drift", "drift.colour", "drift.onset", "drift.between", "drift.worst"):
        assert scores.value(part) < SPECS[part].unnoticed


@pytest.mark.parametrize("level", [0.0, 255.0], ids=["black", "white"])
def test_a_fade_to_nothing_is_no_drift(
    drift: Callable[..., ClipScores], base: CleanClip, level: float
) -> None:
    """A clip that ends in black or in white is judged by what could still be seen."""
    left = np.clip(np.linspace(2.5, 0, len(base.frames)), 0, 1)
    shown = [
        np.rint(rgb * share + level * (1 - share)).astype(np.uint8)
        for rgb, share in zip(base.frames, left, strict=True)
    ]
    scores = drift(shown)
    assert scores.value("drift.worst") < 1.5 * UNNOTICED
    assert "too dark, too pale or plain" in scores.notes["drift"]


def test_a_cropped_still_is_found(
    score_frames: ScoreFrames, small: np.ndarray, coffee: Still
) -> None:
    """A clip in another ratio is compared with the part of the still that it shows."""
    upright = [small[:, 110:250]] * 8
    assert score_frames(upright, [Drift()], still=coffee, fps=FPS).value("drift") < UNNOTICED


def test_moving_and_growing_is_no_drift(
    score_frames: ScoreFrames, small: np.ndarray, coffee: Still
) -> None:
    """A subject that comes nearer and tilts keeps its colour, and so its score."""
    turned = cv2.getRotationMatrix2D((180, 120), 6, 1.25)
    near = cv2.warpAffine(small, turned, (360, 240), borderMode=cv2.BORDER_REFLECT)
    assert score_frames([near] * 8, [Drift()], still=coffee, fps=FPS).value("drift") < UNNOTICED


def test_without_a_still_the_first_frame_stands_in(
    score_frames: ScoreFrames, base: CleanClip
) -> None:
    """Drift is then counted from the clip's own start, says so, and has no onset."""
    shown = drift_colour(base, 20, np.random.default_rng(1))
    scores = score_frames(shown, [Drift()], fps=FPS)
    assert scores.value("drift") > 2 * UNNOTICED
    assert any(
        "first frame" in note and "no still was given" in note for note in scores.notes.values()
    )
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
    reasons = {score.name: score.reason for score in scores.scores}
    for part in ("drift.proper", "drift.between", "drift.slope"):
        assert math.isnan(scores.value(part))
        assert "only once" in reasons[part]
    assert scores.value("drift") < UNNOTICED


def test_the_last_frame_counts(score_frames: ScoreFrames, small: np.ndarray, coffee: Still) -> None:
    """A clip of less than half a second is judged by its end too, not by its first frame alone."""
    clip = [small] * 2 + [np.roll(small, 1, axis=2)] * 2
    scores = score_frames(clip, [Drift()], still=coffee, fps=FPS)
    assert scores.value("drift.onset") < UNNOTICED
    assert min(scores.value("drift"), scores.value("drift.worst")) > 10


def test_another_subject_from_the_first_frame_on_is_drift(
    score_frames: ScoreFrames, stills: Callable[[str], Still], coffee: Still
) -> None:
    """A clip that never shows the still's subject has drifted all the way: that is no blank."""
    other = cv2.resize(stills("cat").rgb(), (360, 240), interpolation=cv2.INTER_AREA)
    scores = score_frames([other] * 8, [Drift()], still=coffee, fps=FPS)
    assert scores.value("drift") > 80


def test_a_cut_to_another_picture_is_no_number(
    drift: Callable[..., ClipScores], base: CleanClip, texture: np.ndarray
) -> None:
    """After a cut away from the subject nobody could judge it, and the reason says so."""
    other = cv2.resize(texture, base.frames[0].shape[1::-1], interpolation=cv2.INTER_AREA)
    moving = [np.roll(other, 2 * n, axis=1) for n in range(20)]
    for score in drift([*base.frames[:12], *moving]).scores:
        assert math.isnan(score.value)
        assert "cuts to another picture" in score.reason


def test_a_subject_that_leaves_is_judged_by_what_was_seen(
    drift: Callable[..., ClipScores], base: CleanClip
) -> None:
    """The camera pans away: drift is that of the last second in view, and a note says so."""
    width = base.frames[0].shape[1]
    wide = cv2.copyMakeBorder(base.frames[0], 0, 0, 0, 2 * width, cv2.BORDER_REPLICATE)
    gone = [np.ascontiguousarray(wide[:, 14 * n : 14 * n + width]) for n in range(36)]
    scores = drift(gone)
    assert scores.value("drift") < UNNOTICED
    assert "left the frame" in scores.notes["drift"]
