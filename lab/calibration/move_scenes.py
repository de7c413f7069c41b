"""Scenes that a camera moves through, harder than a subject before a flat background.

Each is drawn from the two layers of a photograph under a known camera path: a room in perspective
with a floor and things between, a subject that walks, moving texture such as water, and a plain
background.
"""

from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.render import BACKGROUND_INVERSE_DEPTH, SUBJECT_INVERSE_DEPTH, CameraPose, Scene

Drawn = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""A frame, (h, w, 3) uint8, and the subject's alpha in it, (h, w) uint8."""

_HORIZON = 0.55  # share of the frame's height above which a room has a wall
_NEAREST = 1.2  # inverse depth of the floor at the frame's lower edge
_FLOOR_STRIPS = 24
_BETWEEN = ((0.06, 0.7), (0.78, 0.55))  # left edge and inverse depth of things between
_THING = (0.16, 0.3)  # width and height of a thing, as shares of the frame
_WALK_PER_S = 0.06  # of the frame's width
_BOB_PX, _BOB_HZ = 1.5, 2.0
_WATER_LINE = 0.55
_WATER_PER_S = 0.08  # of the frame's width
_WAVE_PX, _WAVE_LENGTH, _WAVE_HZ = 2.5, 0.12, 0.8


def _room(scene: Scene, path: Sequence[CameraPose], fps: float) -> Iterator[Drawn]:
    """A wall, a floor that comes nearer towards the lower edge, things between, the subject."""
    top = scene.frame_top + round(_HORIZON * scene.height_px)
    floor = np.linspace(top, scene.frame_top + scene.height_px, _FLOOR_STRIPS, endpoint=False)
    depths = np.linspace(BACKGROUND_INVERSE_DEPTH, _NEAREST, _FLOOR_STRIPS)
    things = [_thing(scene, left, depth) for left, depth in _BETWEEN]
    for pose in path:
        rgb = _placed(scene, scene.background, pose, BACKGROUND_INVERSE_DEPTH)
        # Each strip goes on to the lower edge, so that no gap opens before the next, nearer one.
        for row, depth in zip(floor.tolist(), depths.tolist(), strict=True):
            below = np.zeros(scene.background.shape[:2], np.uint8)
            below[round(row) :] = 255
            strip = _placed(scene, np.dstack([scene.background, below]), pose, depth)
            rgb = np.where(strip[..., 3:] > 127, strip[..., :3], rgb)
        for thing, (_, depth) in zip(things, _BETWEEN, strict=True):
            rgb = _over(rgb, _placed(scene, thing, pose, depth))
        subject = _placed(scene, scene.subject, pose, SUBJECT_INVERSE_DEPTH)
        yield _over(rgb, subject), subject[..., 3]


def _walk(scene: Scene, path: Sequence[CameraPose], fps: float) -> Iterator[Drawn]:
    """The subject crosses the picture by itself."""
    for index, pose in enumerate(path):
        time_s = index / fps
        aside = _WALK_PER_S * time_s * scene.width_px
        bob = _BOB_PX * np.sin(2 * np.pi * _BOB_HZ * time_s)
        rgb = _placed(scene, scene.background, pose, BACKGROUND_INVERSE_DEPTH)
        subject = _placed(scene, scene.subject, pose, SUBJECT_INVERSE_DEPTH, (aside, bob))
        yield _over(rgb, subject), subject[..., 3]


def _water(scene: Scene, path: Sequence[CameraPose], fps: float) -> Iterator[Drawn]:
    """The lower part of the background flows to the right and ripples."""
    height, width = scene.background.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    water = y >= scene.frame_top + _WATER_LINE * scene.height_px
    for index, pose in enumerate(path):
        time_s = index / fps
        phase = 2 * np.pi * (x / (_WAVE_LENGTH * scene.width_px) - _WAVE_HZ * time_s)
        flowed = x - np.float32(_WATER_PER_S * time_s * scene.width_px)
        rippled = y + np.float32(_WAVE_PX) * np.sin(phase)
        moving = cv2.remap(
            scene.background,
            np.where(water, flowed, x).astype(np.float32),
            np.where(water, rippled, y).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        rgb = _placed(scene, moving, pose, BACKGROUND_INVERSE_DEPTH)
        subject = _placed(scene, scene.subject, pose, SUBJECT_INVERSE_DEPTH)
        yield _over(rgb, subject), subject[..., 3]


def _plain(scene: Scene, path: Sequence[CameraPose], fps: float) -> Iterator[Drawn]:
    """The subject before one colour, which shows no camera."""
    colour = np.full((scene.height_px, scene.width_px, 3), 235, np.uint8)
    for pose in path:
        subject = _placed(scene, scene.subject, pose, SUBJECT_INVERSE_DEPTH)
        yield _over(colour, subject), subject[..., 3]


SCENES: dict[str, Callable[[Scene, Sequence[CameraPose], float], Iterator[Drawn]]] = {
    "room": _room,
    "walk": _walk,
    "water": _water,
    "plain": _plain,
}
"""How each scene is drawn, from a photograph's layers, a camera path and frames per second."""


def _placed(
    scene: Scene,
    canvas: NDArray[np.uint8],
    pose: CameraPose,
    inverse_depth: float,
    moved_px: tuple[float, float] = (0.0, 0.0),
) -> NDArray[np.uint8]:
    """A layer of the canvas as the camera sees it, (h, w, channels). moved_px: its own shift."""
    shift = np.eye(3)
    shift[:2, 2] = moved_px[0] - scene.frame_left, moved_px[1] - scene.frame_top
    matrix = pose.layer_transform(scene.width_px, scene.height_px, inverse_depth) @ shift
    border = cv2.BORDER_CONSTANT if canvas.shape[2] == 4 else cv2.BORDER_REFLECT_101
    placed: NDArray[np.uint8] = cv2.warpAffine(
        canvas, matrix[:2], (scene.width_px, scene.height_px), borderMode=border
    )
    return placed


def _over(rgb: NDArray[np.uint8], layer: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A layer with premultiplied alpha over a picture."""
    rest = 255 - layer[..., 3:].astype(np.uint16)
    return (layer[..., :3] + (rgb * rest + 127) // 255).astype(np.uint8)


def _thing(scene: Scene, left: float, inverse_depth: float) -> NDArray[np.uint8]:
    """A box that stands on the floor, with a piece of the background on it; RGBA canvas."""
    height, width = scene.background.shape[:2]
    box = round(_THING[0] * scene.width_px), round(_THING[1] * scene.height_px)
    far, near = BACKGROUND_INVERSE_DEPTH, _NEAREST
    foot = _HORIZON + (1 - _HORIZON) * (inverse_depth - far) / (near - far)
    x = scene.frame_left + round(left * scene.width_px)
    y = scene.frame_top + round(foot * scene.height_px) - box[1]
    canvas = np.zeros((height, width, 4), np.uint8)
    piece = np.roll(scene.background, (height // 3, width // 3), axis=(0, 1))
    rows, columns = slice(max(0, y), y + box[1]), slice(max(0, x), x + box[0])
    canvas[rows, columns, :3] = piece[rows, columns]
    canvas[rows, columns, 3] = 255
    return canvas
