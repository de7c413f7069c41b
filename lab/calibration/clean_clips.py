"""Makes the clean clips for calibration: photographs under a moving camera, and real footage."""

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
_MASK_INTERVAL = 4  # footage frames that share a mask, because masks are slow
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
    """What a clean clip is made from. path: a photograph, or footage if move is empty.

    other: a picture of another subject. final: reserved for the final results; definitions and
    thresholds are chosen without it.
    """

    path: Path
    move: str
    other: Path
    final: bool

    @property
    def group(self) -> str:
        """The name of the photograph or footage; confidence intervals resample groups."""
        return self.path.stem

    @property
    def name(self) -> str:
        """The name of the clean clip, unique."""
        return f"{self.path.stem}, {self.move}" if self.move else self.path.stem


@dataclass(frozen=True, eq=False)
class CleanClip:
    """A clip in memory. frames: (h, w, 3) uint8 each. alphas: (h, w) uint8, the subject's masks.

    still: the still of the clip. other: a picture of another subject.
    """

    frames: list[NDArray[np.uint8]]
    alphas: list[NDArray[np.uint8]]
    fps: float
    still: NDArray[np.uint8]
    other: NDArray[np.uint8]


def sources(photos: Sequence[Path], footage: Path | None, *, moves_each: int) -> list[Source]:
    """All photographs, under `moves_each` camera moves each, then all footage.

    Every second photograph and every second clip is reserved for the final results. Raises
    InputError for fewer than four photographs or a folder without footage.
    """
    if len(photos) < 4:
        raise InputError("calibration needs at least four photographs (.jpg or .png)")
    names = list(MOVES)
    made = []
    for index, photo in enumerate(photos):
        other = photos[(index + 1) % len(photos)]
        for turn in range(moves_each):
            # The offset of 3 lets the photographs of each half cycle through all moves.
            move = names[(index // 2 * moves_each + turn + index % 2 * 3) % len(names)]
            made.append(Source(photo, move, other, final=index % 2 == 1))
    clips = [] if footage is None else _files(footage, _CLIP_SUFFIXES)
    if footage is not None and not clips:
        raise InputError(f"{footage}: holds no clip ({', '.join(_CLIP_SUFFIXES)})")
    for index, clip in enumerate(clips):
        other = photos[index % len(photos)]
        made.append(Source(clip, "", other, final=index % 2 == 1))
    return made


def photographs(folder: Path | None) -> list[Path]:
    """The pictures in a folder, by name; the sample stills when None.

    Raises InputError if the folder does not exist.
    """
    if folder is not None:
        return _files(folder, _PHOTO_SUFFIXES)
    return [sample_path(f"stills/{name}.jpg") for name in _SAMPLES]


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    except OSError as error:
        raise InputError(f"{folder}: no such folder ({error.strerror})") from error


@lru_cache(maxsize=2)
def clean_clip(source: Source) -> CleanClip:
    """Render or decode a source. Cached, because consecutive probes share a source."""
    other = _resized(open_image(source.other).rgb)
    if source.move:
        return _rendered(source, other)
    decoded = list(islice(frames(source.path), FRAMES))
    pictures = [_resized(frame.rgb) for frame in decoded]
    length_s = decoded[-1].time_s
    masks = {
        index: (subject_mask(pictures[index]).alpha * 255).astype(np.uint8)
        for index in range(0, len(pictures), _MASK_INTERVAL)
    }
    alphas = [masks[index - index % _MASK_INTERVAL] for index in range(len(pictures))]
    fps = (len(decoded) - 1) / length_s if length_s else FPS
    return CleanClip(pictures, alphas, fps, pictures[0], other)


def _rendered(source: Source, other: NDArray[np.uint8]) -> CleanClip:
    rgb = open_image(source.path).rgb
    scene = Scene.framed(rgb, subject_mask(rgb), *SIZE_PX)
    rendered = list(render(scene, Motion(rates=MOVES[source.move]), frames=FRAMES, fps=FPS, seed=3))
    pictures = [frame.rgb for frame in rendered]
    return CleanClip(pictures, [frame.subject_alpha for frame in rendered], FPS, pictures[0], other)


def _resized(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture at no more than the rendered height, with even sides."""
    height, width = rgb.shape[:2]
    scale = min(1.0, SIZE_PX[1] / min(height, width))
    size = (2 * round(width * scale / 2), 2 * round(height * scale / 2))
    resized: NDArray[np.uint8] = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return resized
