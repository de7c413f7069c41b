"""Clean clips to spoil: real photographs under a moving camera, and real footage if given."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.errors import InputError
from lab.media import frames, open_image
from lab.prompts.vocabulary import CameraRates
from lab.render import Motion, Scene, render
from lab.samples import sample_path
from lab.vision import subject_mask

FPS = 24.0
FRAMES = 48
SIZE_PX = (640, 360)
_MASK_EVERY = 4  # footage is masked every so many frames
_PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")
_CLIP_SUFFIXES = (".mp4", ".mov", ".webm", ".mkv")

_SAMPLES = ("astronaut", "cat", "china", "coffee", "flower", "hopper", "rocket")

MOVES: dict[str, CameraRates] = {
    "locked off": CameraRates(),
    "push in": CameraRates(dolly=0.08),
    "pan": CameraRates(pan=0.06),
    "orbit": CameraRates(pan=-0.05, truck=0.09),
    "handheld": CameraRates(shake=0.01),
    "roll and crane": CameraRates(roll=4.0, crane=0.05),
}


@dataclass(frozen=True)
class Source:
    """Where a base comes from. path: a photograph, or a clip when move is empty.

    group: what intervals are clustered by. final: kept for the last figure only.
    """

    path: Path
    move: str
    other: Path
    final: bool

    @property
    def group(self) -> str:
        """The photograph's or the clip's name."""
        return self.path.stem

    @property
    def name(self) -> str:
        """Unique among the bases."""
        return f"{self.path.stem}, {self.move}" if self.move else self.path.stem


@dataclass(frozen=True, eq=False)
class Base:
    """A clean clip in memory. frames: (h, w, 3) uint8 each; alphas: (h, w) uint8, the subject.

    still: the picture the clip began from. other: a picture of something else.
    """

    frames: list[NDArray[np.uint8]]
    alphas: list[NDArray[np.uint8]]
    fps: float
    still: NDArray[np.uint8]
    other: NDArray[np.uint8]


def sources(photos: Sequence[Path], footage: Path | None, *, moves_each: int) -> list[Source]:
    """Photographs under `moves_each` camera moves each, then footage.

    Every second photograph and clip, in order of name, is kept for the final figure. Raises
    InputError for fewer than four photographs or a folder without footage.
    """
    if len(photos) < 4:
        raise InputError("calibration needs at least four photographs (.jpg or .png)")
    names = list(MOVES)
    found = []
    for place, photo in enumerate(photos):
        other = photos[(place + 1) % len(photos)]
        for turn in range(moves_each):
            # Two apart, so that the photographs of either half see every move in turn.
            move = names[(place // 2 * moves_each + turn + place % 2 * 3) % len(names)]
            found.append(Source(photo, move, other, final=place % 2 == 1))
    clips = [] if footage is None else _listed(footage, _CLIP_SUFFIXES)
    if footage is not None and not clips:
        raise InputError(f"{footage}: holds no clip ({', '.join(_CLIP_SUFFIXES)})")
    for place, clip in enumerate(clips):
        other = photos[place % len(photos)]
        found.append(Source(clip, "", other, final=place % 2 == 1))
    return found


def photographs(folder: Path | None) -> list[Path]:
    """The pictures in a folder, or the sample stills.

    Raises InputError when there is no such folder.
    """
    if folder is not None:
        return _listed(folder, _PHOTO_SUFFIXES)
    return [sample_path(f"stills/{name}.jpg") for name in _SAMPLES]


def _listed(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    except OSError as error:
        raise InputError(f"{folder}: no such folder ({error.strerror})") from error


@lru_cache(maxsize=2)
def base(source: Source) -> Base:
    """Draw or decode a source. Kept, because many probes in a row share one."""
    other = _fitted(open_image(source.other).rgb)
    if source.move:
        return _photographed(source, other)
    shown = list(islice(frames(source.path), FRAMES))
    pictures = [_fitted(frame.rgb) for frame in shown]
    length_s = shown[-1].time_s
    masks = {
        index: (subject_mask(pictures[index]).alpha * 255).astype(np.uint8)
        for index in range(0, len(pictures), _MASK_EVERY)
    }
    alphas = [masks[index - index % _MASK_EVERY] for index in range(len(pictures))]
    fps = (len(shown) - 1) / length_s if length_s else FPS
    return Base(pictures, alphas, fps, pictures[0], other)


def _photographed(source: Source, other: NDArray[np.uint8]) -> Base:
    rgb = open_image(source.path).rgb
    scene = Scene.framed(rgb, subject_mask(rgb), *SIZE_PX)
    drawn = list(render(scene, Motion(rates=MOVES[source.move]), frames=FRAMES, fps=FPS, seed=3))
    pictures = [frame.rgb for frame in drawn]
    return Base(pictures, [frame.subject_alpha for frame in drawn], FPS, pictures[0], other)


def _fitted(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """No larger than a rendered base, both sides even."""
    height, width = rgb.shape[:2]
    scale = min(1.0, SIZE_PX[1] / min(height, width))
    size = (2 * round(width * scale / 2), 2 * round(height * scale / 2))
    fitted: NDArray[np.uint8] = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return fitted
