"""Motion: how much moves, in percent of the diagonal per second, and the camera's path."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from lab.media import Frame
from lab.metrics import ClipScores, Score
from lab.metrics.moment import Moment, moments
from lab.metrics.motion import Motion
from lab.metrics.reference import Reference
from lab.prompts.vocabulary import CameraRates, Pace
from lab.render import Motion as Move
from lab.render import Scene, render
from lab.stills import Still
from lab.vision import SubjectMask, find_keypoints

ScoreFrames = Callable[..., ClipScores]
Pan = Callable[..., list[np.ndarray]]
PERCENT_PER_PX = 100 / math.hypot(320, 240)
COUNT = 13  # four strides of three frames


@pytest.mark.parametrize("fps", [12, 24])
def test_a_pan_measures_its_speed(score_frames: ScoreFrames, panned: Pan, fps: float) -> None:
    """3 px a frame read as 3 px a frame, all of it the camera's, to the right."""
    scores = score_frames(panned(3), [Motion()], fps=fps)
    for name in ("motion", "motion.camera"):
        assert scores.value(name) / fps / PERCENT_PER_PX == pytest.approx(3, rel=0.03)
    assert scores.value("motion.pan") == pytest.approx(100 * 3 * fps / 320, rel=0.03)
    assert scores.value("motion.subject") < 0.1 * scores.value("motion")
    assert scores.value("motion.still") == 0


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("rate", ["pan", "tilt", "roll", "zoom"])
def test_the_cameras_path_is_read_off(
    score_frames: ScoreFrames,
    texture: np.ndarray,
    scene_of: Callable[..., Scene],
    rate: str,
    sign: int,
    stills: Callable[[str], Still],
) -> None:
    """Each way the camera goes reads its own rate and sign, and the others stay near 0."""
    asked, unit = (5.0, 1) if rate == "roll" else (0.05, 100)
    move = Move(CameraRates(**{rate: sign * asked}), Pace(amplitude=1.0, easing="linear"))
    scene = scene_of(texture, texture, radius_px=0)
    drawn = list(render(scene, move, frames=COUNT, fps=24))
    true = unit * getattr(drawn[-1].camera, rate) / (COUNT - 1) * 24
    shown = [frame.rgb for frame in drawn]
    scores = score_frames(shown, [Motion()], still=stills("astronaut"))
    for name in ("pan", "tilt", "roll", "zoom"):
        wanted = pytest.approx(true, rel=0.1) if name == rate else pytest.approx(0, abs=0.5)
        assert scores.value(f"motion.{name}") == wanted


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("rate", "part", "share"),
    [
        ("truck", "parallax_x", -0.6),
        ("crane", "parallax_y", -0.6),
        ("dolly", "approach", 0.6),
        ("pan", "parallax_x", 0.0),
        ("tilt", "parallax_y", 0.0),
        ("zoom", "approach", 0.0),
    ],
)
def test_a_camera_that_travels_is_told_from_one_that_turns(
    texture: np.ndarray,
    photo: np.ndarray,
    scene_of: Callable[..., Scene],
    rate: str,
    part: str,
    share: float,
    sign: int,
) -> None:
    """The subject shifts and grows beyond the ground when the camera moves, not when it turns."""
    move = Move(CameraRates(**{rate: sign * 0.05}), Pace(amplitude=1.0, easing="linear"))
    scene = scene_of(texture, photo[:, ::-1], radius_px=80)
    drawn = list(render(scene, move, frames=COUNT, fps=24))
    done = getattr(drawn[-1].camera, rate) / (COUNT - 1) * 24
    reference = Reference(
        drawn[0].rgb,
        SubjectMask(drawn[0].subject_alpha / np.float32(255), "u2netp"),
        find_keypoints(cv2.cvtColor(drawn[0].rgb, cv2.COLOR_RGB2GRAY)),
        is_still=True,
    )
    tracker = Motion().start(reference)
    for moment in moments(
        (Frame(index=n, time_s=n / 24, rgb=frame.rgb) for n, frame in enumerate(drawn)), reference
    ):
        tracker.see(moment)
    read = {score.name: score.value for score in tracker.result().scores}
    assert read[f"motion.{part}"] == pytest.approx(100 * share * done, rel=0.3, abs=0.9)


def test_a_hand_sways_and_a_tripod_does_not(
    score_frames: ScoreFrames, texture: np.ndarray, scene_of: Callable[..., Scene]
) -> None:
    """Sway is high for a handheld camera, and low for a pan that starts and stops gently."""
    scene = scene_of(texture, texture, radius_px=0)
    smooth = Pace(amplitude=1.0, easing="smooth")
    read = {}
    for name, rates in (("hand", CameraRates(shake=0.008)), ("pan", CameraRates(pan=0.05))):
        drawn = render(scene, Move(rates, smooth), frames=36, fps=24)
        scores = score_frames([frame.rgb for frame in drawn], [Motion()])
        read[name] = scores.value("motion.sway")
    assert read["hand"] > 1
    assert read["pan"] < 0.25 * read["hand"]


def _walk(
    strode: Callable[..., Moment],
    plain: Callable[..., Reference],
    shifts: Sequence[tuple[float, float]],
    subject: tuple[float, float] | None = None,
    *,
    grey: np.ndarray | None = None,
) -> dict[str, Score]:
    """Scores of a ground with these shifts per stride, in px, and a small subject with its own."""
    size = (100, 200)
    alpha = np.zeros(size, np.float32)
    if subject is not None:
        alpha[45:55, 60:70] = 1
    tracker = Motion().start(plain(np.zeros((*size, 3), np.uint8), alpha))
    for index, shift in enumerate(shifts):
        flow = np.full((*size, 2), shift, np.float32)
        if subject is not None:
            flow[alpha > 0] = subject
        moment = strode(flow, alpha)
        assert moment.stride is not None
        textured = moment.stride.grey if grey is None else grey
        tracker.see(
            replace(moment, stride=replace(moment.stride, start_index=3 * index, grey=textured))
        )
    return {score.name: score for score in tracker.result().scores}


def test_shaking_is_sway_and_not_speed(
    strode: Callable[..., Moment], plain: Callable[..., Reference]
) -> None:
    """A camera that goes to and fro has no steady speed, but is unsteady."""
    read = _walk(strode, plain, [(4, 0), (0, 0), (-4, 0), (0, 0)] * 5)
    assert read["motion.camera"].value < 0.1 * read["motion"].value
    assert read["motion.sway"].value > 10


def test_one_bad_stride_is_no_shaking(
    strode: Callable[..., Moment], plain: Callable[..., Reference]
) -> None:
    """A steady pan with a stride whose flow failed stays steady."""
    read = _walk(strode, plain, [(2, 0)] * 9 + [(-20, 15)] + [(2, 0)] * 9)
    assert read["motion.sway"].value < 0.5


@pytest.mark.parametrize(("subject", "still"), [((2.5, 0), 0), ((0.1, 0), 1)])
def test_a_small_subject_that_moves_is_not_still(
    strode: Callable[..., Moment],
    plain: Callable[..., Reference],
    subject: tuple[float, float],
    still: float,
) -> None:
    """A subject of half a percent of the picture hardly changes the mean, but is what counts."""
    read = _walk(strode, plain, [(0, 0)] * 5, subject)
    assert read["motion"].value < 0.5
    assert read["motion.still"].value == still


def test_a_plain_ground_shows_no_camera(
    strode: Callable[..., Moment], plain: Callable[..., Reference]
) -> None:
    """On plain colour flow is a guess: no camera and no subject beyond it, with the reason."""
    noise = np.random.default_rng(0).normal(200, 0.2, (100, 200)).round().astype(np.uint8)
    read = _walk(strode, plain, [(3, 0)] * 6, (0, 0), grey=noise)
    assert math.isfinite(read["motion"].value)
    for name in ("camera", "subject", "pan", "zoom", "sway", "approach"):
        assert math.isnan(read[f"motion.{name}"].value)
        assert "too little texture" in read[f"motion.{name}"].reason


def test_a_short_clip_has_no_sway(score_frames: ScoreFrames, panned: Pan) -> None:
    """Four strides are too few to tell unsteadiness from a course, and the reason says so."""
    scores = score_frames(panned(3), [Motion()])
    assert math.isnan(scores.value("motion.sway"))
    assert "strides" in next(s.reason for s in scores.scores if s.name == "motion.sway")


def test_size_does_not_matter(score_frames: ScoreFrames, panned: Pan) -> None:
    """A copy of half the resolution moves as much."""
    whole = panned(4)
    half = [cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for rgb in whole]
    read = [score_frames(shown, [Motion()]).value("motion") for shown in (whole, half)]
    assert read[1] == pytest.approx(read[0], rel=0.03)


def test_a_frozen_clip_is_still(score_frames: ScoreFrames, small: np.ndarray) -> None:
    """Nothing moves, all of the time."""
    scores = score_frames([small] * 8, [Motion()])
    for score in scores.scores:
        assert score.value == pytest.approx(float(score.name == "motion.still"), abs=0.1)


def test_half_of_a_clip_may_be_still(score_frames: ScoreFrames, panned: Pan) -> None:
    """A clip that moves for a while and creeps for as long is still for half of the time."""
    fast, slow = panned(3, 15), panned(1, 2)
    creeping = [cv2.addWeighted(slow[0], 1 - n / 240, slow[1], n / 240, 0) for n in range(16)]
    scores = score_frames([*fast, *creeping], [Motion()])
    assert scores.value("motion.still") == pytest.approx(0.5, abs=0.08)


def test_what_moves_alone_is_the_subjects(
    strode: Callable[..., Moment], plain: Callable[..., Reference]
) -> None:
    """The camera is fitted to the ground, and the subject's speed counts beyond it, exactly."""
    flow = np.zeros((100, 200, 2), np.float32)
    flow[...] = (2, 0)
    subject = np.zeros((100, 200), np.float32)
    subject[30:70, 60:140] = 1
    flow[30:70, 60:140] = (5, -4)
    tracker = Motion().start(plain(np.zeros((100, 200, 3), np.uint8)))
    tracker.see(strode(flow, subject))
    unit = 100 / math.hypot(100, 200) / 0.125
    read = {score.name: score.value for score in tracker.result().scores}
    assert read["motion.camera"] == pytest.approx(2 * unit, rel=1e-3)
    assert read["motion.subject"] == pytest.approx(5 * unit, rel=1e-3)
    share = subject.mean()
    assert read["motion"] == pytest.approx(
        unit * ((1 - share) * 2 + share * math.hypot(5, 4)), rel=1e-3
    )
    assert read["motion.pan"] == pytest.approx(-100 * 2 / 200 / 0.125, rel=1e-3)


def test_a_long_stride_weighs_more(
    strode: Callable[..., Moment], plain: Callable[..., Reference]
) -> None:
    """The mean speed is over time: of 1 and 3 px in an eighth and in three eighths of a second."""
    tracker = Motion().start(plain(np.zeros((100, 200, 3), np.uint8)))
    first, second = (
        strode(np.full((100, 200, 2), (px, 0), np.float32), seconds=seconds)
        for px, seconds in ((1, 0.125), (3, 0.375))
    )
    tracker.see(first)
    assert second.stride is not None
    tracker.see(replace(second, stride=replace(second.stride, start_index=3)))
    read = {score.name: score.value for score in tracker.result().scores}
    assert read["motion"] == pytest.approx(100 / math.hypot(100, 200) * 4 / 0.5, rel=1e-3)


def test_a_subject_out_of_sight_has_no_speed(
    strode: Callable[..., Moment], plain: Callable[..., Reference]
) -> None:
    """Where no subject is seen its motion is NaN with a reason, and the rest has a value."""
    tracker = Motion().start(plain(np.zeros((100, 200, 3), np.uint8)))
    tracker.see(strode(np.ones((100, 200, 2), np.float32)))
    scores = {score.name: score for score in tracker.result().scores}
    assert math.isnan(scores["motion.subject"].value)
    assert "not in sight" in scores["motion.subject"].reason
    for name in ("parallax_x", "parallax_y", "approach"):
        assert math.isnan(scores[f"motion.{name}"].value)
        assert "beside the ground" in scores[f"motion.{name}"].reason
    for name in ("motion", "motion.camera", "motion.still", "motion.pan", "motion.zoom"):
        assert math.isfinite(scores[name].value)


def test_a_cut_is_no_motion(score_frames: ScoreFrames, small: np.ndarray) -> None:
    """A cut between two held shots does not count."""
    cut = [small] * 5 + [255 - small[:, ::-1]] * 5
    scores = score_frames(cut, [Motion()])
    assert not scores.value("motion") >= 0.5
