"""Camera poses, and their effect on near and far layers."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from lab.prompts import Prompt, vocabulary
from lab.prompts.vocabulary import CameraRates, Pace
from lab.render import CameraPose, Motion, Scene, camera_path, render
from lab.vision import fit_affine

STEADY = Pace(amplitude=1.0, easing="linear")
SIZE = (320, 240)

# How the subject moves in the picture: signs of right, down, magnification, clockwise rotation.
DIRECTIONS = {
    "pan_right": (-1, 0, 0, 0),
    "pan_left": (1, 0, 0, 0),
    "tilt_up": (0, 1, 0, 0),
    "tilt_down": (0, -1, 0, 0),
    "roll_clockwise": (0, 0, 0, -1),
    "roll_counterclockwise": (0, 0, 0, 1),
    "zoom_in": (0, 0, 1, 0),
    "zoom_out": (0, 0, -1, 0),
    "push_in": (0, 0, 1, 0),
    "pull_out": (0, 0, -1, 0),
    "truck_right": (-1, 0, 0, 0),
    "truck_left": (1, 0, 0, 0),
    "crane_up": (0, 1, 0, 0),
    "crane_down": (0, -1, 0, 0),
}


def _affine_motion(flow: np.ndarray) -> tuple[float, ...]:
    """Of a flow: shift right and down at the centre in px, magnification, rotation in radians."""
    affine = fit_affine(flow.astype(np.float32), np.ones(flow.shape[:2], bool))
    assert affine is not None
    height, width = flow.shape[:2]
    right, down = affine @ ((width - 1) / 2, (height - 1) / 2, 1)
    growth = (affine[0, 0] + affine[1, 1]) / 2
    return right, down, growth, (affine[1, 0] - affine[0, 1]) / 2


@pytest.mark.parametrize("name", DIRECTIONS)
def test_the_picture_moves_as_the_term_says(
    name: str, photo: np.ndarray, texture: np.ndarray, scene_of: Callable[..., Scene]
) -> None:
    """Each camera move shifts, magnifies or rotates the picture in the direction of its name."""
    motion = Motion.from_prompt(Prompt.of(name, pace="steady"))
    scene = scene_of(photo, texture, radius_px=0)
    first, _ = render(scene, motion, frames=2, fps=2)
    right, down, growth, turn = _affine_motion(first.flow())
    # All in pixels at the frame's edge, so that they compare.
    motion_px = np.array([right, down, growth * 160, turn * 160])
    for value, sign in zip(motion_px, DIRECTIONS[name], strict=True):
        if sign:
            assert value * sign > 0.5
        else:
            assert abs(value) < 0.1


@pytest.mark.parametrize(
    "term",
    [term for term in vocabulary().values() if term.camera is not None],
    ids=lambda term: term.name,
)
def test_every_clip_begins_at_rest(term: object) -> None:
    """The camera starts at the position of the still, whatever the move."""
    motion = Motion.from_prompt(Prompt.of(term.name))  # type: ignore[attr-defined]
    path = camera_path(motion, frames=24, fps=24, seed=3)
    assert path[0] == CameraPose()
    assert (path[-1] != CameraPose()) == term.moves_camera  # type: ignore[attr-defined]


def test_a_pan_goes_as_far_as_its_rate_says() -> None:
    """A short linear pan of 0.15 widths per second moves every layer left by that much."""
    motion = Motion(CameraRates(pan=0.15), STEADY)
    path = camera_path(motion, frames=6, fps=24, seed=0)
    for inverse_depth in (0.0, 0.4, 1.0):
        steps = [pose.layer_transform(*SIZE, inverse_depth)[0, 2] for pose in path]
        assert np.diff(steps) == pytest.approx([-0.15 * 320 / 24] * 5, rel=0.02)


@pytest.mark.parametrize("rate", [0.5, 5, 500])
def test_no_move_loses_the_subject(rate: float) -> None:
    """The travel of each move is limited, however fast and long the move is."""
    motion = Motion(CameraRates(pan=rate, dolly=rate, zoom=rate, roll=rate), STEADY)
    last = camera_path(motion, frames=240, fps=24, seed=0)[-1]
    assert last.pan <= 0.2
    assert last.dolly <= 0.4
    assert last.zoom <= 0.6
    assert last.roll <= 20


def test_near_things_grow_faster_on_a_dolly_and_alike_on_a_zoom() -> None:
    """A dolly magnifies the subject more than the background; a zoom magnifies both alike."""
    dolly, zoom = CameraPose(dolly=0.2), CameraPose(zoom=0.2)
    near, far = (dolly.layer_transform(*SIZE, inverse_depth)[0, 0] for inverse_depth in (1.0, 0.4))
    assert near == pytest.approx(1 / (1 - 0.2))
    assert far == pytest.approx(1 / (1 - 0.2 * 0.4))
    assert np.array_equal(zoom.layer_transform(*SIZE, 1.0), zoom.layer_transform(*SIZE, 0.4))


def test_near_things_shift_more_on_a_truck_and_alike_on_a_pan() -> None:
    """A truck shifts the subject more than the background; a pan shifts both alike."""
    truck, pan = CameraPose(truck=0.1), CameraPose(pan=0.1)
    assert truck.layer_transform(*SIZE, 1.0)[0, 2] == pytest.approx(-32)
    assert truck.layer_transform(*SIZE, 0.4)[0, 2] == pytest.approx(-12.8)
    assert np.array_equal(pan.layer_transform(*SIZE, 1.0), pan.layer_transform(*SIZE, 0.4))


def test_roll_zoom_and_dolly_keep_the_centre() -> None:
    """They act around the centre of the frame."""
    pose = CameraPose(roll=10, zoom=0.3, dolly=0.2)
    middle = np.array([(320 - 1) / 2, (240 - 1) / 2, 1])
    assert pose.layer_transform(*SIZE, 1.0) @ middle == pytest.approx(middle)


@pytest.mark.parametrize(
    ("easing", "shares"),
    [
        ("linear", (0.25, 0.5, 0.75)),
        ("smooth", (0.156, 0.5, 0.844)),
        ("rush", (0.4375, 0.75, 0.9375)),
    ],
)
def test_easings_have_their_shape(easing: str, shares: tuple[float, ...]) -> None:
    """At a quarter, half and three quarters of the time, each easing has its known progress."""
    motion = Motion(CameraRates(pan=0.04), Pace(amplitude=1, easing=easing))  # type: ignore[arg-type]
    pans = [pose.pan for pose in camera_path(motion, frames=5, fps=24, seed=0)]
    assert [pan / pans[-1] for pan in pans[1:4]] == pytest.approx(shares, abs=1e-3)


def test_a_pace_scales_the_move() -> None:
    """Half the amplitude gives half the travel, for a short move."""
    ends = [
        camera_path(Motion(CameraRates(pan=0.04), pace), frames=13, fps=24, seed=0)[-1].pan
        for pace in (STEADY, Pace(amplitude=0.5, easing="smooth"))
    ]
    assert ends[1] / ends[0] == pytest.approx(0.5, rel=0.01)


def test_handheld_sway_depends_on_the_seed() -> None:
    """Sway is smooth, equal for equal seeds and different for different ones."""
    motion = Motion(CameraRates(shake=0.008))
    paths = [camera_path(motion, frames=48, fps=24, seed=seed) for seed in (1, 1, 2)]
    assert paths[0] == paths[1]
    assert paths[0] != paths[2]
    tilts = np.array([pose.tilt for pose in paths[0]])
    assert np.abs(tilts).max() > 0.001
    assert np.abs(np.diff(tilts)).max() < 0.25 * np.ptp(tilts)


def test_the_seed_does_not_matter_to_a_planned_move() -> None:
    """A dolly is the same for every seed."""
    motion = Motion(CameraRates(dolly=0.05))
    assert camera_path(motion, frames=24, fps=24, seed=1) == camera_path(
        motion, frames=24, fps=24, seed=2
    )


def test_moves_in_a_prompt_add_up() -> None:
    """Two camera moves combine, at the prompt's pace, together with its ambient motion."""
    motion = Motion.from_prompt(
        Prompt.of(["push_in", "pan_left"], ["steam_rises", "smoke_drifts", "smiles"], pace="slow")
    )
    assert (motion.rates.dolly, motion.rates.pan) == (0.05, -0.04)
    assert (motion.pace.amplitude, motion.pace.easing) == (0.5, "smooth")
    assert motion.ambient == ("steam",)


def test_one_frame_is_at_rest() -> None:
    """A clip of one frame is the still."""
    assert camera_path(Motion(CameraRates(pan=1)), frames=1, fps=24, seed=0) == (CameraPose(),)
    assert math.isclose(CameraPose().layer_transform(*SIZE, 1.0)[0, 0], 1)
