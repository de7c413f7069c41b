"""What is seen in a still: measured once, kept, and asked by every check."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.stills.framing import extent
from lab.stills.quality import blocking, clipping, detail_beyond, noise, sharpness, window
from lab.stills.still import Still
from lab.vision import SubjectMask, subject_mask

_ANALYSIS_SIDE_PX = 720
_KEPT_SIDE_PX = 240
_LEAST_PART = 0.05  # of the subject: smaller crumbs of a mask are noise
_NO_SUBJECT = "no dominant subject seen"
_ENLARGED_SCALE = 1.5
CUT_CONTACT = 0.05  # of an edge
_STUDIO = 0.75  # of the ground in one plain black or white


@dataclass(frozen=True)
class Box:
    """Room beside the subject, as shares of the picture's width (left, right) and height."""

    left: float
    right: float
    above: float
    below: float


@dataclass(frozen=True, eq=False)
class Subject:
    """Where the subject is. alpha: (h, w) uint8, small. area: its share of the picture.

    parts: areas of its separate parts as shares of the largest, largest first. touching: by edge,
    the share of it that the subject touches, where that is no portrait's. clutter: share of the
    ground that is edges.
    """

    alpha: NDArray[np.uint8]
    area: float
    box: Box
    parts: tuple[float, ...]
    touching: dict[str, float]
    clutter: float


@dataclass(frozen=True, eq=False)
class Look:
    """The facts about a still's pixels.

    fine: share of the finest detail lost on reducing 1.5 times, at its own size; sharp: on
    reducing 3 times, at 720 px at most. noise_dn in code values; blocking a ratio; black, white:
    shares of what black_in and white_in name, "picture" or "subject". subject: None when there is
    none, and then unseen says why: nothing stands out, or it was not looked for.
    """

    fine: float
    sharp: float
    noise_dn: float
    blocking: float
    black: float
    black_in: str
    white: float
    white_in: str
    subject: Subject | None
    unseen: str = ""

    @property
    def looked(self) -> bool:
        """False when the mask's weights could not be had, so nothing is known of a subject."""
        return self.subject is not None or self.unseen == _NO_SUBJECT


@lru_cache(maxsize=256)
def look(still: Still) -> Look:
    """Look at a still's pixels; kept, because a plan asks again for every trial."""
    rgb = still.rgb()
    own = window(rgb)
    scale = _ANALYSIS_SIDE_PX / min(rgb.shape[:2])
    if scale < 1:
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    mask = subject_mask(rgb)
    solid = mask.alpha > 0.5 if mask.measured else np.zeros(rgb.shape[:2], bool)
    (black, black_in), (white, white_in) = _clipped(rgb, solid)
    return Look(
        fine=detail_beyond(own, _ENLARGED_SCALE),
        sharp=sharpness(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)),
        noise_dn=noise(own),
        blocking=blocking(own),
        black=black,
        black_in=black_in,
        white=white,
        white_in=white_in,
        subject=_subject(rgb, mask) if mask.measured else None,
        unseen="" if mask.measured else mask.note,
    )


def _clipped(rgb: NDArray[np.uint8], solid: NDArray[np.bool_]) -> Iterator[tuple[float, str]]:
    """Shares of plain black and of plain white, and of what: the picture or its subject, whichever
    has more of it; the subject alone before a studio's black or white ground, which is no mistake.
    """
    if not solid.any() or solid.all():
        yield from ((share, "picture") for share in clipping(rgb, np.ones_like(solid)))
        return
    own, ground = clipping(rgb, solid), clipping(rgb, ~solid)
    area = float(solid.mean())
    for inside, around in zip(own, ground, strict=True):
        every = area * inside + (1 - area) * around
        plain = around > _STUDIO
        yield (inside, "subject") if plain or inside > every else (every, "picture")


def _subject(rgb: NDArray[np.uint8], mask: SubjectMask) -> Subject:
    solid = (mask.alpha > 0.5).astype(np.uint8)
    height, width = solid.shape
    _, labels, facts, _ = cv2.connectedComponentsWithStats(solid)
    sizes = facts[1:, cv2.CC_STAT_AREA] / max(1, int(solid.sum()))
    least = min(_LEAST_PART, float(sizes.max()))
    kept = [number for number, size in enumerate(sizes, start=1) if size >= least]
    whole = np.isin(labels, kept)
    held = extent(whole.astype(np.float32))
    assert held is not None
    columns, rows = held
    box = Box(
        left=columns[0] / width,
        right=1 - columns[1] / width,
        above=rows[0] / height,
        below=1 - rows[1] / height,
    )
    parts = sorted((float(sizes[number - 1]) for number in kept), reverse=True)
    shrink = min(1.0, _KEPT_SIDE_PX / min(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return Subject(
        alpha=(cv2.resize(mask.alpha, size, interpolation=cv2.INTER_AREA) * 255).astype(np.uint8),
        area=mask.area,
        box=box,
        parts=tuple(part / parts[0] for part in parts),
        touching=_touching(whole),
        clutter=clutter(rgb, mask),
    )


def _touching(solid: NDArray[np.bool_]) -> dict[str, float]:
    """By edge, the share of it that the subject touches.

    One that stands on the bottom edge, its shoulders leaving low at the sides, is a portrait: then
    the bottom does not count, and of the sides only their upper half.
    """
    stands = float(solid[-1].mean())
    upper = slice(0, solid.shape[0] // 2) if stands > 0 else slice(None)
    return {
        "left": float(solid[upper, 0].mean()),
        "right": float(solid[upper, -1].mean()),
        "top": float(solid[0].mean()),
    }


def clutter(rgb: NDArray[np.uint8], mask: SubjectMask) -> float:
    """Share of the ground (outside the subject) that is edge, 0..1: how busy it is."""
    edges = cv2.Canny(cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (0, 0), 1.2), 50, 120)
    ground = mask.alpha < 0.3
    return float((edges[ground] > 0).mean()) if ground.mean() > 0.05 else 0.0
