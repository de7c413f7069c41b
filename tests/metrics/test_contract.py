"""What every metric promises."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lab.metrics import HEADLINES, METRICS, SPECS, ClipScores, Metric, Score, measure
from lab.render import Defects, Scene
from lab.stills import Still


@pytest.fixture(params=METRICS, ids=lambda metric: metric.specs[0].name)
def metric(request: pytest.FixtureRequest) -> Metric:
    """Each metric in turn."""
    return request.param


@pytest.fixture(scope="module")
def clips(
    write_frames: Callable[..., Path],
    drawn: Callable[..., list[np.ndarray]],
    panned: Callable[..., list[np.ndarray]],
    ground: Scene,
    small: np.ndarray,
) -> dict[str, Path]:
    """Clips of every kind: held, moving, broken, cut, flat, and of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 128, 128, 3), np.uint8)
    return {
        "held": write_frames([small] * 8),
        "pan": write_frames(panned(5, 8)),
        "defects": write_frames(drawn(ground, Defects(6, 20, 4), count=14)),
        "cut": write_frames([small] * 4 + [255 - small[:, ::-1]] * 4),
        "flat": write_frames([np.full((128, 128, 3), 90, np.uint8)] * 6),
        "noise": write_frames(noise),
        "one": write_frames([small]),
        "two": write_frames([small] * 2),
        "tiny": write_frames([small[:12, :12]] * 5),
    }


@pytest.fixture(scope="module")
def scored(clips: dict[str, Path]) -> Callable[[str], ClipScores]:
    """Scores of a kind of clip by every metric, measured once."""
    return cache(lambda kind: measure(clips[kind], None, METRICS))


KINDS = ["held", "pan", "defects", "cut", "flat", "noise", "one", "two", "tiny"]


def _of(metric: Metric, scores: ClipScores) -> list[Score]:
    return [s for s in scores.scores if s.name.split(".")[0] == metric.specs[0].name]


def _values(metric: Metric, scores: ClipScores) -> dict[str, object]:
    """Values by name, the reason where there is none."""
    return {
        # The last digits depend on where in memory the pixels lie.
        score.name: score.reason or pytest.approx(score.value, rel=1e-9, abs=1e-12)
        for score in _of(metric, scores)
    }


def test_every_number_has_a_name_of_its_own() -> None:
    """No two definitions share a name, and the four headlines are there."""
    names = [spec.name for metric in METRICS for spec in metric.specs]
    assert len(names) == len(set(names)) == len(SPECS)
    assert HEADLINES == ("flicker", "drift", "warp", "motion")


def test_the_headline_leads(metric: Metric) -> None:
    """One headline first, and every part is named after it."""
    head, *parts = metric.specs
    assert head.headline
    assert all(part.name.startswith(f"{head.name}.") and not part.headline for part in parts)


def test_a_definition_is_complete(metric: Metric) -> None:
    """Unit, direction, range, meaning, what must not move it, and a source are stated."""
    for spec in metric.specs:
        assert spec.direction in ("lower", "higher", "none")
        assert spec.low < spec.high
        assert spec.version >= 1
        for text in (spec.unit, spec.says, spec.ignores, spec.reference):
            assert text.strip()


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_is_in_range_or_says_why_not(
    metric: Metric, scored: Callable[[str], ClipScores], kind: str
) -> None:
    """Every definition yields a value inside its range, or NaN with a reason, and never both."""
    found = _of(metric, scored(kind))
    assert [score.name for score in found] == [spec.name for spec in metric.specs]
    for spec, score in zip(metric.specs, found, strict=True):
        if math.isnan(score.value):
            assert score.reason
        else:
            assert not score.reason
            assert spec.low <= score.value <= spec.high
            assert math.isfinite(score.value)


def test_one_frame_is_no_data(metric: Metric, scored: Callable[[str], ClipScores]) -> None:
    """A clip of one frame scores NaN with a reason, never 0."""
    for score in _of(metric, scored("one")):
        assert math.isnan(score.value)
        assert score.reason


def test_one_frame_beside_its_still_is_never_0(
    metric: Metric, clips: dict[str, Path], coffee: Still
) -> None:
    """With a still, one frame may be compared with it, but nothing is called perfect."""
    for score in measure(clips["one"], coffee, [metric]).scores:
        assert score.reason if math.isnan(score.value) else score.value != 0


def test_series_lie_inside_the_clip(metric: Metric, scored: Callable[[str], ClipScores]) -> None:
    """Each series is of a defined number, its frames exist and its values are finite."""
    scores = scored("defects")
    own = {spec.name for spec in metric.specs}
    series = {name: values for name, values in scores.series.items() if name in own}
    assert scores.frames == len(scores.times_s) == 14
    assert metric.specs[0].name in series
    assert set(scores.series) <= set(SPECS)
    for values in series.values():
        assert values
        assert all(0 <= index < scores.frames for index in values)
        assert all(math.isfinite(value) for value in values.values())


def test_a_score_does_not_depend_on_what_came_before(
    metric: Metric, clips: dict[str, Path], scored: Callable[[str], ClipScores]
) -> None:
    """The same clip scores the same alone, beside other metrics, and after another clip."""
    together = _values(metric, scored("defects"))
    first = _values(metric, measure(clips["defects"], None, [metric]))
    measure(clips["noise"], None, [metric])
    again = measure(clips["defects"], None, [metric])
    assert {score.name: score.reason or score.value for score in again.scores} == together
    assert {score.name: score.reason or score.value for score in again.scores} == first
