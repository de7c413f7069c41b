"""What the metrics need to know of the still: its pixels, its subject, its keypoints."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.metrics.moment import ANALYSIS_SIDE_PX
from lab.vision import SubjectMask, subject_mask

_MAX_KEYPOINTS = 800
_KEYPOINT_SIDE_PX = 200  # SIFT doubles it; finer places than a pixel are not needed


@dataclass(frozen=True, eq=False)
class Reference:
    """The picture a clip should stay true to, at analysis size.

    rgb: (h, w, 3) uint8; mask: its subject; points (n, 2) float32 and descriptors (n, 128): SIFT
    keypoints (Lowe 2004) of the whole picture. is_still: False when the clip's own first frame
    stands in for a still that was not given.
    """

    rgb: NDArray[np.uint8]
    mask: SubjectMask
    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]
    is_still: bool

    @classmethod
    def of(cls, rgb: NDArray[np.uint8], *, is_still: bool) -> "Reference":
        """Study a picture of any size."""
        scale = ANALYSIS_SIDE_PX / min(rgb.shape[:2])
        small = rgb
        if scale < 1:
            small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        points, descriptors = keypoints(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
        return cls(small, subject_mask(small), points, descriptors, is_still)


def keypoints(
    grey: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """SIFT keypoints of a grey picture: places (n, 2) in pixels and descriptors (n, 128)."""
    scale = min(1.0, _KEYPOINT_SIDE_PX / min(grey.shape))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    search = cv2.SIFT.create(_MAX_KEYPOINTS, contrastThreshold=0.02)
    found, descriptors = search.detectAndCompute(small, None)
    if descriptors is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    places = np.array([point.pt for point in found], np.float32)
    return ((places + 0.5) / scale - 0.5).astype(np.float32), descriptors
