"""Dense optical flow and what can be believed of it."""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.vision.camera import grid
from lab.vision.keypoints import find_keypoints, similarity

Scalar = TypeVar("Scalar", bound=np.generic)

# Dense inverse search works in one stripe a thread and each stripe starts afresh, so its result
# would depend on how many cores a machine has. A score may not.
cv2.setNumThreads(1)

# In a thinner picture the search writes beyond the edge, which ends the process.
_SEARCHED_SIDE_PX = 32

# Below this share of consistent pixels the search may have lost a move too large for it.
_LOST_COVERAGE = 0.6


@dataclass(frozen=True, eq=False)
class FlowPair:
    """Flow between two pictures, both ways, and where each way can be believed.

    forward, backward: (h, w, 2) float32 in pixels, from the earlier and from the later picture.
    forward_valid, backward_valid: (h, w) bool, where going there and coming back agree.
    """

    forward: NDArray[np.float32]
    backward: NDArray[np.float32]
    forward_valid: NDArray[np.bool_]
    backward_valid: NDArray[np.bool_]

    @property
    def coverage(self) -> float:
        """Share of the earlier picture that is found again in the later one, 0..1."""
        return float(self.forward_valid.mean())


def flow_both_ways(
    before: NDArray[np.uint8], after: NDArray[np.uint8], *, far: bool = True
) -> FlowPair:
    """Flow between two grey pictures (h, w) uint8, at least 16 px a side.

    far: a move too large for the search alone (beyond some 3 % of the diagonal) is first undone by
    the similarity that the pictures' keypoints agree on, and added back afterwards.
    """
    found = _checked(dense_flow(before, after), dense_flow(after, before))
    if not far or found.coverage >= _LOST_COVERAGE:
        return found
    matrix = similarity(find_keypoints(before), find_keypoints(after))
    if matrix is None:
        return found
    aligned = _aligned_flow(before, after, matrix)
    return aligned if aligned.coverage > found.coverage else found


def _aligned_flow(
    before: NDArray[np.uint8], after: NDArray[np.uint8], matrix: NDArray[np.float64]
) -> FlowPair:
    """The same, with `after` first brought back by a (2, 3) similarity from before to after."""
    height, width = before.shape
    brought = cv2.warpAffine(
        after,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    place = grid(height, width)
    landed = cv2.transform(cv2.add(place, dense_flow(before, brought)), matrix)
    # From the later picture: back to where it was brought, then on by the flow found there.
    home = cv2.transform(place, cv2.invertAffineTransform(matrix)).astype(np.float32)
    onward = cv2.remap(
        dense_flow(brought, before), home, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return _checked(
        cv2.subtract(landed.astype(np.float32), place), cv2.subtract(cv2.add(home, onward), place)
    )


def _checked(forward: NDArray[np.float32], backward: NDArray[np.float32]) -> FlowPair:
    return FlowPair(forward, backward, consistent(forward, backward), consistent(backward, forward))


def dense_flow(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow from one grey picture to the next by dense inverse search (Kroeger et al., ECCV 2016).

    Both (height, width) uint8, at least 16 px a side. Returns (height, width, 2) float32: the
    pixel (x, y) of `source` is found in `target` at (x, y) + flow[y, x]. Reliable up to about 3 %
    of the diagonal.
    """
    # A new instance each time, at no cost: one that has seen a small picture keeps a finer scale
    # for ever after, and then a score would depend on what was scored before.
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    height, width = source.shape
    if min(height, width) < _SEARCHED_SIDE_PX:
        source, target = (_widened(picture) for picture in (source, target))
    flow: NDArray[np.float32] = search.calc(source, target, None)
    return np.ascontiguousarray(flow[:height, :width])


def _widened(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A thin picture, made large enough for the search by repeating its edges."""
    below, beside = (max(0, _SEARCHED_SIDE_PX - side) for side in picture.shape)
    return cv2.copyMakeBorder(picture, 0, below, 0, beside, cv2.BORDER_REPLICATE)


def enlarged(flow: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """A flow field found on a smaller picture, for the same picture at that size in pixels."""
    scale = (width / flow.shape[1], height / flow.shape[0])
    wide: NDArray[np.float32] = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(wide, (*scale, 1.0, 1.0))


def backward_warp(
    picture: NDArray[Scalar], flow: NDArray[np.float32], interpolation: int = cv2.INTER_LINEAR
) -> NDArray[Scalar]:
    """Bring the next picture back: result[p] = picture[p + flow[p]]; edges are repeated."""
    warped: NDArray[Scalar] = cv2.remap(
        picture,
        flow,
        None,
        interpolation | cv2.WARP_RELATIVE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return warped


def consistent(forward: NDArray[np.float32], backward: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where going there and coming back ends where it began, and stays inside the picture.

    The bound of Sundaram, Brox and Keutzer (ECCV 2010): |F + B(p + F)|² < 0.01(|F|² + |B|²) + 0.5.
    """
    returned = backward_warp(backward, forward)
    gap = _squared_length(cv2.add(forward, returned))
    size = cv2.add(_squared_length(forward), _squared_length(returned))
    height, width = forward.shape[:2]
    where = cv2.add(grid(height, width), forward)
    inside = cv2.inRange(where, (0, 0), (width - 1, height - 1))
    return (gap < 0.01 * size + 0.5) & (inside > 0)


def length(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Length of every flow vector in pixels, (height, width) float32."""
    across, down = cv2.split(flow)
    return cv2.magnitude(across, down)


def masked_mean(values: NDArray[np.float32], valid: NDArray[np.bool_]) -> float:
    """Mean of a (height, width) field over the valid pixels; 0 when there is none."""
    return float(cv2.mean(values, valid.view(np.uint8))[0])


def _squared_length(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    across, down = cv2.split(flow)
    return cv2.add(cv2.multiply(across, across), cv2.multiply(down, down))
