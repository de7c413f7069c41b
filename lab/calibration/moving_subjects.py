"""Draws clips of known truth in which the subject of a photograph moves over another ground."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.render import Scene
from lab.vision import grid, subject_mask

Points = Callable[[int], NDArray[np.float32]]
"""For the index of a frame, (h, w, 2) float32: the point (x, y) of the still that each pixel shows
where it shows the subject."""

_HEIGHT = 0.42  # of the subject, in frame heights
_WIDEST = 0.36  # in frame widths, for subjects that are wider than tall
_DETAIL = 1.5  # pixels of the cut-out per pixel of the still, because a subject that comes nearer
# grows by 1.6
_MIN_AREA, _MAX_AREA = 0.02, 0.75  # share of the photograph; the rest is no subject or all subject
_NARROWEST = 0.4  # width by height; a mast or a rocket is too few pixels wide at this height
_SEEN = 0.75  # alpha of a connected subject; at 0.5 it drags fragments of the ground along
# Alpha below the first is dropped, above the second solid: the soft edge of a mask has the colours
# of the old ground, which would be a halo on the new one.
_EDGE = (0.55, 0.9)
_CORNER = 5  # exponent of the superellipse that rounds corners that the photograph cut
_TURN = math.radians(25)
_GROWTH = 1.6
_LEAN = 0.3  # shift of the top in heights of the subject
_SPARE = 0.05  # of the frame width, how much wider a ground is, for the pan
_CORNER_SHARE = 0.65  # of a photograph, that is a ground: a larger part is mostly inpainted subject
_SUBJECT_FREE = 13  # the alpha, of 255, under which a ground's own subject leaves no trace
_PASSER = 1.3  # size of the passer-by in sizes of the subject, so that it hides all of it
_PASSES = (0.08, 0.85)  # when it is outside the frame, before and after, as shares of the clip


@dataclass(frozen=True, eq=False)
class Cutout:
    """A subject without its ground. rgb: (h, w, 3) uint8. alpha: (h, w) uint8.

    Colours continue beyond the edge of the subject. area: its share of the photograph.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    area: float


@dataclass(frozen=True)
class _Pose:
    """Where the subject is. dx, dy: shift in pixels. lean: shift of its top in its heights.

    turn: of its surface around the upright axis, in radians.
    """

    dx: float = 0.0
    dy: float = 0.0
    scale: float = 1.0
    lean: float = 0.0
    turn: float = 0.0


@dataclass(frozen=True)
class _Move:
    """A way in which a subject moves.

    start: x of its centre in the still, in frame widths; None at the left edge. pan: of the camera,
    in frame widths. pose: from the time, 0..1, the width of the frame, its height, and the
    subject's way out at the left edge, all in pixels.
    """

    start: float | None
    pan: float
    pose: Callable[[float, float, float, float], _Pose]


def _walk(t: float, width: float, height: float, _: float) -> _Pose:
    return _Pose(dx=0.58 * width * t, dy=-0.02 * height * math.sin(4 * math.pi * t) ** 2)


def _leave(t: float, width: float, _: float, way_out: float) -> _Pose:
    # In a clip of two seconds it is away before, and back for, the last second.
    shares = (0.0, 0.28, 0.37, 0.49, 1.0)
    shifts = (0.0, -way_out, -way_out, 0.0, 0.1 * width)
    return _Pose(dx=float(np.interp(t, shares, shifts)))


PASSER_BY = "passer-by"
_MOVES: dict[str, _Move] = {
    "walk": _Move(0.2, 0.05, _walk),
    "near": _Move(0.5, 0.0, lambda t, *_: _Pose(scale=_GROWTH**t)),
    "turn": _Move(0.42, 0.04, lambda t, width, *_: _Pose(dx=0.08 * width * t, turn=_TURN * t)),
    "bend": _Move(0.45, 0.03, lambda t, *_: _Pose(lean=_LEAN * t * t * (3 - 2 * t))),
    PASSER_BY: _Move(0.5, 0.0, lambda t, width, *_: _Pose(dx=0.05 * width * t)),
    "exit and return": _Move(None, 0.0, _leave),
}
SUBJECT_MOVES = tuple(_MOVES)


def cut_out(rgb: NDArray[np.uint8]) -> Cutout | None:
    """Cut out the largest connected part of the subject.

    None if no subject is seen, or if it is very narrow or covers nearly nothing or nearly all of
    the photograph.
    """
    mask = subject_mask(rgb)
    if not mask.measured:
        return None
    _, labels, stats, _ = cv2.connectedComponentsWithStats((mask.alpha > _SEEN).astype(np.uint8))
    if len(stats) < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    area = float(stats[largest, cv2.CC_STAT_AREA]) / mask.alpha.size
    if not _MIN_AREA <= area <= _MAX_AREA:
        return None
    left, top, width, height = (int(value) for value in stats[largest, :4])
    if width < _NARROWEST * height:
        return None
    box = np.s_[top : top + height, left : left + width]
    # The soft edge of the subject lies outside its solid part.
    part = cv2.dilate((labels[box] == largest).astype(np.uint8), np.ones((5, 5), np.uint8))
    low, high = _EDGE
    alpha = np.clip((mask.alpha[box] - low) / (high - low), 0, 1) * (part > 0)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    alpha *= np.abs(x) ** _CORNER + np.abs(y) ** _CORNER < 1
    return Cutout(_extended(rgb[box], alpha), (alpha * 255).round().astype(np.uint8), area)


def _extended(rgb: NDArray[np.uint8], alpha: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The colours of the solid inside, continued outwards."""
    solid = cv2.erode((alpha > 0.95).astype(np.uint8), np.ones((3, 3), np.uint8))
    _, nearest = cv2.distanceTransformWithLabels(
        1 - solid, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    inside = solid > 0
    colours[nearest[inside]] = rgb[inside]
    extended: NDArray[np.uint8] = colours[nearest]
    return extended


@dataclass(frozen=True, eq=False)
class _Placed:
    """A cut-out in the still. centre, size: (x, y) in pixels of the still."""

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    centre: tuple[float, float]
    size: tuple[float, float]

    def sampled(
        self, outline: NDArray[np.float32], surface: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Colours at points of the still `surface`, alpha at points `outline`: (h, w, 2) each."""

        def at(points: NDArray[np.float32]) -> NDArray[np.float32]:
            corner = np.subtract(self.centre, np.divide(self.size, 2))
            scale = np.divide(self.alpha.shape[::-1], self.size)
            inside: NDArray[np.float32] = ((points + 0.5 - corner) * scale - 0.5).astype(np.float32)
            return inside

        colours: NDArray[np.uint8] = cv2.remap(
            self.rgb, at(surface), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        alpha: NDArray[np.uint8] = cv2.remap(
            self.alpha, at(outline), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
        return colours, alpha


class MovingSubject:
    """A clip of a subject that moves over a ground.

    move: a name in SUBJECT_MOVES. passer: another subject that passes in front, if there is one.
    ground: (h, w, 3) uint8, a photograph whose own subject is inpainted; a plain wall when None.
    size_px: (width, height). Frame 0 is the still.
    """

    def __init__(
        self,
        move: str,
        subject: Cutout,
        passer: Cutout | None,
        ground: NDArray[np.uint8] | None,
        *,
        size_px: tuple[int, int],
        frames: int,
    ) -> None:
        width, height = size_px
        self._move, self._size_px, self._frames = _MOVES[move], size_px, frames
        box = _box(subject, _HEIGHT * height, _WIDEST * width)
        start = self._move.start
        left_edge = box[0] / 2 + 0.02 * width
        x = left_edge if start is None else start * width
        self._subject = _placed(subject, box, (x, 0.54 * height))
        self._way_out = x + box[0] / 2 + 2
        self._spine = _spine(self._subject)
        self._ground = _wall(*size_px) if ground is None else _fitted(ground, *size_px)
        self._passer: _Placed | None = None
        if passer is not None:
            scale = _PASSER * max(
                box[0] / passer.alpha.shape[1],
                box[1] / passer.alpha.shape[0],
            )
            scale = min(scale, height / passer.alpha.shape[0])
            large = (passer.alpha.shape[1] * scale, passer.alpha.shape[0] * scale)
            self._passer = _placed(passer, large, (0.0, 0.54 * height))

    def draw(self) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
        """All frames, (h, w, 3) uint8 each, and the visible subject's alphas, (h, w) uint8."""
        drawn = [self._draw(index) for index in range(self._frames)]
        return [rgb for rgb, _ in drawn], [alpha for _, alpha in drawn]

    def still_points(self, index: int) -> NDArray[np.float32]:
        """See `Points`."""
        return self._surface(self._outline(index), self._pose(index).turn)

    def _time(self, index: int) -> float:
        return index / max(self._frames - 1, 1)

    def _pose(self, index: int) -> _Pose:
        return self._move.pose(self._time(index), *self._size_px, self._way_out)

    def _draw(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        width, height = self._size_px
        shift = np.array([[1, 0, self._pan_px(index)], [0, 1, 0]])
        rgb = cv2.warpAffine(
            self._ground, shift, (width, height), borderMode=cv2.BORDER_REPLICATE
        ).astype(np.float32)
        outline = self._outline(index)
        colours, alpha = self._subject.sampled(
            outline, self._surface(outline, self._pose(index).turn)
        )
        rgb = _over(rgb, colours, alpha)
        if self._passer is not None:
            before = self._passer_points(index)
            colours, cover = self._passer.sampled(before, before)
            rgb = _over(rgb, colours, cover)
            alpha = cv2.multiply(alpha, 255 - cover, scale=1 / 255)
        return rgb.round().astype(np.uint8), alpha

    def _pan_px(self, index: int) -> float:
        """The shift of the scene on the frame."""
        return -self._move.pan * self._size_px[0] * self._time(index)

    def _outline(self, index: int) -> NDArray[np.float32]:
        """The point of the still at each pixel, if the surface of the subject did not turn."""
        width, height = self._size_px
        pose, centre = self._pose(index), np.array(self._subject.centre, np.float32)
        shift = np.array([pose.dx + self._pan_px(index), pose.dy], np.float32)
        points = (grid(height, width) - centre - shift) / pose.scale + centre
        tall = self._subject.size[1]
        above = np.clip((centre[1] + tall / 2 - points[..., 1]) / tall, 0, 1)
        points[..., 0] -= pose.lean * tall * above**2
        return points.astype(np.float32)

    def _surface(self, outline: NDArray[np.float32], turn: float) -> NDArray[np.float32]:
        """Turn the surface around the upright axis, each row like a slice of a cylinder."""
        if not turn:
            return outline
        rows, middle, half = self._spine
        y = outline[:, 0, 1]
        middles, halves = (np.interp(y, rows, one)[:, None] for one in (middle, half))
        across = (outline[..., 0] - middles) / halves
        angle = np.arcsin(np.clip(across, -1, 1)) - turn
        turned = outline.copy()
        beside = np.abs(across) > 1
        turned[..., 0] = np.where(beside, outline[..., 0], middles + halves * np.sin(angle))
        return turned

    def _passer_points(self, index: int) -> NDArray[np.float32]:
        """The passer-by walks from right to left."""
        width, height = self._size_px
        assert self._passer is not None
        half = self._passer.size[0] / 2 + 2
        x = float(np.interp(self._time(index), _PASSES, (width + half, -half)))
        return grid(height, width) - np.array([x, 0], np.float32)


def _box(subject: Cutout, tallest: float, widest: float) -> tuple[float, float]:
    height, width = subject.alpha.shape
    scale = min(tallest / height, widest / width)
    return width * scale, height * scale


def _placed(subject: Cutout, size: tuple[float, float], centre: tuple[float, float]) -> _Placed:
    detailed = (max(2, round(size[0] * _DETAIL)), max(2, round(size[1] * _DETAIL)))
    shrinking = detailed[1] < subject.alpha.shape[0]
    how = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
    rgb, alpha = (
        cv2.resize(one, detailed, interpolation=how) for one in (subject.rgb, subject.alpha)
    )
    # The outermost pixels are clear, so that the edge is as soft where the photograph cut it.
    alpha[[0, -1]] = 0
    alpha[:, [0, -1]] = 0
    return _Placed(rgb, alpha, centre, size)


def _spine(subject: _Placed) -> tuple[NDArray[np.float64], ...]:
    """Row, middle and half width of the subject in each of its rows, in pixels of the still."""
    solid = subject.alpha > 127
    rows = np.flatnonzero(solid.any(axis=1))
    left = solid.argmax(axis=1)[rows]
    right = solid.shape[1] - solid[:, ::-1].argmax(axis=1)[rows]
    scale = subject.size[1] / solid.shape[0]
    corner = np.subtract(subject.centre, np.divide(subject.size, 2))
    # Smoothed, because a jump between rows would tear the turned surface.
    smooth = [
        cv2.GaussianBlur(edge.astype(np.float64)[:, None], (0, 0), solid.shape[0] / 25)[:, 0]
        for edge in (left, right)
    ]
    middle = corner[0] + (smooth[0] + smooth[1]) / 2 * scale
    half = np.maximum((smooth[1] - smooth[0]) / 2 * scale, 2)
    return corner[1] + rows * scale, middle, half


def _over(
    rgb: NDArray[np.float32], colours: NDArray[np.uint8], alpha: NDArray[np.uint8]
) -> NDArray[np.float32]:
    share = (alpha.astype(np.float32) / 255)[..., None]
    return rgb + share * (colours - rgb)


def _fitted(rgb: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The corner of the photograph with most detail, as high as the frame and a little wider.

    Its subject is inpainted and does not count as detail.
    """
    wide = round(width * (1 + _SPARE)) + 2
    scene = Scene.framed(rgb, subject_mask(rgb), wide, height)
    rows, columns = scene.background.shape[:2]
    across = round(_CORNER_SHARE * min(columns, rows * wide / height))
    down = round(across * height / wide)
    corners = [
        np.s_[top : top + down, left : left + across]
        for top in (rows - down, 0)
        for left in (0, columns - across)
    ]
    grey = cv2.cvtColor(scene.background, cv2.COLOR_RGB2GRAY)
    detail = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    detail *= scene.subject[..., 3] < _SUBJECT_FREE
    richest = max(corners, key=lambda corner: float(detail[corner].mean()))
    fitted: NDArray[np.uint8] = cv2.resize(
        scene.background[richest], (wide, height), interpolation=cv2.INTER_CUBIC
    )
    return fitted


def _wall(width: int, height: int) -> NDArray[np.uint8]:
    """A wall without texture, a little darker towards the floor."""
    colour = np.linspace((188, 184, 176), (150, 147, 141), height)
    wall = np.repeat(colour[:, None], round(width * (1 + _SPARE)) + 2, axis=1)
    return wall.round().astype(np.uint8)
