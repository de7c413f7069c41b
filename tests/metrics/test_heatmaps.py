"""Pictures of where a clip's scores come from."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from lab.media import frames, probe
from lab.metrics import HEADLINES, METRICS, measure, measure_with_heatmaps
from lab.metrics.flicker import Flicker
from lab.metrics.motion import Motion

Write = Callable[..., Path]
Pan = Callable[..., list[np.ndarray]]


def _heat(film: Path) -> np.ndarray:
    """Mean distance from grey over a film's frames, (h, w)."""
    shown = [frame.rgb.astype(int) for frame in frames(film)]
    return np.mean([np.ptp(rgb, axis=2) for rgb in shown], axis=0)


@pytest.fixture(scope="module")
def spoiled(panned: Pan) -> list[np.ndarray]:
    """A pan whose upper left corner flickers."""
    luck = np.random.default_rng(0)
    shown = [np.ascontiguousarray(rgb) for rgb in panned(1, 14)]
    for rgb in shown:
        offset = int(luck.integers(-12, 13))
        rgb[20:100, 20:120] = np.clip(rgb[20:100, 20:120].astype(int) + offset, 0, 255)
    return shown


def test_a_film_a_headline_frame_for_frame(
    write_frames: Write, spoiled: list[np.ndarray], tmp_path: Path
) -> None:
    """Every headline has a film as long as the clip, at its rate, and the scores are as ever."""
    clip = write_frames(spoiled)
    scores, films = measure_with_heatmaps(clip, None, METRICS, tmp_path)
    assert sorted(film.name.split(".")[1] for film in films) == sorted(HEADLINES)
    assert sorted(tmp_path.iterdir()) == sorted(films)
    alone = {score.name: score.value for score in measure(clip, None, METRICS).scores}
    together = {score.name: score.value for score in scores.scores}
    assert together == pytest.approx(alone, rel=1e-6, nan_ok=True)
    for film in films:
        facts = probe(film)
        assert (facts.frames, facts.fps) == (14, 24)
        assert (facts.width_px, facts.height_px) == (320, 240)
        assert film.name.startswith(f"clip-{scores.clip.sha256[:8]}.")


def test_it_glows_where_the_defect_is(
    write_frames: Write, spoiled: list[np.ndarray], tmp_path: Path
) -> None:
    """The flickering corner takes colour, the rest stays grey."""
    _, (film,) = measure_with_heatmaps(write_frames(spoiled), None, [Flicker()], tmp_path)
    heat = _heat(film)
    assert heat[40:80, 40:100].mean() > 5 * heat[140:, 160:].mean()
    assert heat[40:80, 40:100].mean() > 30


def test_the_same_defect_glows_the_same_in_every_clip(
    write_frames: Write, spoiled: list[np.ndarray], panned: Pan, tmp_path: Path
) -> None:
    """Colours are not stretched to the clip: a clean clip stays grey."""
    _, (film,) = measure_with_heatmaps(write_frames(panned(1, 14)), None, [Flicker()], tmp_path)
    assert _heat(film).mean() < 25


def test_an_odd_size_makes_a_film(write_frames: Write, panned: Pan, tmp_path: Path) -> None:
    """A clip that is reduced to an odd number of columns loses one in its film."""
    shown = [cv2.resize(rgb, (486, 514)) for rgb in panned(3, 8)]
    clip = write_frames(shown)
    assert next(iter(frames(clip, 256))).rgb.shape[0] % 2 == 1
    _, (film,) = measure_with_heatmaps(clip, None, [Motion()], tmp_path)
    facts = probe(film)
    assert (facts.width_px % 2, facts.height_px % 2, facts.frames) == (0, 0, 8)


def test_without_a_field_there_is_no_film(
    write_frames: Write, small: np.ndarray, tmp_path: Path
) -> None:
    """One frame shows nothing that flickers or moves, and so no film is written."""
    _, films = measure_with_heatmaps(write_frames([small]), None, [Flicker(), Motion()], tmp_path)
    assert films == []
    assert list(tmp_path.iterdir()) == []
