"""Warp: surfaces that wobble or lose their shape as no rigid thing would."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from lab.calibration.clean_clips import CleanClip
from lab.calibration.defects import jelly, melt, ripple
from lab.calibration.nuisances import NUISANCES
from lab.metrics import SPECS, ClipScores
from lab.metrics.moment import Moment
from lab.metrics.reference import Reference
from lab.metrics.warp import Warp
from lab.stills import Still
from lab.units import diagonal_px
from lab.vision import backward_warp

ScoreFrames = Callable[..., ClipScores]
Filmed = Callable[..., CleanClip]
Stills = Callable[[str], Still]
Pan = Callable[..., list[np.ndarray]]
UNNOTICED = SPECS["warp"].unnoticed
HARMLESS = {nuisance.name: nuisance for nuisance in NUISANCES}


def _swayed(base: CleanClip, permille: float, where: np.ndarray) -> list[np.ndarray]:
    """Places that sway to and fro at 2 Hz, each in its own phase, with that rms; others rest."""
    height, width = base.still.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    reach = permille / 1000 * diagonal_px(width, height)
    shown = []
    for n, rgb in enumerate(base.frames):
        beat = 2 * np.pi * 2 * n / base.fps
        across = np.sin(beat + 2 * np.pi * 2 * x / width)
        down = np.sin(beat + 2 * np.pi * 1.5 * y / height + 1)
        field = np.dstack([across, down]) * reach * where[..., None]
        shown.append(backward_warp(rgb, field.astype(np.float32), cv2.INTER_CUBIC))
    return shown


def test_a_held_frame_does_not_wobble(score_frames: ScoreFrames, small: np.ndarray) -> None:
    """The same picture again and again scores 0, and a note says why."""
    held = score_frames([small] * 10, [Warp()])
    assert {score.value for score in held.scores if score.name != "warp.shape"} == {0.0}
    assert held.value("warp.shape") < 0.1
    assert held.notes["warp"] == "warp is 0 because one picture is held throughout"


def test_a_bent_still_that_is_held_is_bent(
    score_frames: ScoreFrames, filmed: Filmed, stills: Stills
) -> None:
    """A subject that never moves but has not the still's shape says so in its shape."""
    base = filmed("astronaut", shake=0.01)
    bent = melt(base, 20, np.random.default_rng(1))[-1]
    held = score_frames([bent] * 10, [Warp()], still=stills("astronaut"))
    assert held.value("warp") == 0
    assert held.value("warp.shape") > 4


@pytest.mark.parametrize(
    ("name", "injected"),
    [("coffee", 1.0), pytest.param("astronaut", 2.0, marks=pytest.mark.slow), ("coffee", 4.0)],
)
def test_jelly_reads_its_amplitude(
    score_frames: ScoreFrames, filmed: Filmed, stills: Stills, name: str, injected: float
) -> None:
    """Under a pan, a wobble of known rms displacement reads it within a quarter."""
    base = filmed(name, pan=0.06)
    shown = jelly(base, injected, np.random.default_rng(1))[:36]
    scores = score_frames(shown, [Warp()], still=stills(name), crf=4)
    for part in ("warp", "warp.subject", "warp.background"):
        assert scores.value(part) == pytest.approx(injected, rel=0.25)
    assert scores.value("warp.worst") > scores.value("warp")
    assert scores.value("warp.strain") > SPECS["warp.strain"].unnoticed


def test_a_wave_is_seen(score_frames: ScoreFrames, filmed: Filmed) -> None:
    """A ripple that runs across the picture is noticed."""
    shown = ripple(filmed("coffee", pan=0.06), 2, np.random.default_rng(1))[:20]
    assert score_frames(shown, [Warp()]).value("warp") > UNNOTICED


def test_a_wobbling_subject_is_told_from_its_ground(
    score_frames: ScoreFrames, filmed: Filmed, stills: Stills
) -> None:
    """Where only the subject wobbles, its part says so and the ground's part stays low."""
    base = filmed("astronaut")
    inside = cv2.GaussianBlur(base.alphas[0].astype(np.float32) / 255, (0, 0), 4)
    for where, high, low in (
        (inside, "warp.subject", "warp.background"),
        (1 - inside, "warp.background", "warp.subject"),
    ):
        scores = score_frames(_swayed(base, 3, where)[:24], [Warp()], still=stills("astronaut"))
        assert scores.value(high) > 1.5 * scores.value(low)


def test_warp_grows_with_the_wobble_of_the_subject(
    score_frames: ScoreFrames, filmed: Filmed, stills: Stills
) -> None:
    """In a picture that stands, from hardly visible to so strong that flow breaks."""
    base = filmed("astronaut")
    inside = cv2.GaussianBlur(base.alphas[0].astype(np.float32) / 255, (0, 0), 4)
    reads = [
        score_frames(_swayed(base, permille, inside)[:16], [Warp()], still=stills("astronaut"))
        for permille in (0.5, 2, 8, 16)
    ]
    for part in ("warp", "warp.subject"):
        values = [scores.value(part) for scores in reads]
        assert all(after > 1.5 * before for before, after in pairwise(values)), (part, values)


@pytest.mark.parametrize(
    "move",
    [
        {"pan": 0.06},
        {"dolly": 0.08},
        {"pan": -0.05, "truck": 0.09},
        {"shake": 0.01},
        {"roll": 4.0, "crane": 0.05},
    ],
    ids=str,
)
def test_a_clean_camera_move_does_not_wobble(
    score_frames: ScoreFrames, filmed: Filmed, stills: Stills, move: dict[str, float]
) -> None:
    """Pan, push-in with parallax, orbit, handheld and roll stay unnoticed, and nothing folds."""
    scores = score_frames(
        filmed("astronaut", count=20, **move).frames, [Warp()], still=stills("astronaut")
    )
    for part in ("warp", "warp.strain", "warp.folds", "warp.shape"):
        assert scores.value(part) < SPECS[part].unnoticed


def test_a_fast_pan_does_not_wobble(score_frames: ScoreFrames, panned: Pan) -> None:
    """A steady pan of 5 px a frame stays unnoticed."""
    assert score_frames(panned(5), [Warp()]).value("warp") < UNNOTICED


def test_a_jerking_camera_does_not_wobble(score_frames: ScoreFrames, texture: np.ndarray) -> None:
    """A camera that jerks to and fro as one rigid thing stays unnoticed."""
    places = np.random.default_rng(3).integers(-4, 5, (16, 2)) + 40
    shown = [texture[y : y + 240, x : x + 320] for x, y in places]
    assert score_frames(shown, [Warp()]).value("warp") < UNNOTICED


def test_melting_is_told_from_turning(
    score_frames: ScoreFrames, filmed: Filmed, stills: Stills
) -> None:
    """A subject that melts loses its shape in proportion; one that turns by 20 degrees hardly."""
    base = filmed("astronaut", pan=0.03)
    still = stills("astronaut")

    def shape(shown: list[np.ndarray]) -> float:
        return score_frames(shown[::2], [Warp()], still=still, fps=12).value("warp.shape")

    clean, turned = shape(base.frames), shape(HARMLESS["turning subject"].change(base).frames)
    some, much = (shape(melt(base, size, np.random.default_rng(1))) for size in (10, 20))
    assert clean < SPECS["warp.shape"].unnoticed / 3
    assert turned < SPECS["warp.shape"].unnoticed * 2
    assert some > 1.5 * turned
    assert much > 1.5 * some


def test_a_surface_turned_over_is_a_fold(
    strode: Callable[..., Moment], plain: Callable[..., Reference]
) -> None:
    """A strip squeezed to a tenth within a stride counts by its share of the area."""

    def folds(flow: np.ndarray) -> float:
        tracker = Warp().start(plain(np.zeros((100, 200, 3), np.uint8)))
        # One stride shows a fold; a wobble takes two, and without any there is no score at all.
        moment = strode(flow)
        tracker.see(moment)
        tracker.see(replace(moment, stride=replace(strode(flow).stride, before=moment.stride)))
        return {score.name: score.value for score in tracker.result().scores}["warp.folds"]

    flow = np.zeros((100, 200, 2), np.float32)
    assert folds(flow) == 0
    flow[..., 0] = np.clip(np.arange(200) - 60, 0, 40) * -0.9
    assert folds(flow) == pytest.approx(1000 * 40 / 200, rel=0.05)
