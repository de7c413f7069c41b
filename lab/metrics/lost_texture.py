"""Surface of the subject that flow loses although nothing hides it: redrawn, torn, bent too far.

Only the subject is asked. It is one thing with one motion, which tells what hides it; a ground of
water, grass, smoke or passers-by loses flow in clips in which nobody sees warping.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.metrics.moment import Stride
from lab.units import diagonal_px
from lab.vision import apply_affine, fit_affine, length

# How much of a pixel is subject: at its outline flow is a mixture, so neither side is asked there.
_GROUND, _SUBJECT = 0.3, 0.7
_FOLLOWED = 0.03  # of the diagonal: flow is reliable up to about that (`lab.vision.dense_flow`)


def lost(into: Stride, after: Stride) -> NDArray[np.bool_]:
    """Places of the subject between two strides whose flow fails and nothing explains it, (h, w).

    A place that the subject's own motion takes out of the picture is explained; so is one that it
    takes behind something, as what is seen there then comes from elsewhere and is followed; and so
    is a motion too large for the flow.
    """
    subject, ground = after.subject > _SUBJECT, after.subject < _GROUND
    missing = np.zeros(subject.shape, bool)
    height, width = after.grey.shape
    ways = (
        (after.flow.forward, after.flow.forward_valid, after.flow.backward_valid),
        (into.flow.backward, into.flow.backward_valid, into.flow.forward_valid),
    )
    for flow, followed, followed_there in ways:
        motion = fit_affine(flow, followed & subject)
        if motion is None:
            motion = fit_affine(flow, followed & ground)
        if motion is not None:
            there = apply_affine(motion, height, width)
            slow = length(there) < _FOLLOWED * diagonal_px(width, height)
            missing |= subject & slow & ~followed & ~_moved(followed_there, there)
    return missing


def _moved(mask: NDArray[np.bool_], motion: NDArray[np.float32]) -> NDArray[np.bool_]:
    """A mask of the other frame at the places that a motion leads to; True outside the picture."""
    moved = cv2.remap(
        mask.view(np.uint8),
        motion,
        None,
        cv2.INTER_NEAREST | cv2.WARP_RELATIVE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=1,
    )
    return moved > 0
