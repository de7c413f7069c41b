"""Bring a still into the ratio it will be published in, before anything is paid."""

from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.errors import InputError, StillError, did_you_mean
from lab.media import write_image
from lab.stills.framing import Crop, framing
from lab.stills.needs import Needs
from lab.stills.still import Still
from lab.units import RATIOS, frame_size
from lab.vision import SubjectMask, subject_mask

Mode = Literal["crop", "extend"]
_FILL_SIDE_PX = 200
_SEAM = 0.06  # of the shorter side: how far the mirrored edge stays sharp
_LARGEST_PX = 16_000


def fit(
    still: Still,
    ratio: str,
    *,
    mode: Mode = "crop",
    resolution: str | None = None,
    upsample: bool = False,
    needs: Needs | None = None,
    path: str | Path | None = None,
) -> Still:
    """A new still of that ratio, with its history; the old one stays as it is.

    mode "crop" cuts to the ratio around the subject, whole if it fits; "extend" keeps every pixel
    and continues the ground beyond the edges that are too near, which makes pixels up and says so.
    resolution: the tier to reduce to; a smaller still is only enlarged to it with `upsample`, and
    the history says so. needs: where the motion wants room (see `Prompt.needs`); an extension goes
    there first. path: a .png file; beside the still as NAME_9x16.png when None. The same call
    writes the same bytes. Raises InputError for names that do not exist or another file in the way,
    StillError for a still that does not open or would get too large.
    """
    if mode not in get_args(Mode):
        raise InputError(f"mode {mode!r}: accepted: {', '.join(get_args(Mode))}")
    if ratio not in RATIOS:
        raise InputError(f"ratio {ratio!r}: {did_you_mean(ratio, list(RATIOS))}")
    target = _target(still, ratio, path)
    wanted = None if resolution is None else frame_size(ratio, resolution)
    rgb = still.rgb()
    mask = subject_mask(rgb)
    origin = f"from {still.path.name} (sha256 {still.sha256[:12]}), {_size(rgb)} px"
    if mode == "crop":
        rgb, done = _cropped(rgb, mask, RATIOS[ratio], needs or Needs())
    else:
        rgb, done = _extended(rgb, mask, RATIOS[ratio], needs or Needs())
    steps = [*still.history, f"{origin}: {done}"]
    if wanted is not None and wanted != rgb.shape[1::-1]:
        larger = wanted[0] > rgb.shape[1]
        if upsample or not larger:
            way = cv2.INTER_CUBIC if larger else cv2.INTER_AREA
            before = _size(rgb)
            rgb = cv2.resize(rgb, wanted, interpolation=way)
            verb = "enlarged, no detail gained," if larger else "reduced"
            steps.append(f"{verb} from {before} to {_size(rgb)} px")
    if not mask.measured:
        steps.append(f"the subject is assumed in the middle: {mask.note}")
    write_image(target, rgb, history=[" ".join(step.split())[:300] for step in steps])
    return Still.open(target)


def _target(still: Still, ratio: str, path: str | Path | None) -> Path:
    """Where the new still goes; refuses to write over anything but its own earlier result."""
    if path is None:
        target = still.path.with_name(f"{still.name}_{ratio.replace(':', 'x')}.png")
    else:
        target = Path(path)
    if target.suffix.lower() != ".png":
        raise InputError(f"{target}: a fitted still is written as .png, which keeps its history")
    if target.exists():
        try:
            there = Still.open(target)
        except StillError:
            there = None
        made_here = there is not None and any(still.sha256[:12] in step for step in there.history)
        if not made_here:
            raise InputError(f"{target}: exists already; name another file with path")
    return target


def _cropped(
    rgb: NDArray[np.uint8], mask: SubjectMask, ratio: Fraction, needs: Needs
) -> tuple[NDArray[np.uint8], str]:
    crop = framing(mask.alpha, ratio)
    if needs != Needs():
        crop = _towards(crop, mask, needs)
    cut = np.ascontiguousarray(crop.of(rgb)).astype(np.uint8)
    done = f"cropped to {_size(cut)} px at ({crop.left}, {crop.top})"
    kept = float(crop.of(mask.alpha).sum()) / max(float(mask.alpha.sum()), 1e-6)
    if mask.measured and kept < 0.97:
        done += f", which cuts away {1 - kept:.0%} of the subject; mode='extend' keeps it whole"
    return cut, done


def _towards(crop: Crop, mask: SubjectMask, needs: Needs) -> Crop:
    """The crop moved so that room lies where the motion goes, its subject still whole."""
    height, width = mask.alpha.shape
    rows, columns = (np.nonzero(mask.alpha.max(axis=axis) > 0.5)[0] for axis in (1, 0))
    if not rows.size:
        return crop
    left = _placed(columns, crop.left, crop.width, width, (needs.left, needs.right))
    top = _placed(rows, crop.top, crop.height, height, (needs.above, needs.below))
    return Crop(left, top, crop.width, crop.height)


def _placed(
    held: NDArray[np.intp], start: int, length: int, whole: int, room: tuple[float, float]
) -> int:
    """Where a span begins so that what is left beside `held` is shared as the needs ask."""
    free = length - (held[-1] + 1 - held[0])
    if sum(room) == 0 or free <= 0:
        return start
    before = free * room[0] / sum(room)
    return int(min(max(round(float(held[0] - before)), 0), whole - length))


def _extended(
    rgb: NDArray[np.uint8], mask: SubjectMask, ratio: Fraction, needs: Needs
) -> tuple[NDArray[np.uint8], str]:
    height, width = rgb.shape[:2]
    if Fraction(width, height) < ratio:
        size = (round(height * ratio), height)
    else:
        size = (width, round(width / ratio))
    if max(size) > _LARGEST_PX:
        raise StillError(f"extended to {size[0]}x{size[1]} px it is too large; crop it instead")
    across, down = size[0] - width, size[1] - height
    if not across and not down:
        return rgb, "already of that ratio"
    left = _before(mask.alpha, 1, across, size[0], (needs.left, needs.right))
    above = _before(mask.alpha, 0, down, size[1], (needs.above, needs.below))
    if (mask.alpha[-1] > 0.5).any():
        above = down  # below the lower edge of a portrait there is nothing to continue
    sides = (above, down - above, left, across - left)
    canvas = _continued(rgb, mask, sides)
    canvas[above : above + height, left : left + width] = rgb
    made_up = 1 - rgb.size / canvas.size
    sides_px = f"{left} px left, {across - left} right, {above} above, {down - above} below"
    return canvas, f"extended to {_size(canvas)} px ({sides_px}), {made_up:.0%} made up"


def _before(
    alpha: NDArray[np.float32], axis: int, extra: int, whole: int, room: tuple[float, float]
) -> int:
    """How much of the extra goes before the picture, along an axis: so that the subject comes to
    the middle, or where the needs want it.
    """
    if not extra:
        return 0
    mass = alpha.sum(axis=1 - axis)
    centre = float((mass * np.arange(mass.size)).sum() / max(float(mass.sum()), 1e-6))
    share = room[0] / sum(room) if sum(room) else 0.5
    return int(min(max(round(whole * share - centre), 0), extra))


def _continued(
    rgb: NDArray[np.uint8], mask: SubjectMask, sides: tuple[int, int, int, int]
) -> NDArray[np.uint8]:
    """A canvas wider by (above, below, left, right) px: the ground mirrored at the edge, without
    the subject, and the softer the farther out, so that no second subject or seam draws the eye.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, _FILL_SIDE_PX / min(height, width))
    small_size = (max(2, round(width * scale)), max(2, round(height * scale)))
    small = cv2.resize(rgb, small_size, interpolation=cv2.INTER_AREA)
    hole = (cv2.resize(mask.alpha, small_size, interpolation=cv2.INTER_AREA) > 0.1).astype(np.uint8)
    hole = cv2.dilate(hole, np.ones((5, 5), np.uint8))
    if 0 < hole.mean() < 0.95:
        small = cv2.inpaint(small, hole, 4, cv2.INPAINT_TELEA)
    ground = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    sharp, soft = (_mirrored(picture, sides) for picture in (rgb, ground))
    far = cv2.GaussianBlur(soft, (0, 0), 0.05 * min(height, width))
    above, _, left, _ = sides
    inside = np.zeros(sharp.shape[:2], np.uint8)
    inside[above : above + height, left : left + width] = 255
    distance = cv2.distanceTransform(255 - inside, cv2.DIST_L2, 5)
    reach = max(2.0, _SEAM * min(height, width))
    # At the very edge the picture's own pixels go on; then the ground's; farther out a haze of it.
    near, middle = np.exp(-distance / (reach / 3)), np.exp(-distance / (reach * 3))
    weights = (near, (1 - near) * middle, (1 - near) * (1 - middle))
    layers = (sharp, soft, far)
    total = sum(weight[..., None] * layer for weight, layer in zip(weights, layers, strict=True))
    filled: NDArray[np.uint8] = np.clip(np.rint(total), 0, 255).astype(np.uint8)
    return filled


def _mirrored(picture: NDArray[np.uint8], sides: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The picture with its own mirror image beyond each edge, as often as the sides need it."""
    places = []
    for length, before, after in (
        (picture.shape[0], sides[0], sides[1]),
        (picture.shape[1], sides[2], sides[3]),
    ):
        place = np.abs(np.arange(-before, length + after)) % max(1, 2 * length - 2)
        places.append(np.where(place < length, place, 2 * length - 2 - place))
    return picture[np.ix_(*places)]


def _size(rgb: NDArray[np.uint8]) -> str:
    return f"{rgb.shape[1]}x{rgb.shape[0]}"
