"""Render the clips and images of tasks. The task id seeds all random numbers."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.clips import SIMULATED_MARK
from lab.emulator.images import ImageStore, placeholder_image
from lab.emulator.store import Task
from lab.emulator.task_spec import Segment, TaskSpec
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
_IMAGE_SIDE_PX = {"1k": 1024, "2k": 2048}
_MAX_PROMPT_CHARS = 3000
# Crop positions in the still for the second and later shots: (x, y) from 0 (left, top) to 1 (right,
# bottom).
_CROP_POSITIONS = ((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.5, 0.5))
_CROP_SCALE = 0.62

Rgb = NDArray[np.uint8]


class RenderCancelled(Exception):  # noqa: N818 - the caller asked for it, so it is no error
    """The render was cancelled; no partial file remains."""


def render_clip(
    task: Task,
    images: ImageStore,
    path: Path,
    *,
    watermarked: bool = False,
    short_side_px: int | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Render a video task's clip, with a watermark if `watermarked`.

    The clip starts with the whole still, in the still's aspect ratio. In each shot the camera moves
    as the prompt says. The task id seeds its speed and the defects. short_side_px replaces the
    short side of the resolution. Raises RenderCancelled as soon as `is_cancelled` returns True.
    """
    spec = task.spec
    rng = _rng_for(task)
    still = _source_image(spec, images)
    width, height = clip_size_px(spec, still, short_side_px)
    frames = _cancellable(_frames(task, images, still, (width, height), rng), is_cancelled)
    total = spec.duration_s * FPS + 1
    write_clip(
        path,
        (_watermarked(rgb) for rgb in frames) if watermarked else frames,
        fps=FPS,
        comment=f"{SIMULATED_MARK} Kling emulator, task {task.id}",
        sound=_sound_track(rng, total / FPS) if spec.sound else None,
    )


def render_image(task: Task, index: int, images: ImageStore, path: Path) -> None:
    """Render one image of an image task, as PNG."""
    spec = task.spec
    ratio_x, ratio_y = (int(part) for part in spec.aspect_ratio.split(":"))
    side = _IMAGE_SIDE_PX[spec.resolution]
    if ratio_x >= ratio_y:
        size = (side, round(side * ratio_y / ratio_x))
    else:
        size = (round(side * ratio_x / ratio_y), side)
    if spec.still:
        rgb = _cover(images.rgb(spec.still), size)
        brightening = abs(int(_rng_for(task).integers(-12, 13)) + index)
        rgb = cv2.add(rgb, np.full_like(rgb, brightening))
    else:
        rgb = placeholder_image(f"{spec.prompt} {task.id} {index}", *size)
    write_image(path, rgb)


def clip_size_px(spec: TaskSpec, still: Rgb, short_side_px: int | None) -> tuple[int, int]:
    """Width and height of a clip: even numbers, in the still's aspect ratio."""
    height, width = still.shape[:2]
    short = short_side_px or SHORT_SIDE_PX[spec.resolution]
    if not short_side_px and width == height:
        short = _SQUARE_SIDE_PX[spec.resolution]
    scale = short / min(width, height)
    return 2 * round(width * scale / 2), 2 * round(height * scale / 2)


def _source_image(spec: TaskSpec, images: ImageStore) -> Rgb:
    if spec.still:
        return images.rgb(spec.still)
    ratio_x, ratio_y = (int(part) for part in (spec.aspect_ratio or "16:9").split(":"))
    unit = 720 // min(ratio_x, ratio_y)
    return placeholder_image(spec.prompt, ratio_x * unit, ratio_y * unit)


def _frames(
    task: Task,
    images: ImageStore,
    still: Rgb,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Iterator[Rgb]:
    spec = task.spec
    segments = spec.segments or (Segment(spec.duration_s, spec.prompt),)
    total = spec.duration_s * FPS + 1
    end_image = _cover(images.rgb(spec.end_still), size) if spec.end_still else None
    mask = images.subject(spec.still) if spec.still else subject_mask(still)
    seed = int(rng.integers(2**32))
    defects = Defects(
        flicker_dn=float(rng.uniform(0.2, 0.8)),
        drift_de=float(rng.uniform(0.3, 2.0)),
        warp_permille=float(rng.uniform(0.05, 0.3)),
    )
    first_index = 0
    elapsed_s = 0.0
    for number, segment in enumerate(segments):
        elapsed_s += segment.duration_s
        end_index = total if number == len(segments) - 1 else round(elapsed_s * FPS)
        scene = Scene.framed(*_reframed(still, mask, number), *size)
        shot = render(
            scene,
            _motion(segment.prompt, rng),
            frames=max(1, end_index - first_index),
            fps=FPS,
            seed=seed + number,
            defects=defects,
        )
        for index, frame in enumerate(shot, first_index):
            if end_image is None:
                yield frame.rgb
            else:
                yield _fade(frame.rgb, end_image, index, total)
        first_index = end_index


def _cancellable(frames: Iterator[Rgb], is_cancelled: Callable[[], bool]) -> Iterator[Rgb]:
    for rgb in frames:
        if is_cancelled():
            raise RenderCancelled
        yield rgb


def _motion(prompt: str, rng: np.random.Generator) -> Motion:
    """The prompt's motion at a random speed, because real models vary between tasks too."""
    words = " ".join(prompt.split())[:_MAX_PROMPT_CHARS] or "static shot"
    motion = Motion.from_prompt(Prompt.from_text(words))
    factor = float(rng.uniform(0.85, 1.15))
    rates = {name: value * factor for name, value in motion.rates.model_dump().items()}
    return replace(motion, rates=CameraRates(**rates))


def _reframed(still: Rgb, mask: SubjectMask, number: int) -> tuple[Rgb, SubjectMask]:
    """The whole still for the first shot; a mirrored crop for later ones."""
    if number == 0:
        return still, mask
    height, width = still.shape[:2]
    crop_height, crop_width = max(2, int(height * _CROP_SCALE)), max(2, int(width * _CROP_SCALE))
    x, y = _CROP_POSITIONS[(number - 1) % len(_CROP_POSITIONS)]
    top, left = int((height - crop_height) * y), int((width - crop_width) * x)
    box = np.s_[top : top + crop_height, left : left + crop_width]
    # Mirroring makes the cut unmistakable; a crop alone could pass for a zoom.
    crop = np.ascontiguousarray(still[box][:, ::-1])
    return crop, replace(mask, alpha=np.ascontiguousarray(mask.alpha[box][:, ::-1]))


def _cover(rgb: Rgb, size: tuple[int, int]) -> Rgb:
    """Scale an image to cover (width, height) and crop it around its centre."""
    width, height = size
    scale = max(width / rgb.shape[1], height / rgb.shape[0])
    scaled_size = (
        max(width, round(rgb.shape[1] * scale)),
        max(height, round(rgb.shape[0] * scale)),
    )
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    resized = cv2.resize(rgb, scaled_size, interpolation=method)
    left, top = (scaled_size[0] - width) // 2, (scaled_size[1] - height) // 2
    return np.ascontiguousarray(resized[top : top + height, left : left + width])


def _fade(rgb: Rgb, end_image: Rgb, index: int, total: int) -> Rgb:
    """Cross-fade a frame into the requested last frame."""
    first = total - 1 - round(_FADE_S * FPS)
    weight = (index - first) / (total - 1 - first)
    if weight <= 0:
        return rgb
    mixed: Rgb = cv2.addWeighted(end_image, weight, rgb, 1 - weight, 0)
    return mixed


def _watermarked(rgb: Rgb) -> Rgb:
    marked = rgb.copy()
    scale = rgb.shape[0] / 720
    position = (round(24 * scale), rgb.shape[0] - round(24 * scale))
    colour = (255, 255, 255)
    cv2.putText(marked, "EMULATED", position, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 2)
    return marked


def _sound_track(rng: np.random.Generator, duration_s: float) -> NDArray[np.float32]:
    """A quiet chord with noise; no two tasks have the same sound."""
    time_s = np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tones = sum(np.sin(2 * np.pi * hertz * time_s) for hertz in rng.uniform(110, 440, 3))
    samples = 0.08 * tones + 0.01 * rng.standard_normal(time_s.size)
    return np.asarray(samples, dtype=np.float32)


def _rng_for(task: Task) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(task.id.encode()).digest()[:8]))
