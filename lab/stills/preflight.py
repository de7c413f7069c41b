"""Check a still before anything is paid: the still caps the motion."""

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import blur_effect

from lab.findings import Finding
from lab.stills.framing import crop_to_ratio
from lab.stills.still import Still
from lab.units import RATIOS, frame_size
from lab.vision import SubjectMask, subject_mask

MIN_SIDE_PX = 300  # what image-to-video services accept at least
SOFT_BLUR = 0.45  # measured: clean photographs .24 to .40, blurred by 2 px .56 to .68
BUSY_EDGES = 0.06  # measured: calm grounds .00 to .05, a cluttered workshop .07
CUT_CONTACT = 0.05
UPSCALE_NOTE = 1.3
CROP_LOSS_NOTE = 0.3
_ANALYSIS_SIDE_PX = 720


def preflight(
    still: Still, *, aspect_ratio: str | None = None, resolution: str | None = None
) -> tuple[Finding, ...]:
    """Findings about a still, worst first; empty when there is nothing to say.

    `aspect_ratio` and `resolution` are what the clip will be published in; without them the checks
    that need them are left out, and a name that does not exist raises InputError. Subject checks
    say "not checked, because" when the mask's weights cannot be had.
    """
    frame_size(aspect_ratio or "16:9", resolution or "720p")  # refuses names that do not exist
    found = [
        *_size(still, aspect_ratio, resolution),
        *_ratio(still, aspect_ratio),
        *_pixels(still),
        *(
            Finding("changed", "note", f"the file is used {change}", "save it so to be sure")
            for change in still.changes
        ),
    ]
    return tuple(
        sorted(found, key=lambda finding: ("error", "warning", "note").index(finding.severity))
    )


def clutter(rgb: NDArray[np.uint8], mask: SubjectMask) -> float:
    """Share of the ground (outside the subject) that is edge, 0..1: how busy it is."""
    edges = cv2.Canny(cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (0, 0), 1.2), 50, 120)
    ground = mask.alpha < 0.3
    return float((edges[ground] > 0).mean()) if ground.mean() > 0.05 else 0.0


def _size(still: Still, aspect_ratio: str | None, resolution: str | None) -> Iterator[Finding]:
    short = min(still.width_px, still.height_px)
    if short < MIN_SIDE_PX:
        yield Finding(
            "too_small",
            "error",
            f"the shorter side is {short} px and services refuse under {MIN_SIDE_PX} px",
            "take a larger still",
            short,
            MIN_SIDE_PX,
            "px",
        )
    if resolution is None:
        return
    ratio = aspect_ratio or "16:9"
    wanted = frame_size(ratio, resolution)
    crop = crop_to_ratio(still.width_px, still.height_px, RATIOS[ratio])
    scale = wanted[0] / crop.width
    if scale > UPSCALE_NOTE:
        yield Finding(
            "upscaled",
            "warning",
            f"a {resolution} frame needs {scale:.1f}x the pixels a side that the still has",
            "take a larger still or a lower resolution",
            round(scale, 2),
            UPSCALE_NOTE,
            "x",
        )


def _ratio(still: Still, aspect_ratio: str | None) -> Iterator[Finding]:
    if aspect_ratio is None:
        return
    crop = crop_to_ratio(still.width_px, still.height_px, RATIOS[aspect_ratio])
    lost = 1 - crop.width * crop.height / (still.width_px * still.height_px)
    if lost > CROP_LOSS_NOTE:
        yield Finding(
            "cropped",
            "warning",
            f"{aspect_ratio} cuts away {lost:.0%} of the still",
            f"take a still framed for {aspect_ratio}",
            round(lost, 3),
            CROP_LOSS_NOTE,
            "share",
        )


@lru_cache(maxsize=256)
def _pixels(still: Still) -> tuple[Finding, ...]:
    """Checks that look at the pixels; kept, because a plan asks again for every trial."""
    rgb = still.rgb()
    scale = _ANALYSIS_SIDE_PX / min(rgb.shape[:2])
    if scale < 1:
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return tuple([*_sharpness(rgb), *_subject(rgb, subject_mask(rgb))])


def _sharpness(rgb: NDArray[np.uint8]) -> Iterator[Finding]:
    blur = float(blur_effect(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)))
    if blur > SOFT_BLUR:
        yield Finding(
            "soft",
            "warning",
            "the still is soft and soft detail turns to mush in motion",
            "take a sharper still",
            round(blur, 3),
            SOFT_BLUR,
            "blur effect 0..1",
        )


def _subject(rgb: NDArray[np.uint8], mask: SubjectMask) -> Iterator[Finding]:
    if not mask.measured:
        if mask.note == "no dominant subject seen":
            yield Finding(
                "no_subject",
                "warning",
                "no dominant subject is seen",
                "take a still with one clear subject",
            )
        else:
            yield Finding(
                "subject_not_checked",
                "note",
                f"subject and clutter not checked, because {mask.note}",
                "run `lab weights` with a connection",
            )
        return
    solid = mask.alpha > 0.5
    touching = {
        "left": solid[:, 0].mean(),
        "right": solid[:, -1].mean(),
        "top": solid[0].mean(),
        "bottom": solid[-1].mean(),
    }
    # A subject that stands on the bottom edge is a portrait, not an accident.
    cut = {side: share for side, share in touching.items() if share > CUT_CONTACT}
    if set(cut) - {"bottom"}:
        yield Finding(
            "subject_cut",
            "warning",
            f"the subject is cut at the {' and '.join(cut)} edge",
            "take a still with room around the subject",
            round(float(max(cut.values())), 3),
            CUT_CONTACT,
            "share of the edge",
        )
    busy = clutter(rgb, mask)
    if busy > BUSY_EDGES:
        yield Finding(
            "busy",
            "warning",
            "the ground behind the subject is busy and busy grounds get mangled",
            "take a still with a calmer ground",
            round(busy, 3),
            BUSY_EDGES,
            "share of edges",
        )
