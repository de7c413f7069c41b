"""Good photographs and spoiled versions of them: what each check finds, and finds in vain."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.media import write_image
from lab.stills import Needs, Still, near_duplicates, preflight
from lab.stills.look import Box, look

Pixels = NDArray[np.uint8]
REPOSITORY = Path(__file__).parents[2]
SHIPPED = ("astronaut", "china", "coffee", "flower", "hopper", "rocket")
# What these really are, so that finding it in them is no false alarm: undergrowth behind the
# subject, a subject that spans the frame or comes close to both of its sides.
BY_NATURE = {
    *((name, "busy") for name in ("china", "chameleon", "crocodile", "polar_bear")),
    *((name, "subject_large") for name in ("astronaut", "hopper")),
    *((name, "no_room") for name in ("astronaut", "hopper", "komodo_dragon")),
}
ROOM = Needs(right=0.15)


@dataclass(frozen=True)
class Rate:
    """One check: how many of the spoiled it found, and of the good it found in vain."""

    spoiled_by: str
    kind: str
    found: int
    spoiled: int
    false: int
    good: int

    @property
    def detection(self) -> float:
        return self.found / self.spoiled

    @property
    def false_alarms(self) -> float:
        return self.false / self.good


def photographs() -> list[Path]:
    """Every good photograph, by name."""
    shipped = [REPOSITORY / "data" / "stills" / f"{name}.jpg" for name in SHIPPED]
    return sorted([*shipped, *(REPOSITORY / "tests/data/photographs").glob("*.jpg")])


def quality(paths: Sequence[Path], folder: Path) -> Iterator[Rate]:
    """Checks that need no subject: how well a picture was taken and kept."""
    ways: dict[str, tuple[str, Callable[[Pixels], Pixels]]] = {
        "blurred by 2 px": ("soft", lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 2)),
        "grain of 12 code values": ("noisy", _grained),
        "JPEG at quality 12": ("blocky", _compressed),
        "enlarged 2.5 times": ("enlarged", _enlarged),
    }
    for name, (kind, spoil) in ways.items():
        yield _rate(name, kind, paths, folder, lambda still, spoil=spoil: spoil(still.rgb()))


def composition(paths: Sequence[Path], folder: Path) -> Iterator[Rate]:
    """Checks of the subject and of where it is; the mask's weights are needed."""
    ways: dict[str, tuple[str, Callable[[Still], Pixels]]] = {
        "overexposed by a stop and a half": ("overexposed", _overexposed),
        "blacks crushed": ("underexposed", _crushed),
        "cropped through the subject": ("subject_cut", _cut),
        "cluttered behind the subject": ("busy", _cluttered),
        "the subject made tiny": ("subject_small", _tiny),
        "cropped to the subject": ("subject_large", _filling),
        "a second subject": ("several_subjects", _doubled),
        "cropped above the subject": ("headroom", _without_headroom),
        "cropped beside the subject": ("no_room", _without_room),
    }
    for name, (kind, spoil) in ways.items():
        yield _rate(name, kind, paths, folder, spoil)


def duplicates(paths: Sequence[Path], folder: Path) -> Rate:
    """The same picture saved again, smaller and lighter, beside all the others."""
    originals = [Still.open(path) for path in paths]
    copies = []
    for still in originals:
        rgb = cv2.resize(still.rgb(), None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
        lighter = np.clip(rgb * 1.1 + 4, 0, 255).astype(np.uint8)
        write_image(folder / f"{still.name}.jpg", lighter, quality=60)
        copies.append(Still.open(folder / f"{still.name}.jpg"))
    pairs = {(one.path, other.path) for one, other, _ in near_duplicates([*originals, *copies])}
    meant = {(one.path, other.path) for one, other in zip(originals, copies, strict=True)}
    every = len(paths) * 2 * (len(paths) * 2 - 1) // 2 - len(paths)
    return Rate(
        "saved again, smaller and lighter",
        "near_duplicate",
        len(pairs & meant),
        len(meant),
        len(pairs - meant),
        every,
    )


def table(rates: Sequence[Rate]) -> str:
    """The rates as a Markdown table."""
    lines = ["| spoiled by | found as | detected | false alarms |", "|---|---|---|---|"]
    lines += [
        f"| {rate.spoiled_by} | `{rate.kind}` | {rate.found} of {rate.spoiled} "
        f"| {rate.false} of {rate.good} |"
        for rate in rates
    ]
    return "\n".join(lines)


def _rate(
    name: str,
    kind: str,
    paths: Sequence[Path],
    folder: Path,
    spoil: Callable[[Still], Pixels],
) -> Rate:
    found, false, good = 0, 0, 0
    for path in paths:
        still = Still.open(path)
        if (still.name, kind) not in BY_NATURE:
            good += 1
            false += kind in _kinds(still, in_its_way=False)
        spoiled = folder / f"{still.name}-{kind}.png"
        write_image(spoiled, np.ascontiguousarray(spoil(still)))
        found += kind in _kinds(Still.open(spoiled), in_its_way=True)
    return Rate(name, kind, found, len(paths), false, good)


def _kinds(still: Still, *, in_its_way: bool) -> set[str]:
    # A good photograph has room somewhere, so it is asked where there is most.
    needs = ROOM
    subject = look(still).subject
    if not in_its_way and subject is not None and subject.box.left > subject.box.right:
        needs = Needs(left=ROOM.right)
    return {finding.kind for finding in preflight(still, needs=needs).findings}


def _grained(rgb: Pixels) -> Pixels:
    luck = np.random.default_rng(rgb.shape[0])
    return np.clip(rgb + luck.normal(0, 12, rgb.shape), 0, 255).astype(np.uint8)


def _compressed(rgb: Pixels) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=12)
    return np.asarray(Image.open(stream).convert("RGB"))


def _enlarged(rgb: Pixels) -> Pixels:
    height, width = rgb.shape[:2]
    size = (round(width / 2.5), round(height / 2.5))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    again: Pixels = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return again


def _overexposed(still: Still) -> Pixels:
    linear = (still.rgb() / 255) ** 2.2 * 2**1.5
    return (np.clip(linear, 0, 1) ** (1 / 2.2) * 255).round().astype(np.uint8)


def _crushed(still: Still) -> Pixels:
    return np.clip((still.rgb().astype(float) - 90) * 1.2, 0, 255).astype(np.uint8)


def _box(still: Still) -> tuple[Pixels, Box]:
    subject = look(still).subject
    assert subject is not None
    return still.rgb(), subject.box


def _cut(still: Still) -> Pixels:
    rgb, box = _box(still)
    # Through the upper half of the subject, where no portrait ends.
    height = rgb.shape[0]
    return rgb[round((box.above + 0.25 * (1 - box.above - box.below)) * height) :]


def _cluttered(still: Still) -> Pixels:
    rgb = still.rgb()
    name = "polar_bear" if still.name == "crocodile" else "crocodile"
    busy = Still.open(REPOSITORY / "tests" / "data" / "photographs" / f"{name}.jpg").rgb()
    height, width = rgb.shape[:2]
    behind = cv2.resize(busy[-200:], (width, height), interpolation=cv2.INTER_CUBIC)
    behind = np.maximum(behind, cv2.resize(busy[:200, ::-1], (width, height)))
    subject = look(still).subject
    assert subject is not None
    share = cv2.resize(subject.alpha, (width, height))[..., None] / 255
    return (rgb * share + behind * (1 - share)).round().astype(np.uint8)


def _tiny(still: Still) -> Pixels:
    rgb = still.rgb()
    height, width = rgb.shape[:2]
    subject = look(still).subject
    assert subject is not None
    ground = cv2.GaussianBlur(cv2.medianBlur(rgb, 31), (0, 0), 40)
    shrink = 0.1 / np.sqrt(subject.area)
    small = cv2.resize(rgb, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    share = cv2.resize(subject.alpha, small.shape[1::-1])[..., None] / 255
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    place = np.s_[max(top, 0) : top + small.shape[0], max(left, 0) : left + small.shape[1]]
    laid = ground.copy()
    laid[place] = (small * share + ground[place] * (1 - share)).round()
    return laid


def _filling(still: Still) -> Pixels:
    rgb, box = _box(still)
    height, width = rgb.shape[:2]
    part = rgb[
        round(box.above * height) : round((1 - box.below) * height),
        round(box.left * width) : round((1 - box.right) * width),
    ]
    larger = max(1.0, 200 / min(part.shape[:2]))
    return cv2.resize(part, None, fx=larger, fy=larger, interpolation=cv2.INTER_CUBIC)


def _doubled(still: Still) -> Pixels:
    rgb = still.rgb()
    return np.concatenate([rgb, rgb[:, ::-1]], axis=1)


def _without_headroom(still: Still) -> Pixels:
    rgb, box = _box(still)
    return rgb[max(0, round((box.above - 0.004) * rgb.shape[0])) :]


def _without_room(still: Still) -> Pixels:
    rgb, box = _box(still)
    return rgb[:, : round((1 - box.right + 0.03) * rgb.shape[1])]
