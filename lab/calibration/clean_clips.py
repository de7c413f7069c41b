"""Makes the clean clips for calibration: moving cameras, moving subjects, and real footage."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.calibration.moving_subjects import (
    PASSER_BY,
    SUBJECT_MOVES,
    Cutout,
    MovingSubject,
    Points,
    cut_out,
)
from lab.errors import InputError, LabError
from lab.media import frames, open_image
from lab.prompts.vocabulary import CameraRates
from lab.render import Motion, Scene, render
from lab.render.scene import SUBJECT_INVERSE_DEPTH
from lab.samples import sample_path
from lab.vision import grid, subject_mask

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


CAMERA_MOVE, PLAIN_GROUND, FOOTAGE = "camera move", "plain ground", "footage"
BASE_KINDS = (CAMERA_MOVE, *SUBJECT_MOVES, PLAIN_GROUND, FOOTAGE)
"""What clean clips show. On a plain ground a clip has two kinds, with the move of its subject."""


@dataclass(frozen=True)
class Source:
    """What a clean clip is made from. path: a photograph, or footage if move is empty.

    move: a camera move of MOVES, or a name in SUBJECT_MOVES. other: a picture of another subject.
    final: reserved for the final results; definitions and thresholds are chosen without it. ground:
    the photograph over which a moving subject moves; None for a plain ground.
    """

    path: Path
    move: str
    other: Path
    final: bool
    ground: Path | None = None

    @property
    def group(self) -> str:
        """The name of the photograph or footage; confidence intervals resample groups."""
        return self.path.stem

    @property
    def name(self) -> str:
        """The name of the clean clip, unique."""
        return f"{self.path.stem}, {self.move}" if self.move else self.path.stem

    @property
    def base_kinds(self) -> tuple[str, ...]:
        """One or two of BASE_KINDS."""
        if not self.move:
            return (FOOTAGE,)
        if self.move not in SUBJECT_MOVES:
            return (CAMERA_MOVE,)
        return (self.move,) if self.ground else (self.move, PLAIN_GROUND)


@dataclass(frozen=True, eq=False)
class CleanClip:
    """A clip in memory. frames: (h, w, 3) uint8 each. alphas: (h, w) uint8, the subject's masks:
    0 where it is hidden.

    still: the still of the clip. other: a picture of another subject. still_points: where each
    pixel of the subject is in the still, which is frame 0; None if that is not known.
    """

    frames: list[NDArray[np.uint8]]
    alphas: list[NDArray[np.uint8]]
    fps: float
    still: NDArray[np.uint8]
    other: NDArray[np.uint8]
    still_points: Points | None = None


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


def moving_sources(photos: Sequence[Path], *, each: int) -> list[Source]:
    """The photographs whose subject can be cut out, with `each` moves of the subject each.

    Halves are those of `sources`. Each half cycles through all moves, and one clip in three of a
    half has a plain ground.
    """
    subjects = [path for path in photos if _has_subject(path)]
    made = []
    counts = {False: 0, True: 0}
    for path in subjects:
        index = photos.index(path)
        final = index % 2 == 1
        # Of the samples, the one before is wide enough to hide what it passes.
        other = subjects[subjects.index(path) - 1]
        for turn in range(each):
            count = counts[final]
            counts[final] += 1
            move = SUBJECT_MOVES[count % len(SUBJECT_MOVES)]
            later = (photos[(index + 3 + turn + step) % len(photos)] for step in range(len(photos)))
            ground = next((photo for photo in later if photo not in (path, other)), None)
            # The halves differ, so that no move is seen on plain grounds only.
            plain = count % 3 == (0 if final else 2)
            made.append(Source(path, move, other, final, None if plain else ground))
    return made


def _has_subject(path: Path) -> bool:
    """Whether a subject can be cut out. The camera moves name a picture that cannot be opened."""
    try:
        return cut_out(open_image(path).rgb) is not None
    except LabError:
        return False


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
    if source.move in SUBJECT_MOVES:
        return _with_moving_subject(source, other)
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
    width, height = SIZE_PX
    to_still = [
        np.linalg.inv(frame.camera.layer_transform(width, height, SUBJECT_INVERSE_DEPTH))
        for frame in rendered
    ]

    def still_points(index: int) -> NDArray[np.float32]:
        matrix = to_still[index].astype(np.float32)
        points: NDArray[np.float32] = grid(height, width) @ matrix[:2, :2].T + matrix[:2, 2]
        return points

    alphas = [frame.subject_alpha for frame in rendered]
    return CleanClip(pictures, alphas, FPS, pictures[0], other, still_points)


def _with_moving_subject(source: Source, other: NDArray[np.uint8]) -> CleanClip:
    subject = _subject(source.path)
    passer = _subject(source.other) if source.move == PASSER_BY else None
    ground = None if source.ground is None else open_image(source.ground).rgb
    moving = MovingSubject(source.move, subject, passer, ground, size_px=SIZE_PX, frames=FRAMES)
    pictures, alphas = moving.draw()
    return CleanClip(pictures, alphas, FPS, pictures[0], other, moving.still_points)


def _subject(path: Path) -> Cutout:
    subject = cut_out(open_image(path).rgb)
    if subject is None:
        raise InputError(f"{path}: shows no subject that can be cut out; use another photograph")
    return subject


def _resized(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture at no more than the rendered height, with even sides."""
    height, width = rgb.shape[:2]
    scale = min(1.0, SIZE_PX[1] / min(height, width))
    size = (2 * round(width * scale / 2), 2 * round(height * scale / 2))
    resized: NDArray[np.uint8] = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return resized
