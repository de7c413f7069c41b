"""Small clips with known motion and known defects, and their scores."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lab.calibration.clean_clips import CleanClip
from lab.media import open_image, write_clip, write_image
from lab.metrics import ClipScores, Metric, measure
from lab.metrics.moment import Moment, Stride
from lab.metrics.reference import Reference
from lab.prompts.vocabulary import CameraRates, Pace
from lab.render import Defects, Motion, Scene, render
from lab.stills import Still
from lab.vision import FlowPair, SubjectMask, find_keypoints, subject_mask

Pixels = NDArray[np.uint8]
ScoreFrames = Callable[..., ClipScores]
Drawn = Callable[..., list[Pixels]]


@pytest.fixture(scope="session")
def write_frames(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write frames as a nearly lossless clip; returns its path."""

    def write(frames: Iterable[Pixels], fps: float = 24, crf: int = 8) -> Path:
        path = tmp_path_factory.mktemp("scored") / "clip.mp4"
        write_clip(path, (np.ascontiguousarray(rgb) for rgb in frames), fps=fps, crf=crf)
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
        crf: int = 8,
    ) -> ClipScores:
        return measure(write_frames(frames, fps, crf), still, metrics)

    return score


@pytest.fixture(scope="session")
def stills(stills_dir: Path) -> Callable[[str], Still]:
    """A photograph as a still, by its name."""
    return cache(lambda name: Still.open(stills_dir / f"{name}.jpg"))


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


@pytest.fixture(scope="session")
def filmed(stills_dir: Path) -> Callable[..., CleanClip]:
    """Film a photograph around its subject, clean: a steady camera move of those rates."""

    @cache
    def film(
        name: str = "coffee",
        *,
        count: int = 48,
        fps: float = 24,
        size_px: tuple[int, int] = (384, 256),
        **rates: float,
    ) -> CleanClip:
        rgb = open_image(stills_dir / f"{name}.jpg").rgb
        other = "astronaut" if name == "coffee" else "coffee"
        scene = Scene.framed(rgb, subject_mask(rgb), *size_px)
        move = Motion(CameraRates(**rates), Pace(amplitude=1.0, easing="linear"))
        drawn = list(render(scene, move, frames=count, fps=fps, seed=3))
        shown = [frame.rgb for frame in drawn]
        another = cv2.resize(open_image(stills_dir / f"{other}.jpg").rgb, size_px)
        return CleanClip(shown, [frame.subject_alpha for frame in drawn], fps, shown[0], another)

    return film


@pytest.fixture(scope="session")
def still_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[CleanClip], Still]:
    """The first frame of a filmed photograph as a still; the same one each time."""
    folder = tmp_path_factory.mktemp("stills")
    kept: dict[int, tuple[CleanClip, Still]] = {}

    def still(base: CleanClip) -> Still:
        if id(base) not in kept:
            path = folder / f"{len(kept)}.png"
            write_image(path, base.still)
            kept[id(base)] = (base, Still.open(path))
        return kept[id(base)][1]

    return still


@pytest.fixture(scope="session")
def plain() -> Callable[..., Reference]:
    """A reference whose subject is given, not looked for: the whole picture without an alpha."""

    def refer(rgb: Pixels, alpha: NDArray[np.float32] | None = None) -> Reference:
        mask = SubjectMask(np.zeros(rgb.shape[:2], np.float32), "none", "no subject was given")
        if alpha is not None:
            mask = SubjectMask(alpha, "u2netp")
        keypoints = find_keypoints(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
        return Reference(rgb, mask, keypoints, is_still=True)

    return refer


@pytest.fixture(scope="session")
def strode() -> Callable[..., Moment]:
    """A moment at the end of a stride whose flow is known and believed everywhere."""

    def stride(
        flow: NDArray[np.float32],
        subject: NDArray[np.float32] | None = None,
        *,
        seconds: float = 0.125,
    ) -> Moment:
        size = flow.shape[:2]
        believed = np.ones(size, bool)
        grey = np.random.default_rng(0).integers(0, 256, size, np.uint8)
        where = np.zeros(size, np.float32) if subject is None else subject
        pair = FlowPair(flow, -flow, believed, believed)
        found = Stride(0, 0.0, seconds, grey, where, pair, None)
        rgb = np.dstack([grey] * 3)
        return Moment(3, seconds, rgb, rgb, stride=found)

    return stride
