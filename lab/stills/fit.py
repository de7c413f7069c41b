"""Bring a still into the ratio it will be published in, before anything is paid."""

from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.errors import InputError, StillError
from lab.files import make_writable_folder
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
_SPARE = 1.06
_EVEN = 0.1  # how much either side counts for where the needs are silent


def fit(
    still: Still | str | Path,
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
    still = Still.of(still)
    if mode not in get_args(Mode):
        raise InputError(f"mode {mode!r}: accepted: {', '.join(get_args(Mode))}")
    if ratio not in RATIOS:
        raise InputError(f"ratio {ratio!r}: accepted are {', '.join(RATIOS)}")
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
        else:
            steps.append(f"too few pixels for {resolution} ({wanted[0]}x{wanted[1]} px)")
    if not mask.measured:
        steps.append(f"the subject is assumed in the middle: {mask.note}")
    make_writable_folder(target.parent)
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
            raise InputError(f"{target}: exists already; name another file")
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
        done += f", which cuts away {1 - kept:.0%} of the subject; extending keeps it whole"
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
    box = _box(mask)
    # As large as the picture, and so large that what the needs ask for lies beside the subject.
    across = max(width, _roomy(box[1] - box[0], needs.left + needs.right))
    down = max(height, _roomy(box[3] - box[2], needs.above + needs.below))
    across = max(across, down * ratio)
    size = (round(across), round(across / ratio))
    if max(size) > _LARGEST_PX:
        raise StillError(f"extended to {size[0]}x{size[1]} px it is too large; crop it instead")
    extra = (size[0] - width, size[1] - height)
    if not any(extra):
        return rgb, "already of that ratio"
    left = _before(box[:2], width, extra[0], (needs.left, needs.right))
    above = _before(box[2:], height, extra[1], (needs.above, needs.below))
    if (mask.alpha[-1] > 0.5).any():
        above = extra[1]  # below the lower edge of a portrait there is nothing to continue
    sides = (above, extra[1] - above, left, extra[0] - left)
    canvas = _continued(rgb, mask, sides)
    canvas[above : above + height, left : left + width] = rgb
    made_up = 1 - rgb.size / canvas.size
    sides_px = f"{left} px left, {sides[3]} right, {above} above, {sides[1]} below"
    return canvas, f"extended to {_size(canvas)} px ({sides_px}), {made_up:.0%} made up"


def _roomy(held: int, free: float) -> float:
    """How long a side is that leaves a share of itself free beside `held`, with a little to spare:
    on another canvas the subject's outline comes out a few pixels wider.
    """
    return held * (_SPARE / max(0.2, 1 - free) if free else 1.0)


def _box(mask: SubjectMask) -> tuple[int, int, int, int]:
    """Where the subject begins and ends: left, right, top, bottom in pixels."""
    solid = mask.alpha > 0.5
    rows, columns = (np.nonzero(solid.any(axis=axis))[0] for axis in (1, 0))
    if not rows.size:
        return 0, solid.shape[1], 0, solid.shape[0]
    return int(columns[0]), int(columns[-1]) + 1, int(rows[0]), int(rows[-1]) + 1


def _before(held: tuple[int, ...], length: int, extra: int, room: tuple[float, float]) -> int:
    """How much of the extra goes before a picture of that length: what is free beside `held` lies
    more where the needs want it, and on either side what they want.
    """
    whole = length + extra
    share = (room[0] + _EVEN) / (sum(room) + 2 * _EVEN)
    wanted = share * (whole - (held[1] - held[0])) - held[0]
    most = extra - (room[1] * whole - (length - held[1]))
    least = room[0] * whole - held[0]
    return int(min(max(round(max(min(wanted, most), least)), 0), extra))


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
