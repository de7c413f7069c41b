"""Bring a still into the ratio it will be published in, before anything is paid."""

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.errors import InputError, StillError
from lab.files import as_path, file_name, make_writable_folder, sha256_file
from lab.media import write_image
from lab.media.images import MIN_SIDE_PX
from lab.stills.framing import Crop, extent, framing
from lab.stills.look import CUT_CONTACT
from lab.stills.needs import Needs
from lab.stills.still import Still
from lab.units import RATIOS, frame_size
from lab.vision import SubjectMask, subject_mask

Mode = Literal["crop", "extend"]
_FILL_SIDE_PX = 200
_SEAM = 0.006  # of the shorter side: how far the mirrored edge stays sharp
_HAZE = 0.12  # of the shorter side: the most that what is made up is blurred
_ROWS = 256
_SPARE = 1.06
_EVEN = 0.1  # how much either side counts for where the needs are silent
_MOST_PX = 36_000_000  # four times a 4k frame
_MASK_SIDE_PX = 720
_NAME_CHARS = 80


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
    there first. path: a .png file; beside the still as NAME_9x16.png or NAME_9x16_extended.png when
    None. The same call gives the same bytes. Raises InputError for names that do not exist or for
    another picture in that place, RunFolderError for a folder that cannot be written, StillError
    for a still that does not open, or would get smaller than 64 px a side or larger than 36
    megapixels.
    """
    still = Still.of(still)
    if mode not in get_args(Mode):
        raise InputError(f"mode {mode!r}: accepted: {', '.join(get_args(Mode))}")
    if ratio not in RATIOS:
        raise InputError(f"ratio {ratio!r}: accepted are {', '.join(RATIOS)}")
    target = _target(still, ratio, mode, path)
    wanted = None if resolution is None else frame_size(ratio, resolution)
    rgb = still.rgb()
    mask = _subject_of(rgb)
    steps = []
    if mode == "crop":
        rgb, done = _cropped(rgb, mask, RATIOS[ratio], needs or Needs())
    else:
        size = _canvas(rgb, mask, RATIOS[ratio], needs or Needs())
        if wanted is not None and wanted[0] < size[0]:
            # Reduced before it is extended, so that no more is made up than is kept.
            rgb, mask, said = _reduced(rgb, mask, wanted[0] / size[0], wanted)
            steps, size = [said], wanted
        rgb, done = _extended(rgb, mask, size, needs or Needs())
    name, size_px = still.path.name[:_NAME_CHARS], f"{still.width_px}x{still.height_px} px"
    origin = f"from {name} (sha256 {still.sha256[:12]}), {size_px}"
    steps = [f"{origin}: {'; '.join([*steps, done])}"]
    if wanted is not None and wanted != rgb.shape[1::-1]:
        before, larger = _size(rgb), wanted[0] > rgb.shape[1]
        if upsample or not larger:
            way = cv2.INTER_CUBIC if larger else cv2.INTER_AREA
            rgb = cv2.resize(rgb, wanted, interpolation=way)
            verb = "enlarged, no detail gained," if larger else "reduced"
            steps.append(f"{verb} from {before} to {_size(rgb)} px")
        else:
            steps.append(f"too few pixels for {resolution} ({wanted[0]}x{wanted[1]} px)")
    if min(rgb.shape[:2]) < MIN_SIDE_PX:
        raise StillError(
            f"{still.path}: in {ratio} it is {_size(rgb)} px and each side needs {MIN_SIDE_PX} px; "
            "extend it or take a larger still"
        )
    if not mask.measured:
        steps.append(f"the subject is assumed in the middle: {mask.note}")
    return _kept(target, rgb, [*still.history, *steps])


def _target(still: Still, ratio: str, mode: Mode, path: str | Path | None) -> Path:
    """Where the new still goes."""
    if path is None:
        how = "_extended" if mode == "extend" else ""
        ending = f"_{ratio.replace(':', 'x')}{how}.png"
        return still.path.with_name(file_name(still.path.stem, ending))
    target = as_path(path, InputError)
    if target.suffix.lower() != ".png":
        raise InputError(f"{target}: a fitted still is written as .png, which keeps its history")
    return target


def _kept(target: Path, rgb: NDArray[np.uint8], history: list[str]) -> Still:
    """The still in its file. A file that is there already is left, and must hold the same."""
    make_writable_folder(target.parent)
    fresh = not os.path.exists(target)
    with TemporaryDirectory() as folder:
        made = target if fresh else Path(folder) / target.name
        try:
            write_image(made, rgb, history=history)
        except OSError as error:
            raise InputError(f"{target}: cannot be written ({error.strerror})") from error
        if not fresh and (not target.is_file() or sha256_file(made) != sha256_file(target)):
            raise InputError(
                f"{target}: exists already and holds another picture; name another file or "
                "delete it"
            )
    return Still.open(target)


def _subject_of(rgb: NDArray[np.uint8]) -> SubjectMask:
    """The subject's mask at the picture's own size, found in a small copy of a large one."""
    scale = _MASK_SIDE_PX / min(rgb.shape[:2])
    if scale >= 1:
        return subject_mask(rgb)
    mask = subject_mask(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return replace(mask, alpha=_resized(mask.alpha, rgb.shape[1::-1]))


def _resized(alpha: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    return np.clip(cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR), 0, 1)


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
    box = extent(mask.alpha)
    if box is None:
        return crop
    columns, rows = box
    left = _placed(columns, crop.left, crop.width, width, (needs.left, needs.right))
    top = _placed(rows, crop.top, crop.height, height, (needs.above, needs.below))
    return Crop(left, top, crop.width, crop.height)


def _placed(
    held: tuple[int, int], start: int, length: int, whole: int, room: tuple[float, float]
) -> int:
    """Where a span begins so that what is left beside `held` is shared as the needs ask."""
    free = length - (held[1] - held[0])
    if sum(room) == 0 or free <= 0:
        return start
    before = free * room[0] / sum(room)
    return int(min(max(round(float(held[0] - before)), 0), whole - length))


def _canvas(
    rgb: NDArray[np.uint8], mask: SubjectMask, ratio: Fraction, needs: Needs
) -> tuple[int, int]:
    """Width and height of a canvas of a ratio: as large as the picture, and so large that what the
    needs ask for lies beside the subject.
    """
    height, width = rgb.shape[:2]
    columns, rows = _box(mask)
    across = max(width, _roomy(columns[1] - columns[0], needs.left + needs.right))
    down = max(height, _roomy(rows[1] - rows[0], needs.above + needs.below))
    across = max(across, down * ratio)
    return round(across), round(across / ratio)


def _reduced(
    rgb: NDArray[np.uint8], mask: SubjectMask, scale: float, within: tuple[int, int]
) -> tuple[NDArray[np.uint8], SubjectMask, str]:
    height, width = rgb.shape[:2]
    size = (
        min(max(1, round(width * scale)), within[0]),
        min(max(1, round(height * scale)), within[1]),
    )
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    said = f"reduced to {_size(small)} px"
    return small, replace(mask, alpha=_resized(mask.alpha, size)), said


def _extended(
    rgb: NDArray[np.uint8], mask: SubjectMask, size: tuple[int, int], needs: Needs
) -> tuple[NDArray[np.uint8], str]:
    height, width = rgb.shape[:2]
    if size[0] * size[1] > _MOST_PX:
        raise StillError(
            f"extended to {size[0]}x{size[1]} px it is larger than {_MOST_PX // 1_000_000} "
            "megapixels; name a resolution to reduce it to, or crop it instead"
        )
    across, down = size[0] - width, size[1] - height
    if not across and not down:
        return rgb, "already of that ratio"
    columns, rows = _box(mask)
    left = _before(columns, width, across, (needs.left, needs.right))
    above = _before(rows, height, down, (needs.above, needs.below))
    if (mask.alpha[-1] > 0.5).any():
        above = down  # below the lower edge of a portrait there is nothing to continue
    sides = (above, down - above, left, across - left)
    canvas = _continued(rgb, mask, sides)
    made_up = 1 - rgb.size / canvas.size
    sides_px = f"{left} px left, {across - left} right, {above} above, {down - above} below"
    return canvas, f"extended to {_size(canvas)} px ({sides_px}), {made_up:.0%} made up"


def _roomy(held: int, free: float) -> float:
    """How long a side is that leaves a share of itself free beside `held`, with a little to spare:
    on another canvas the subject's outline comes out a few pixels wider.
    """
    return held * (_SPARE / max(0.2, 1 - free) if free else 1.0)


def _box(mask: SubjectMask) -> tuple[tuple[int, int], tuple[int, int]]:
    """The subject's columns and rows; the whole picture's without one."""
    height, width = mask.alpha.shape
    return extent(mask.alpha) or ((0, width), (0, height))


def _before(held: tuple[int, int], length: int, extra: int, room: tuple[float, float]) -> int:
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
    """A canvas wider by (above, below, left, right) px: the ground mirrored at the edge and softer
    the farther out, as if out of focus, so that no second subject, seam or symmetry draws the eye.
    """
    height, width = rgb.shape[:2]
    above, below, left, right = sides
    rows, columns = _mirrored(height, above, below), _mirrored(width, left, right)
    canvas = cv2.resize(
        _haze(rgb, mask, sides), (columns.size, rows.size), interpolation=cv2.INTER_CUBIC
    )
    # At the very edge the picture's own pixels go on.
    reach = max(2.0, _SEAM * min(height, width))
    beside = _outside(np.arange(columns.size), left, width)
    for start in range(0, rows.size, _ROWS):  # in bands, for a large canvas to fit in memory
        band = slice(start, start + _ROWS)
        over = _outside(np.arange(rows.size)[band], above, height)
        near = np.exp(-np.hypot(over[:, None], beside[None]) / reach)[..., None]
        mixed = near * rgb[np.ix_(rows[band], columns)] + (1 - near) * canvas[band]
        canvas[band] = np.clip(np.rint(mixed), 0, 255)
    canvas[above : above + height, left : left + width] = rgb
    return canvas


def _haze(
    rgb: NDArray[np.uint8], mask: SubjectMask, sides: tuple[int, int, int, int]
) -> NDArray[np.uint8]:
    """The mirrored ground on a small canvas, blurred by a third of the distance from the edge."""
    height, width = rgb.shape[:2]
    scale = min(1.0, _FILL_SIDE_PX / min(height, width))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(mask.alpha, size, interpolation=cv2.INTER_AREA)
    hole = cv2.dilate((alpha > 0.1).astype(np.uint8), np.ones((5, 5), np.uint8))
    edges = (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1])
    # A subject that an edge cuts goes on beyond it; any other is left out of the mirror image.
    cut = any(
        side and (edge > 0.5).mean() > CUT_CONTACT for side, edge in zip(sides, edges, strict=True)
    )
    if not cut and 0 < hole.mean() < 0.95:
        small = cv2.inpaint(small, hole, 4, cv2.INPAINT_TELEA)
    above, below, left, right = (round(part * scale) for part in sides)
    rows, columns = _mirrored(size[1], above, below), _mirrored(size[0], left, right)
    over = _outside(np.arange(rows.size), above, size[1])
    distance = np.hypot(over[:, None], _outside(np.arange(columns.size), left, size[0])[None])
    sigma = np.minimum(distance / 3, _HAZE * min(size))
    mirrored = small[np.ix_(rows, columns)].astype(np.float32)
    mixed, before, blurred = mirrored, 0.0, mirrored
    for step in _HAZE * min(size) * 0.5 ** np.arange(5, -1, -1):
        softer = cv2.GaussianBlur(mirrored, (0, 0), step)
        share = np.clip((sigma - before) / (step - before), 0, 1)[..., None].astype(np.float32)
        mixed = np.where(share > 0, blurred + share * (softer - blurred), mixed)
        before, blurred = step, softer
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _outside(place: NDArray[np.intp], start: int, length: int) -> NDArray[np.float32]:
    """How far each place lies outside a span, in pixels."""
    before, after = start - place, place - (start + length - 1)
    return np.maximum(np.maximum(before, after), 0).astype(np.float32)


def _mirrored(length: int, before: int, after: int) -> NDArray[np.intp]:
    """Places along a side and its mirror image beyond each end, as often as needed."""
    place = np.abs(np.arange(-before, length + after)) % max(1, 2 * length - 2)
    return np.where(place < length, place, 2 * length - 2 - place)


def _size(rgb: NDArray[np.uint8]) -> str:
    return f"{rgb.shape[1]}x{rgb.shape[0]}"
