"""What must not matter: one clip with known defects, changed in ways that leave it as good."""

import itertools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from lab.calibration.clean_clips import CleanClip
from lab.calibration.defects import drift_colour, flicker_local, jelly
from lab.metrics import HEADLINES, METRICS, SPECS, ClipScores, Metric, measure
from lab.stills import Still

Shown = list[np.ndarray]
FPS = 48
FRAMES = 72

# How far a headline may move, as a share of the unchanged clip's value, by what was changed. The
# widest that is accepted is a quarter, or twice what nobody would notice if that is more: strong
# compression takes away some of the flicker itself. A headline that is not named may move so far.
TOLERANCE: dict[str, dict[str, float]] = {
    "half rate": {"flicker": 0.1, "drift": 0.05, "warp": 0.2, "motion": 0.05},
    "double rate": {"flicker": 0.1, "drift": 0.05, "warp": 0.05, "motion": 0.03},
    "half size": {"flicker": 0.1, "drift": 0.05, "warp": 0.2, "motion": 0.03},
    "double size": {"flicker": 0.1, "drift": 0.05, "warp": 0.05, "motion": 0.03},
    "CRF 18": {"flicker": 0.15, "drift": 0.1, "warp": 0.05, "motion": 0.03},
    "CRF 30": {"flicker": 0.5, "drift": 0.2, "warp": 0.1, "motion": 0.03},
    "mirrored": {"flicker": 0.05, "drift": 0.05, "warp": 0.05, "motion": 0.03},
    "trimmed": {"flicker": 0.1, "drift": math.inf, "warp": 0.1, "motion": 0.05},
}
WIDEST, WIDEST_UNNOTICED = 0.25, 2


@pytest.fixture(scope="module")
def base(filmed: Callable[..., CleanClip]) -> CleanClip:
    """1.5 s of a push-in on a portrait with patches that flicker by 2 code values, a wobble of
    1.5 per mille and a subject whose hue moves by 15, at 48 frames a second.
    """
    clean = filmed("astronaut", count=FRAMES, fps=FPS, size_px=(512, 384), pan=0.04, dolly=0.06)
    spoiled = clean
    for inject, strength in ((drift_colour, 15.0), (jelly, 1.5), (flicker_local, 2.0)):
        luck = np.random.default_rng(5)
        spoiled = replace(spoiled, frames=inject(spoiled, strength, luck))
    return spoiled


def _sized(shown: Shown, scale: float, how: int) -> Shown:
    return [cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=how) for rgb in shown]


@pytest.fixture(scope="module")
def scored(
    base: CleanClip,
    score_frames: Callable[..., ClipScores],
    still_of: Callable[[CleanClip], Still],
) -> Callable[[str], ClipScores]:
    """Scores of the clip, changed in a named way; measured once each."""
    plain = base.frames[::2]
    mirrored = replace(base, still=np.ascontiguousarray(base.still[:, ::-1]))
    still = still_of(base)

    @cache
    def score(change: str) -> ClipScores:
        shown, fps, crf, beside = plain, FPS / 2, 12, still
        if change == "half rate":
            shown, fps = base.frames[::4], FPS / 4
        elif change == "double rate":
            shown, fps = base.frames, FPS
        elif change == "half size":
            shown = _sized(plain, 0.5, cv2.INTER_AREA)
        elif change == "double size":
            shown = _sized(plain, 2, cv2.INTER_CUBIC)
        elif change.startswith("CRF"):
            crf = int(change[4:])
        elif change == "mirrored":
            shown, beside = [rgb[:, ::-1] for rgb in plain], still_of(mirrored)
        elif change == "trimmed":
            shown = plain[:24]
        return score_frames(shown, METRICS, still=beside, fps=fps, crf=crf)

    return score


def test_the_defects_are_there(scored: Callable[[str], ClipScores]) -> None:
    """The unchanged clip reads what was put into it, so that something could be lost."""
    scores = scored("unchanged")
    assert scores.value("flicker") == pytest.approx(2, rel=0.15)
    for name in ("warp", "drift"):
        assert scores.value(name) > 2 * SPECS[name].unnoticed
    assert scores.value("motion") > 2


@pytest.mark.parametrize(
    ("change", "name"),
    [
        # Weaker than the compression beside it.
        pytest.param(change, name, marks=[pytest.mark.slow] if change == "CRF 18" else [])
        for change, of in TOLERANCE.items()
        for name in HEADLINES
        if of.get(name) != math.inf  # a shorter clip has less drift
    ],
)
def test_a_headline_stays(scored: Callable[[str], ClipScores], change: str, name: str) -> None:
    """Another rate, size, compression, length or side leaves each headline where it was."""
    before, after = scored("unchanged").value(name), scored(change).value(name)
    unnoticed = SPECS[name].flaw(SPECS[name].unnoticed)
    widest = np.nanmax([WIDEST * before, WIDEST_UNNOTICED * unnoticed])
    tolerance = TOLERANCE[change].get(name)
    allowed = widest if tolerance is None else tolerance * before
    assert allowed <= widest
    assert after == pytest.approx(before, abs=allowed)


def test_trimming_shortens_a_drift_in_proportion(scored: Callable[[str], ClipScores]) -> None:
    """Of two thirds of the clip, the subject has gone two thirds of the way."""
    colours = [scored(change).value("drift.colour") for change in ("unchanged", "trimmed")]
    assert colours[1] == pytest.approx(2 / 3 * colours[0], rel=0.15)
    assert scored("trimmed").value("drift") < 0.85 * scored("unchanged").value("drift")


def test_a_mirror_turns_the_pan_round(scored: Callable[[str], ClipScores]) -> None:
    """Mirrored, the camera goes the other way across, and the same way in and up."""
    plain, mirrored = scored("unchanged"), scored("mirrored")
    for part, sign in (("pan", -1), ("roll", -1), ("tilt", 1), ("zoom", 1)):
        name = f"motion.{part}"
        assert mirrored.value(name) == pytest.approx(sign * plain.value(name), rel=0.05, abs=0.3)


def _values(metrics: Sequence[Metric], scores: ClipScores) -> dict[str, float]:
    own = {spec.name for metric in metrics for spec in metric.specs}
    return {score.name: score.value for score in scores.scores if score.name in own}


def _short(base: CleanClip) -> Shown:
    return [np.ascontiguousarray(rgb[60:320, 80:420]) for rgb in base.frames[::4][:9]]


def test_other_metrics_do_not_matter(
    base: CleanClip,
    write_frames: Callable[..., object],
    still_of: Callable[[CleanClip], Still],
) -> None:
    """A metric gives the same alone, with some of the others and in another order."""
    clip, still = str(write_frames(_short(base), 12)), still_of(base)
    together = measure(clip, still, METRICS)
    chosen = [(metric,) for metric in METRICS]
    chosen += [tuple(reversed(METRICS)), *itertools.islice(itertools.permutations(METRICS, 2), 3)]
    for metrics in chosen:
        # The last digits depend on where in memory the pixels lie.
        assert _values(metrics, measure(clip, still, metrics)) == pytest.approx(
            _values(metrics, together), rel=1e-6, abs=1e-9, nan_ok=True
        )


def test_threads_do_not_matter(
    base: CleanClip,
    write_frames: Callable[..., object],
    still_of: Callable[[CleanClip], Still],
) -> None:
    """Measured by three threads at once, beside another clip, a clip scores what it scores alone;
    and no metric changes how many threads there are.
    """
    clip = str(write_frames(_short(base), 12))
    other = str(write_frames([rgb[::-1] for rgb in _short(base)], 12))
    still, before = still_of(base), cv2.getNumThreads()
    alone = {path: _values(METRICS, measure(path, still, METRICS)) for path in (clip, other)}
    with ThreadPoolExecutor(3) as pool:
        jobs = [(path, pool.submit(measure, path, still, METRICS)) for path in (clip, other, clip)]
        for path, job in jobs:
            assert _values(METRICS, job.result()) == pytest.approx(
                alone[path], rel=1e-6, abs=1e-9, nan_ok=True
            )
    assert cv2.getNumThreads() == before == 1
