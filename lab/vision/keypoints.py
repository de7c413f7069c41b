"""Keypoints, and the similarity that two pictures' keypoints agree on."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_MAX_KEYPOINTS = 800
_SIDE_PX = 160  # SIFT doubles it; finer places than a pixel are not needed
_RATIO_TEST = 0.8
_MIN_MATCHES = 8
_REACH_PX = 3.0


@dataclass(frozen=True, eq=False)
class Keypoints:
    """SIFT keypoints (Lowe, IJCV 2004). places: (n, 2) float32 in pixels; descriptors (n, 128)."""

    places: NDArray[np.float32]
    descriptors: NDArray[np.float32]

    def where(self, chosen: NDArray[np.bool_]) -> "Keypoints":
        """Only some of them."""
        return Keypoints(self.places[chosen], self.descriptors[chosen])

    def on(self, mask: NDArray[np.bool_]) -> "Keypoints":
        """Only those that lie on a (height, width) mask."""
        height, width = mask.shape
        columns, rows = np.clip(self.places.round().astype(int), 0, (width - 1, height - 1)).T
        return self.where(mask[rows, columns])


def find_keypoints(grey: NDArray[np.uint8]) -> Keypoints:
    """Keypoints of a grey picture (height, width) uint8; there may be none."""
    scale = min(1.0, _SIDE_PX / min(grey.shape))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    search = cv2.SIFT.create(_MAX_KEYPOINTS, contrastThreshold=0.02)
    found, descriptors = search.detectAndCompute(small, None)
    if descriptors is None:
        return Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    places = np.array([point.pt for point in found], np.float32)
    return Keypoints(((places + 0.5) / scale - 0.5).astype(np.float32), descriptors)


def similarity(before: Keypoints, after: Keypoints) -> NDArray[np.float64] | None:
    """The (2, 3) similarity from one picture to another that most matches agree on.

    Lowe's ratio test, then RANSAC. None when fewer than eight matches agree.
    """
    if min(len(before.places), len(after.places)) < _MIN_MATCHES:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(before.descriptors, after.descriptors, k=2)
    good = [
        best for best, *rest in pairs if rest and best.distance < _RATIO_TEST * rest[0].distance
    ]
    if len(good) < _MIN_MATCHES:
        return None
    source = before.places[[match.queryIdx for match in good]]
    target = after.places[[match.trainIdx for match in good]]
    matrix, kept = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=_REACH_PX)
    if matrix is None or kept.sum() < _MIN_MATCHES:
        return None
    found: NDArray[np.float64] = matrix
    return found
