"""Scenes that a camera moves through."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lab.calibration.move_scenes import SCENES
from lab.render import CameraPose, Scene

FPS = 24.0
STANDING = [CameraPose()] * 7


@pytest.fixture
def scene(texture: NDArray[np.uint8], scene_of: Callable[..., Scene]) -> Scene:
    """A disc of fine texture before a background of fine texture."""
    return scene_of(texture, texture[:, ::-1].copy(), radius_px=40)


def _shift_px(before: NDArray[np.uint8], after: NDArray[np.uint8], rows: slice) -> float:
    """How far to the right a band of the picture moved."""
    bands = [
        cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[rows].astype(np.float32) for rgb in (before, after)
    ]
    return float(
        cv2.phaseCorrelate(*bands, cv2.createHanningWindow(bands[0].shape[::-1], cv2.CV_32F))[0][0]
    )


def test_a_floor_moves_more_than_its_wall(scene: Scene) -> None:
    """Past a room, what is lower in the picture is nearer and moves faster, the same way."""
    path = [CameraPose(), CameraPose(truck=0.05)]
    (first, _), (last, _) = SCENES["room"](scene, path, FPS)
    height = scene.height_px
    wall = _shift_px(first, last, slice(0, height // 4))
    floor = _shift_px(first, last, slice(7 * height // 8, height))
    assert wall == pytest.approx(-0.05 * 0.4 * scene.width_px, abs=1)
    assert floor < 1.8 * wall


def test_only_the_walker_walks(scene: Scene) -> None:
    """Before a standing camera the subject crosses the picture, and the rest stands."""
    drawn = list(SCENES["walk"](scene, STANDING, FPS))
    places = [np.nonzero(alpha > 127)[1].mean() for _, alpha in drawn]
    assert np.diff(places).min() > 0.2
    outside = np.maximum(drawn[0][1], drawn[-1][1]) == 0
    assert np.abs(drawn[0][0][outside].astype(int) - drawn[-1][0][outside]).max() <= 1


def test_water_flows_below_its_line(scene: Scene) -> None:
    """The lower part moves before a standing camera, the upper part does not."""
    (first, _), *_, (last, _) = SCENES["water"](scene, STANDING, FPS)
    changed = np.abs(first.astype(int) - last).mean(axis=(1, 2))
    half = scene.height_px // 2
    assert changed[: half - 5].max() < 1
    assert changed[half + 30 :].mean() > 5


def test_a_plain_background_has_one_colour(scene: Scene) -> None:
    """Whatever the camera does, only the subject moves."""
    path = [CameraPose(), CameraPose(pan=0.1)]
    for rgb, alpha in SCENES["plain"](scene, path, FPS):
        assert np.ptp(rgb[alpha == 0]) == 0


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_begins_with_its_subject_in_place(scene: Scene, name: str) -> None:
    """Every scene draws frames of the scene's size with the subject where the layers have it."""
    (first, alpha), *others = SCENES[name](scene, STANDING, FPS)
    assert len(others) == len(STANDING) - 1
    assert first.shape == (scene.height_px, scene.width_px, 3)
    left, top = scene.frame_left, scene.frame_top
    own = scene.subject[top : top + scene.height_px, left : left + scene.width_px, 3]
    assert np.abs(alpha.astype(int) - own).max() <= 1
