"""Flicker: brightness, texture and colour that change where nothing should."""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from lab.calibration.clean_clips import CleanClip
from lab.calibration.defects import boiling, flicker_colour, flicker_local, jelly
from lab.calibration.nuisances import NUISANCES
from lab.metrics import SPECS, ClipScores
from lab.metrics.flicker import Flicker
from lab.stills import Still

ScoreFrames = Callable[..., ClipScores]
Filmed = Callable[..., CleanClip]
Pan = Callable[..., list[np.ndarray]]
# A pan and a handheld camera, each of its own photograph.
TAKES = (("coffee", {"pan": 0.06}), ("astronaut", {"shake": 0.01}))
UNNOTICED = {name: SPECS[name].unnoticed for name in SPECS if name.startswith("flicker")}
HARMLESS = {nuisance.name: nuisance for nuisance in NUISANCES}


@pytest.fixture(scope="module")
def read(score_frames: ScoreFrames, coffee: Still) -> ScoreFrames:
    """Score frames by flicker alone; any still will do, as its subject is not looked at."""

    def score(shown: list[np.ndarray], **how: Any) -> ClipScores:
        return score_frames(shown, [Flicker()], still=coffee, **how)

    return score


def _white(luck: np.random.Generator, count: int) -> np.ndarray:
    """White noise with no luck in its strength: every frequency is equally strong."""
    phases = np.exp(2j * math.pi * luck.random(count // 2 + 1))
    phases[0] = 0
    values = np.fft.irfft(phases, count)
    return values / values.std()


def _lit(shown: list[np.ndarray], offsets: np.ndarray) -> list[np.ndarray]:
    """Every frame lighter by its offset in code values."""
    return [
        np.clip(np.rint(rgb + offset), 0, 255).astype(np.uint8)
        for rgb, offset in zip(shown, offsets, strict=True)
    ]


def test_a_held_frame_does_not_flicker(read: ScoreFrames, small: np.ndarray) -> None:
    """The same picture again and again scores exactly 0, and a note says why."""
    held = read([small] * 10)
    assert {score.value for score in held.scores} == {0.0}
    assert held.notes["flicker"] == "flicker is 0 because one picture is held throughout"


@pytest.mark.parametrize("injected", [1.0, pytest.param(2.0, marks=pytest.mark.slow), 4.0])
def test_injected_flicker_reads_back(read: ScoreFrames, filmed: Filmed, injected: float) -> None:
    """Seen by a moving camera, flicker of the whole picture, of patches and of hue, all at once,
    each reads its own rms: within a tenth, the mean of two takes.
    """
    found: dict[str, list[float]] = {"global": [], "local": [], "colour": []}
    for seed, (name, move) in enumerate(TAKES):
        base = filmed(name, **move)
        luck = np.random.default_rng(seed)
        for inject in (flicker_colour, flicker_local):
            base = CleanClip(inject(base, injected, luck), base.alphas, 24, base.still, base.other)
        shown = _lit(base.frames, injected * _white(luck, len(base.frames)))
        scores = read(shown, crf=4)
        for part, values in found.items():
            values.append(scores.value(f"flicker.{part}"))
        whole = math.hypot(scores.value("flicker.global"), scores.value("flicker.local"))
        assert scores.value("flicker") == pytest.approx(whole)
    assert {part: np.mean(values) for part, values in found.items()} == pytest.approx(
        dict.fromkeys(found, injected), rel=0.1
    )


@pytest.mark.parametrize("injected", [2.0, 4.0])
def test_boiling_texture_reads_back(read: ScoreFrames, filmed: Filmed, injected: float) -> None:
    """Fine texture redrawn in every frame reads its rms within a fifth, and is no other flicker."""
    for seed, (name, move) in enumerate(TAKES):
        base = filmed(name, **move)
        shown = boiling(base, injected, np.random.default_rng(seed))[:24]
        scores = read(shown, crf=4)
        assert scores.value("flicker.texture") == pytest.approx(injected, rel=0.2)
        assert scores.value("flicker.global") < 0.1 * injected


def test_grain_is_not_boiling(read: ScoreFrames, filmed: Filmed) -> None:
    """Independent noise in every pixel, 3 code values strong, counts for a tenth."""
    grained = HARMLESS["film grain"].change(filmed("coffee", pan=0.06)).frames[:24]
    assert read(grained, crf=4).value("flicker.texture") < 0.3


def test_a_wobble_is_no_flicker(read: ScoreFrames, filmed: Filmed) -> None:
    """What moves unsteadily by 2 ‰ of the diagonal reads less than half of what is noticed."""
    shown = jelly(filmed("coffee", pan=0.06), 2, np.random.default_rng(1))[:24]
    scores = read(shown, crf=4)
    for part in ("flicker", "flicker.local", "flicker.texture", "flicker.colour"):
        assert scores.value(part) < 0.5 * UNNOTICED[part]


@pytest.mark.parametrize(("name", "move"), TAKES)
def test_a_clean_camera_move_is_no_flicker(
    read: ScoreFrames, filmed: Filmed, name: str, move: dict[str, float]
) -> None:
    """A clean pan or a shaking hand over a photograph stays unnoticed in every part."""
    scores = read(filmed(name, **move).frames[:20])
    assert all(score.value < UNNOTICED[score.name] for score in scores.scores)


@pytest.mark.parametrize(
    ("name", "bound"), [("exposure ramp", 1), ("fade out", 1), ("passing post", 2)]
)
def test_what_is_no_flicker(read: ScoreFrames, filmed: Filmed, name: str, bound: float) -> None:
    """Light that changes steadily stays unnoticed, and what passes by counts for little."""
    changed = HARMLESS[name].change(filmed("coffee", pan=0.06)).frames[6:-6]
    assert read(changed).value("flicker") < bound * UNNOTICED["flicker"]


def test_every_other_frame_lighter(read: ScoreFrames, panned: Pan) -> None:
    """Brightness that jumps by 6 code values every other frame shows through a pan."""
    shaken = [cv2.add(rgb, (6.0 * (n % 2),) * 3) for n, rgb in enumerate(panned(3, 14))]
    scores = read(shaken)
    # An alternation by 6 is ±3 about its mean, and its second difference is twice as large as
    # that of independent flicker: 6 / sqrt(1.5).
    assert scores.value("flicker.global") == pytest.approx(6 / math.sqrt(1.5), rel=0.1)


def test_the_worst_frame_is_the_one_that_flashed(read: ScoreFrames, panned: Pan) -> None:
    """One lighter frame among clean ones stands out in the series at its own index."""
    shown = panned(3, 14)
    shown[7] = cv2.add(shown[7], (8.0,) * 3)
    series = read(shown).series["flicker.global"]
    assert max(series, key=series.__getitem__) == 7
    assert series[7] == pytest.approx(8 / math.sqrt(1.5), rel=0.1)
    assert series[3] < 0.5


def test_a_cut_is_no_flicker(read: ScoreFrames, small: np.ndarray, panned: Pan) -> None:
    """A cut to another shot does not count, whether the shots are held or move."""
    moving = panned(3, 6) + [255 - rgb[::-1] for rgb in panned(3, 6)]
    assert read(moving).value("flicker") < UNNOTICED["flicker"]
    held = read([small] * 6 + [255 - small[:, ::-1]] * 6).scores[0]
    assert held.reason if math.isnan(held.value) else held.value < UNNOTICED["flicker"]


def test_frames_held_on_twos_flicker_as_one_by_one(read: ScoreFrames, filmed: Filmed) -> None:
    """Each frame shown twice neither hides flicker nor makes any."""
    base = filmed("coffee", pan=0.06)
    shown = _lit(base.frames[:16], 2 * _white(np.random.default_rng(0), 16))
    single, double = (
        read(frames, fps=fps).value("flicker.global")
        for frames, fps in ((shown, 12), ([shown[n // 2] for n in range(32)], 24))
    )
    assert double == pytest.approx(single, rel=0.1)
