"""The numbers that papers report, under their own names, so that results compare with theirs.

They are kept out of the table of metrics: all of them move with what moves in the picture, with its
size and with its frame rate. They need every frame at its native size and so take a pass of their
own, two frames in memory at a time.
"""

import math
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.errors import ClipError, WeightsError
from lab.files import as_path
from lab.media import frames
from lab.media.prefetch import prefetch
from lab.metrics.contract import Measured, MetricSpec, Score
from lab.stills import Still
from lab.vision import backward_warp, flow_both_ways
from lab.vision.dino import Dino, dino

Pixels = NDArray[np.uint8]

_SSIM_WINDOW_PX, _SSIM_SIGMA = 11, 1.5
_SSIM_FLOORS = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
_MIN_FLOW_PX = 16


def _spec(
    name: str,
    direction: Literal["lower", "higher"],
    says: str,
    reference: str,
    *,
    unit: str = "no unit",
    low: float = 0.0,
    high: float = 1.0,
) -> MetricSpec:
    return MetricSpec(
        name=name,
        unit=unit,
        direction=direction,
        says=says,
        ignores="nothing: motion, exposure, size and frame rate all move it",
        reference=reference,
        version=2,
        low=low,
        high=high,
    )


LITERATURE: dict[str, MetricSpec] = {
    spec.name: spec
    for spec in (
        _spec(
            "vbench.temporal_flickering",
            "higher",
            "(255 - mean absolute difference of neighbouring frames) / 255, over every pixel and "
            "channel of every frame; 1 for a frozen clip",
            "VBench (Huang et al., CVPR 2024), temporal_flickering.py; its static filter, which "
            "drops clips that move, is not applied",
        ),
        _spec(
            "lai.warping_error",
            "lower",
            "mean squared difference of a frame and the next one warped onto it, where neither "
            "occluded nor at a motion boundary",
            "Lai et al., ECCV 2018, as coded in evaluate_WarpError.py; the flow is dense inverse "
            "search on the clip itself, not FlowNet2 on an unprocessed one, so errors that the "
            "flow follows are not counted and values do not compare with the paper's own",
            unit="squared RGB, full scale 1",
        ),
        _spec(
            "ssim.temporal",
            "higher",
            "mean SSIM of the luma of neighbouring frames",
            "Wang et al., IEEE TIP 2004: Gaussian window of 11 px with sigma 1.5, K1 0.01, K2 0.03",
            low=-1.0,
        ),
        _spec(
            "vbench.subject_consistency",
            "higher",
            "mean over frames of half the DINO similarity to the frame before and half that to the "
            "first, of the whole frame",
            "VBench (Huang et al., CVPR 2024), subject_consistency.py, per clip; DINO ViT-B/16, "
            "shorter side 224 px, antialiased as torchvision does since 0.17",
        ),
        _spec(
            "vbench.i2v_subject",
            "higher",
            "0.4 of the largest DINO similarity of any frame to the still, 0.3 of the mean and 0.3 "
            "of the least similarity of neighbouring frames",
            "VBench++ (Huang et al., TPAMI 2025), vbench2_beta_i2v/i2v_subject.py; DINO ViT-B/16, "
            "shorter side 256 px, middle 224 px, the still resized like a frame",
        ),
    )
}


def literature(clip: str | Path, still: Still | None) -> Measured:
    """Every published number of a clip; one is NaN with a reason where it cannot be had.

    Raises ClipError for a file that cannot be decoded at all.
    """
    pairs: dict[str, list[float]] = {name: [] for name in _PAIRED}
    subject = _Subject(still)
    before: Pixels | None = None
    count, resized = 0, 0
    with closing(prefetch(frames(as_path(clip, ClipError)))) as decoded:
        for frame in decoded:
            count += 1
            subject.see(frame.rgb)
            if before is not None and before.shape != frame.rgb.shape:
                resized += 1
            elif before is not None:
                for name, (compare, least_px) in _PAIRED.items():
                    if min(before.shape[:2]) >= least_px:
                        pairs[name].append(compare(before, frame.rgb))
            before = frame.rgb
    if count < 2:
        reason = "needs at least 2 frames"
        return Measured(tuple(Score(name, math.nan, reason) for name in LITERATURE))
    scores = subject.scores()
    for name, values in pairs.items():
        reason = "" if values else "the frames are too small, or each is of another size"
        scores[name] = Score(name, sum(values) / len(values) if values else math.nan, reason)
    note = f"{resized} changes of size were left out of the published numbers" if resized else ""
    return Measured(tuple(scores[name] for name in LITERATURE), note=note)


def temporal_flickering(before: Pixels, after: Pixels) -> float:
    """VBench's formula for one pair, over every pixel and channel."""
    difference = float(cv2.norm(before, after, cv2.NORM_L1)) / before.size
    return (255 - difference) / 255


def warping_error(before: Pixels, after: Pixels) -> float:
    """Squared difference of `before` and the warped `after`, meaned over what can be compared.

    0 where nothing can be, as in the authors' code.
    """
    grey = (cv2.cvtColor(side, cv2.COLOR_RGB2GRAY) for side in (before, after))
    flow = flow_both_ways(*grey)
    comparable = ~occluded(flow.forward, flow.backward)
    if not comparable.any():
        return 0.0
    warped = backward_warp(after.astype(np.float32), flow.forward)
    squares = (cv2.subtract(warped, before.astype(np.float32)) / 255) ** 2
    return float(squares[comparable].mean(dtype=np.float64))


def occluded(forward: NDArray[np.float32], backward: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where the earlier picture is hidden in the later one or at a motion boundary, (h, w).

    forward, backward: (h, w, 2) float32 in pixels. The bounds are those of Sundaram, Brox and
    Keutzer, ECCV 2010, and Ruder, Dosovitskiy and Brox, GCPR 2016, on squared lengths.
    """
    returned = backward_warp(backward, forward)
    length = _squared(forward)
    hidden = _squared(forward + returned) > 0.01 * (_squared(returned) + length) + 0.5
    steepness = np.zeros_like(length)
    steepness[:, :-1] += _squared(forward[:, 1:] - forward[:, :-1])
    steepness[:-1] += _squared(forward[1:] - forward[:-1])
    boundary = steepness > 0.01 * length + 0.002
    return hidden | boundary


def _squared(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    squares: NDArray[np.float32] = (flow**2).sum(axis=-1)
    return squares


def ssim(before: Pixels, after: Pixels) -> float:
    """Mean structural similarity of the luma, over windows that lie inside the picture."""
    x, y = (cv2.cvtColor(side, cv2.COLOR_RGB2GRAY).astype(np.float32) for side in (before, after))
    mean_x, mean_y = _windowed(x), _windowed(y)
    common = mean_x * mean_y
    squares = mean_x**2 + mean_y**2
    spread = _windowed(x * x) + _windowed(y * y) - squares
    shared = _windowed(x * y) - common
    first, second = _SSIM_FLOORS
    index = (2 * common + first) * (2 * shared + second) / ((squares + first) * (spread + second))
    margin = _SSIM_WINDOW_PX // 2
    inside = index[margin:-margin, margin:-margin]
    return min(1.0, float(inside.mean(dtype=np.float64)))


def _windowed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    size = (_SSIM_WINDOW_PX, _SSIM_WINDOW_PX)
    blurred: NDArray[np.float32] = cv2.GaussianBlur(values, size, _SSIM_SIGMA)
    return blurred


# What is meaned over pairs of neighbours, and the shortest side that it can be had of.
_PAIRED: dict[str, tuple[Callable[[Pixels, Pixels], float], int]] = {
    "vbench.temporal_flickering": (temporal_flickering, 1),
    "lai.warping_error": (warping_error, _MIN_FLOW_PX),
    "ssim.temporal": (ssim, _SSIM_WINDOW_PX),
}


class _Subject:
    """The numbers that compare DINO's features. Holds one vector of two kinds a frame."""

    def __init__(self, still: Still | None) -> None:
        self._still = still
        self._network: Dino | None = None
        self._reason = ""
        self._whole: list[NDArray[np.float32]] = []
        self._centre: list[NDArray[np.float32]] = []
        try:
            self._network = dino()
        except WeightsError as error:
            self._reason = str(error)

    def see(self, rgb: Pixels) -> None:
        if self._network is None:
            return
        self._whole.append(self._network.whole(rgb))
        if self._still is not None:
            self._centre.append(self._network.centre(rgb))

    def scores(self) -> dict[str, Score]:
        consistency = Score("vbench.subject_consistency", math.nan, self._reason)
        likeness = Score("vbench.i2v_subject", math.nan, self._reason or "no still was given")
        if self._network is not None:
            consistency = Score(consistency.name, subject_consistency(self._whole))
            if self._still is not None:
                still = self._network.centre(self._still.rgb())
                likeness = Score(likeness.name, i2v_subject(still, self._centre))
        return {score.name: score for score in (consistency, likeness)}


def subject_consistency(features: list[NDArray[np.float32]]) -> float:
    """VBench's formula. features: a unit vector a frame, at least two."""
    first = features[0]
    each = [(_alike(a, b) + _alike(first, b)) / 2 for a, b in pairwise(features)]
    return sum(each) / len(each)


def i2v_subject(still: NDArray[np.float32], features: list[NDArray[np.float32]]) -> float:
    """VBench-I2V's formula. still and features: unit vectors, one a frame, at least two."""
    nearest = max(_alike(still, each) for each in features)
    steps = [_alike(a, b) for a, b in pairwise(features)]
    return 0.4 * nearest + 0.3 * sum(steps) / len(steps) + 0.3 * min(steps)


def _alike(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Cosine of two unit vectors, 0..1; what points away counts as 0."""
    return min(1.0, max(0.0, float(a @ b)))
