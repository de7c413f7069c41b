"""Plain borders around a picture, such as the bars of a letterbox or pillarbox."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TOLERANCE_DN = 8  # an encoder leaves plain bars within 3
_PLAIN_SHARE = 0.99  # of a line: noise and ringing
_LEAST_SHARE = 0.01  # of the side; a thinner line is a seam
_MOST_SHARE = 0.45  # of the side; more is an empty picture
_SOFT_SHARE = 0.02  # of the side, over which the picture may begin
_INSIDE_SHARE = 0.6  # of the contrast to the bar just inside a soft edge
_STRAIGHT_SHARE = 0.5  # of the picture's first line; a subject before plain colour covers less


@dataclass(frozen=True)
class Borders:
    """How much of the frame plain borders take, as shares of its height and width, 0..1."""

    top: float = 0.0
    bottom: float = 0.0
    left: float = 0.0
    right: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.top or self.left)

    def __str__(self) -> str:
        sides = {"top": self.top, "bottom": self.bottom, "left": self.left, "right": self.right}
        return ", ".join(f"{name} {share:.0%}" for name, share in sides.items() if share)

    def inside(self, height: int, width: int) -> tuple[slice, slice]:
        """The rows and columns of a frame of this size within the borders."""
        return (
            slice(round(self.top * height), height - round(self.bottom * height)),
            slice(round(self.left * width), width - round(self.right * width)),
        )


def find_borders(pictures: Sequence[NDArray[np.uint8]]) -> Borders:
    """The plain borders that some frames of a clip, or a single picture, have in common.

    pictures: (h, w, 3) uint8 of one size. A border is a bar of one colour along the whole side,
    the same in all pictures, with a straight inner edge, and with its like on the opposite side.
    Its edge may be soft. Blurred or patterned bars are not found.
    """
    frames = np.stack(pictures)
    top, bottom = _pair(frames)
    left, right = _pair(frames.swapaxes(1, 2))
    return Borders(top, bottom, left, right)


def _pair(frames: NDArray[np.uint8]) -> tuple[float, float]:
    """The shares that the bars above and below take in frames, (n, h, w, 3); (0, 0) for none."""
    above, below = _bar(frames), _bar(frames[:, ::-1])
    colours = [np.median(frames[:, row], axis=(0, 1)) for row in (0, -1)]
    if not (above and below) or np.abs(colours[0] - colours[1]).max() > _TOLERANCE_DN:
        return 0.0, 0.0
    return above, below


def _bar(frames: NDArray[np.uint8]) -> float:
    """The share of the height that a bar along the upper side takes; 0 if there is none."""
    height = frames.shape[1]
    colour = np.median(frames[:, 0], axis=(0, 1))
    outermost = frames[:, : int(height * (_MOST_SHARE + _SOFT_SHARE)) + 1].astype(np.int16)
    apart = np.abs(outermost - colour.astype(np.int16)).max(axis=-1)
    plain = (apart <= _TOLERANCE_DN).mean(axis=(0, 2)) >= _PLAIN_SHARE
    if plain.all():
        return 0.0
    begins = int(np.argmin(plain))
    if not _LEAST_SHARE * height <= begins <= _MOST_SHARE * height:
        return 0.0
    edge = apart[:, begins : begins + max(3, round(_SOFT_SHARE * height))]
    # A part of the picture may have the bar's colour in one frame and not in another.
    covered = (edge > _TOLERANCE_DN).any(axis=0).mean(axis=1) >= _STRAIGHT_SHARE
    strength = edge.mean(axis=(0, 2))
    inside = covered & (strength >= _INSIDE_SHARE * strength.max())
    if not inside.any():
        return 0.0
    return (begins + int(np.argmax(inside))) / height
