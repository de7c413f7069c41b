"""A clean clip for defects, rows of known truth, and a small calibration."""

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lab.calibration import DEFECTS, NUISANCES, card, clean_clips, probes
from lab.calibration.clean_clips import (
    CAMERA_MOVE,
    FOOTAGE,
    CleanClip,
    Source,
    moving_sources,
    photographs,
)
from lab.calibration.moving_subjects import Cutout, MovingSubject
from lab.metrics import SPECS

Row = dict[str, Any]
Truth = Callable[[str, str, float], dict[str, float]]


@pytest.fixture(scope="session")
def disc() -> NDArray[np.uint8]:
    """The subject's mask: (96, 128) uint8, a disc with a hard edge."""
    y, x = np.mgrid[:96, :128]
    return np.where(np.hypot(x - 64, y - 48) < 30, 255, 0).astype(np.uint8)


@pytest.fixture(scope="session")
def textured(texture: NDArray[np.uint8], disc: NDArray[np.uint8]) -> CleanClip:
    """A second of a static grey photograph at half contrast, so that no defect clips."""
    small = cv2.resize(texture, (128, 96), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    soft = (128 + (cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB) - 128.0) / 2).round().astype(np.uint8)
    other = np.ascontiguousarray(small[::-1])
    return CleanClip([soft] * 24, [disc] * 24, 24.0, soft, other)


@pytest.fixture(scope="session")
def moved(texture: NDArray[np.uint8]) -> Callable[[str], CleanClip]:
    """Two seconds of a textured ball that moves over a plain ground, by the name of the move."""
    y, x = np.mgrid[-1:1:120j, -1:1:120j]
    rgb = cv2.resize(texture, (120, 120), interpolation=cv2.INTER_AREA)
    ball = Cutout(rgb, np.where(np.hypot(x, y) < 0.98, 255, 0).astype(np.uint8), 0.5)
    block = Cutout(np.full((80, 80, 3), 60, np.uint8), np.full((80, 80), 255, np.uint8), 0.5)

    @cache
    def clip(move: str) -> CleanClip:
        passer = block if move == "passer-by" else None
        moving = MovingSubject(move, ball, passer, None, size_px=(224, 126), frames=48)
        frames, alphas = moving.draw()
        other = cv2.flip(cv2.resize(texture, (90, 60), interpolation=cv2.INTER_AREA), -1)
        return CleanClip(frames, alphas, 24.0, frames[0], other, moving.still_points)

    return clip


@pytest.fixture(scope="session")
def all_moving() -> list[Source]:
    """All moving subjects of the samples: looking for subjects takes a while."""
    return moving_sources(photographs(None), each=2)


@pytest.fixture(scope="session")
def rows_of() -> Callable[..., list[Row]]:
    """Builds the rows of eight photographs, every second of which is in the final half.

    truth: what each metric adds for a kind, a name and a strength. All clips of a photograph share
    an offset. places: indices of the strengths. move: empty for footage. base_kinds: of all clips,
    those of a camera move or of footage when None.
    """

    def build(
        truth: Truth,
        *,
        places: tuple[int, ...] = (0, 1, 2, 3, 4),
        move: str = "pan",
        base_kinds: tuple[str, ...] | None = None,
    ) -> Any:
        kinds = base_kinds or (CAMERA_MOVE if move else FOOTAGE,)
        rows: list[Row] = []
        for base in range(8):
            known = {
                "base": f"photo {base}, {move}",
                "group": f"photo {base}",
                "move": move,
                "base_kinds": list(kinds),
                "final": base % 2 == 1,
            }
            clips = [("clean", "clean", -1, 0.0)]
            clips += [("nuisance", nuisance.name, -1, 0.0) for nuisance in NUISANCES]
            clips += [
                ("defect", defect.name, place, float(defect.strengths[place]))
                for defect in DEFECTS
                if known["final"] or not defect.held_out
                for place in places
            ]
            for kind, name, place, strength in clips:
                added = truth(kind, name, strength)
                scores = {metric: 0.01 * base + added.get(metric, 0.0) for metric in SPECS}
                what = {"kind": kind, "name": name, "place": place, "strength": strength}
                rows.append({"key": str(len(rows)), **known, **what, "scores": scores})
        return rows

    return build


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[Executor]:
    """Reduces a calibration to eight frames, two camera moves, two nuisances, two defects; one
    worker.
    """
    small = {"FRAMES": 8, "SIZE_PX": (160, 96)}
    moves = {name: clean_clips.MOVES[name] for name in ("locked off", "pan")}
    nuisances = tuple(one for one in NUISANCES if one.name in ("film grain", "mirrored"))
    defects = tuple(one for one in DEFECTS if one.name in ("global flicker", "pulse"))
    for name, value in {**small, "MOVES": moves}.items():
        monkeypatch.setattr(clean_clips, name, value)
    for module in (probes, card):
        monkeypatch.setattr(module, "DEFECTS", defects)
        monkeypatch.setattr(module, "NUISANCES", nuisances)
    calibrate = importlib.import_module("lab.calibration.calibrate")
    monkeypatch.setattr(calibrate, "_MOVES_EACH", 1)
    monkeypatch.setattr(calibrate, "moving_sources", lambda photos, *, each: [])
    monkeypatch.setattr("lab.calibration.statistics._RESAMPLES", 40)
    clean_clips.clean_clip.cache_clear()
    with ThreadPoolExecutor(1) as pool:
        yield pool
    clean_clips.clean_clip.cache_clear()
