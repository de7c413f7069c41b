"""Small clips with known motion and known defects, and their scores."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lab.media import write_clip
from lab.metrics import ClipScores, Metric, measure
from lab.render import Defects, Motion, Scene, render
from lab.stills import Still

Pixels = NDArray[np.uint8]
ScoreFrames = Callable[..., ClipScores]
Drawn = Callable[..., list[Pixels]]


@pytest.fixture(scope="session")
def write_frames(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write frames as a nearly lossless clip; returns its path."""

    def write(frames: Iterable[Pixels], fps: float = 24) -> Path:
        path = tmp_path_factory.mktemp("scored") / "clip.mp4"
        write_clip(path, (np.ascontiguousarray(rgb) for rgb in frames), fps=fps, crf=8)
        return path

    return write


@pytest.fixture(scope="session")
def score_frames(write_frames: Callable[..., Path]) -> ScoreFrames:
    """Write frames as a clip and score it."""

    def score(
        frames: Iterable[Pixels],
        metrics: Sequence[Metric],
        *,
        still: Still | None = None,
        fps: float = 24,
    ) -> ClipScores:
        return measure(write_frames(frames, fps), still, metrics)

    return score


@pytest.fixture(scope="session")
def ground(photo: Pixels, scene_of: Callable[..., Scene]) -> Scene:
    """A photograph alone, 320x240 with room around it."""
    return scene_of(photo, photo, radius_px=0)


@pytest.fixture(scope="session")
def drawn() -> Drawn:
    """Render a scene; the camera holds still unless a motion is given."""

    def draw(
        scene: Scene,
        defects: Defects | None = None,
        *,
        motion: Motion | None = None,
        count: int = 16,
        fps: float = 24,
        seed: int = 0,
    ) -> list[Pixels]:
        made = render(scene, motion or Motion(), frames=count, fps=fps, seed=seed, defects=defects)
        return [frame.rgb for frame in made]

    return draw


@pytest.fixture(scope="session")
def small(photo: Pixels) -> Pixels:
    """The good still's pixels, 360x240."""
    return cv2.resize(photo, (360, 240), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="session")
def panned(texture: Pixels) -> Callable[..., list[Pixels]]:
    """Frames of a pan to the right over fine texture, 320x240."""
    wide = cv2.resize(texture, (640, 480), interpolation=cv2.INTER_AREA)

    def pan(step_px: int = 3, count: int = 12) -> list[Pixels]:
        return [wide[100:340, step_px * n : step_px * n + 320] for n in range(count)]

    return pan
