"""Stills of a set that show nearly the same picture, and would be paid for twice."""

from collections.abc import Sequence
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.findings import Finding
from lab.stills.still import Still

ALIKE_BITS = 10  # of 256: re-saved, resized, brightened copies differ in 0 to 6, strangers in 96 up
_SIDE_PX = 64
_KEPT = 16


def near_duplicates(stills: Sequence[Still]) -> tuple[tuple[Still, Still, Finding], ...]:
    """Pairs that show the same picture: saved again, resized, or a little lighter or darker.

    By a perceptual hash: the signs of the lowest 16x16 cosine coefficients about their median. A
    similar picture of the same subject is no duplicate.
    """
    hashes = [_hash(still.rgb()) for still in stills]
    found = []
    for (one, first), (other, second) in combinations(zip(stills, hashes, strict=True), 2):
        apart = int((first != second).sum())
        if apart <= ALIKE_BITS:
            finding = Finding(
                "near_duplicate",
                "warning",
                f"{one.path} and {other.path} show the same picture",
                "leave one out; each would be paid for",
                apart,
                ALIKE_BITS,
                "bits of 256",
            )
            found.append((one, other, finding))
    return tuple(found)


def _hash(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:_KEPT, :_KEPT].ravel()
    bits: NDArray[np.bool_] = low[1:] > np.median(low[1:])
    return bits
