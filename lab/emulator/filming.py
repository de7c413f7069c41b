"""Make the files that a task is asked for: real clips and pictures, the same for the same task."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.clips import SIMULATED_MARK
from lab.emulator.orders import Cut, Order
from lab.emulator.pictures import Pictures, drawn
from lab.emulator.store import Job
from lab.media import write_clip, write_image
from lab.prompts import Prompt
from lab.prompts.vocabulary import CameraRates
from lab.render import Defects, Motion, Scene, render
from lab.units import SHORT_SIDE_PX
from lab.vision import SubjectMask, subject_mask

FPS = 24
SAMPLE_RATE_HZ = 48_000
_FADE_S = 1.0
_SQUARE_SIDE_PX = {"720p": 960, "1080p": 1440, "4k": 2880}
_PICTURE_SIDE_PX = {"1k": 1024, "2k": 2048}
_MOST_PROMPT_CHARS = 3000
# Corners that later shots are framed around, as shares of what is left of the still.
_ANGLES = ((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.5, 0.5))
_CLOSER = 0.62

Rgb = NDArray[np.uint8]


class Unwanted(Exception):  # noqa: N818 - nobody waits for the clip any more
    """The clip was given up half-way; nothing of it is left."""


def film(
    job: Job,
    pictures: Pictures,
    path: Path,
    *,
    marked: bool = False,
    short_side_px: int | None = None,
    wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Render a video task's clip; `marked` lays a watermark over it.

    The still is the first frame, cut to nothing: the frame has its ratio. Each shot moves as its
    words say, with the pace and the flaws that the task's id draws. short_side_px replaces the
    resolution's own. Raises Unwanted as soon as `wanted` says no.
    """
    order = job.order
    luck = _luck(job)
    still = _still(order, pictures)
    width, height = size_px(order, still, short_side_px)
    frames = _while_wanted(_frames(job, pictures, still, (width, height), luck), wanted)
    total = order.duration_s * FPS + 1
    write_clip(
        path,
        (_marked(rgb) for rgb in frames) if marked else frames,
        fps=FPS,
        comment=f"{SIMULATED_MARK} Kling emulator, task {job.id}",
        sound=_hum(luck, total / FPS) if order.sound else None,
    )


def paint(job: Job, index: int, pictures: Pictures, path: Path) -> None:
    """Draw one picture of an image task, as PNG."""
    order = job.order
    across, down = (int(part) for part in order.aspect_ratio.split(":"))
    side = _PICTURE_SIDE_PX[order.resolution]
    size = (
        (side, round(side * down / across))
        if across >= down
        else (
            round(side * across / down),
            side,
        )
    )
    if order.still:
        rgb = _covering(pictures.rgb(order.still), size)
        shift = int(_luck(job).integers(-12, 13)) + index
        rgb = cv2.add(rgb, np.full_like(rgb, abs(shift)))
    else:
        rgb = drawn(f"{order.prompt} {job.id} {index}", *size)
    write_image(path, rgb)


def size_px(order: Order, still: Rgb, short_side_px: int | None) -> tuple[int, int]:
    """Width and height of a clip, both even, in the still's ratio."""
    height, width = still.shape[:2]
    short = short_side_px or SHORT_SIDE_PX[order.resolution]
    if not short_side_px and width == height:
        short = _SQUARE_SIDE_PX[order.resolution]
    scale = short / min(width, height)
    return 2 * round(width * scale / 2), 2 * round(height * scale / 2)


def _still(order: Order, pictures: Pictures) -> Rgb:
    if order.still:
        return pictures.rgb(order.still)
    across, down = (int(part) for part in (order.aspect_ratio or "16:9").split(":"))
    unit = 720 // min(across, down)
    return drawn(order.prompt, across * unit, down * unit)


def _frames(
    job: Job,
    pictures: Pictures,
    still: Rgb,
    size: tuple[int, int],
    luck: np.random.Generator,
) -> Iterator[Rgb]:
    order = job.order
    cuts = order.cuts or (Cut(order.duration_s, order.prompt),)
    total = order.duration_s * FPS + 1
    end = _covering(pictures.rgb(order.end_still), size) if order.end_still else None
    mask = pictures.subject(order.still) if order.still else subject_mask(still)
    seed = int(luck.integers(2**32))
    flaws = Defects(
        flicker_dn=float(luck.uniform(0.2, 0.8)),
        drift_de=float(luck.uniform(0.3, 2.0)),
        warp_permille=float(luck.uniform(0.05, 0.3)),
    )
    done = 0
    spent_s = 0.0
    for number, cut in enumerate(cuts):
        spent_s += cut.duration_s
        until = total if number == len(cuts) - 1 else round(spent_s * FPS)
        scene = Scene.framed(*_angle(still, mask, number), *size)
        moving = render(
            scene,
            _motion(cut.text, luck),
            frames=max(1, until - done),
            fps=FPS,
            seed=seed + number,
            defects=flaws,
        )
        for index, frame in enumerate(moving, done):
            yield frame.rgb if end is None else _fading(frame.rgb, end, index, total)
        done = until


def _while_wanted(frames: Iterator[Rgb], wanted: Callable[[], bool]) -> Iterator[Rgb]:
    for rgb in frames:
        if not wanted():
            raise Unwanted
        yield rgb


def _motion(text: str, luck: np.random.Generator) -> Motion:
    """What the words ask for, at a pace that differs from task to task as a model's does."""
    words = " ".join(text.split())[:_MOST_PROMPT_CHARS] or "static shot"
    motion = Motion.from_prompt(Prompt.written(words))
    factor = float(luck.uniform(0.85, 1.15))
    rates = {name: value * factor for name, value in motion.rates.model_dump().items()}
    return replace(motion, rates=CameraRates(**rates))


def _angle(still: Rgb, mask: SubjectMask, number: int) -> tuple[Rgb, SubjectMask]:
    """The still for the first shot; for later ones a closer part of it, seen from a corner."""
    if number == 0:
        return still, mask
    height, width = still.shape[:2]
    part_h, part_w = max(2, int(height * _CLOSER)), max(2, int(width * _CLOSER))
    along, down = _ANGLES[(number - 1) % len(_ANGLES)]
    top, left = int((height - part_h) * down), int((width - part_w) * along)
    box = np.s_[top : top + part_h, left : left + part_w]
    # Mirrored as well: a cut that changes the framing alone could pass for a zoom.
    shown = np.ascontiguousarray(still[box][:, ::-1])
    return shown, replace(mask, alpha=np.ascontiguousarray(mask.alpha[box][:, ::-1]))


def _covering(rgb: Rgb, size: tuple[int, int]) -> Rgb:
    """A picture enlarged or reduced to cover a (width, height), its middle kept."""
    width, height = size
    scale = max(width / rgb.shape[1], height / rgb.shape[0])
    wide = (max(width, round(rgb.shape[1] * scale)), max(height, round(rgb.shape[0] * scale)))
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    resized = cv2.resize(rgb, wide, interpolation=method)
    left, top = (wide[0] - width) // 2, (wide[1] - height) // 2
    return np.ascontiguousarray(resized[top : top + height, left : left + width])


def _fading(rgb: Rgb, end: Rgb, index: int, total: int) -> Rgb:
    """The frame, giving way to the last frame that was asked for."""
    first = total - 1 - round(_FADE_S * FPS)
    share = (index - first) / (total - 1 - first)
    if share <= 0:
        return rgb
    mixed: Rgb = cv2.addWeighted(end, share, rgb, 1 - share, 0)
    return mixed


def _marked(rgb: Rgb) -> Rgb:
    marked = rgb.copy()
    scale = rgb.shape[0] / 720
    place = (round(24 * scale), rgb.shape[0] - round(24 * scale))
    colour = (255, 255, 255)
    cv2.putText(marked, "EMULATED", place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 2)
    return marked


def _hum(luck: np.random.Generator, duration_s: float) -> NDArray[np.float32]:
    """A soft chord with a breath of noise; no two tasks sound the same."""
    time_s = np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tones = sum(np.sin(2 * np.pi * hertz * time_s) for hertz in luck.uniform(110, 440, 3))
    samples = 0.08 * tones + 0.01 * luck.standard_normal(time_s.size)
    return np.asarray(samples, dtype=np.float32)


def _luck(job: Job) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(job.id.encode()).digest()[:8]))
