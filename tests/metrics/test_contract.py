"""What every metric promises."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lab.metrics import (
    HEADLINES,
    JUDGED,
    METRICS,
    SPECS,
    ClipScores,
    Metric,
    MetricSpec,
    Score,
    measure,
)
from lab.render import Defects, Scene
from lab.stills import Still


@pytest.fixture(params=METRICS, ids=lambda metric: metric.specs[0].name)
def metric(request: pytest.FixtureRequest) -> Metric:
    """Each metric in turn."""
    return request.param


@pytest.fixture(scope="module")
def spoiled(
    write_frames: Callable[..., Path],
    drawn: Callable[..., list[np.ndarray]],
    ground: Scene,
) -> Path:
    """A clip with every kind of defect."""
    return write_frames(drawn(ground, Defects(6, 20, 4), count=14))


@pytest.fixture(scope="module")
def scored(spoiled: Path, coffee: Still) -> ClipScores:
    """Its scores by every metric, measured once."""
    return measure(spoiled, coffee, METRICS)


def _of(metric: Metric, scores: ClipScores) -> list[Score]:
    own = {spec.name for spec in metric.specs}
    return [score for score in scores.scores if score.name in own]


def _values(metric: Metric, scores: ClipScores) -> dict[str, object]:
    """Values by name, the reason where there is none."""
    return {
        # The last digits depend on where in memory the pixels lie.
        score.name: score.reason or pytest.approx(score.value, rel=1e-9, abs=1e-12)
        for score in _of(metric, scores)
    }


def test_every_number_has_a_name_of_its_own() -> None:
    """No two definitions share a name, and the headlines that other tools read are there."""
    names = [spec.name for metric in METRICS for spec in metric.specs]
    assert len(names) == len(set(names)) == len(SPECS)
    assert {"flicker", "drift", "warp", "motion"} <= set(HEADLINES)


def test_the_headline_leads(metric: Metric) -> None:
    """A headline comes first if there is one, and all of a metric share its name."""
    names = [spec.name.split(".")[0] for spec in metric.specs]
    assert len(set(names)) == 1
    assert not any(part.headline for part in metric.specs[1:])


def test_a_definition_is_complete(metric: Metric) -> None:
    """Unit, direction, range, meaning, what must not move it, and a source are stated."""
    for spec in metric.specs:
        assert spec.direction in ("lower", "higher", "none")
        assert spec.low < spec.high
        assert spec.version >= 1
        for text in (spec.unit, spec.says, spec.ignores, spec.reference):
            assert text.strip()


def test_series_lie_inside_the_clip(metric: Metric, scored: ClipScores) -> None:
    """Each series is of a defined number, its frames exist and its values are finite."""
    own = {spec.name for spec in metric.specs}
    series = {name: values for name, values in scored.series.items() if name in own}
    assert scored.frames == len(scored.times_s) == 14
    assert metric.specs[0].name in series
    assert set(scored.series) <= set(SPECS)
    for values in series.values():
        assert values
        assert all(0 <= index < scored.frames for index in values)
        assert all(math.isfinite(value) for value in values.values())


def test_a_score_does_not_depend_on_what_came_before(
    metric: Metric,
    spoiled: Path,
    scored: ClipScores,
    write_frames: Callable[..., Path],
    coffee: Still,
) -> None:
    """The same clip scores the same beside other metrics and alone after another clip."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 128, 128, 3), np.uint8)
    measure(write_frames(noise), coffee, [metric])
    alone = measure(spoiled, coffee, [metric])
    assert {score.name: score.reason or score.value for score in alone.scores} == _values(
        metric, scored
    )


def _spec(**changed: object) -> MetricSpec:
    told = {"name": "new", "unit": "share", "says": "a", "ignores": "b", "reference": "c"}
    return MetricSpec(**{"direction": "lower", **told, **changed})  # type: ignore[arg-type]


def test_a_flaw_grows_as_the_value_gets_worse() -> None:
    """Less is better: the value itself. More is better: what is missing to the best one."""
    lower = _spec(unnoticed=0.5)
    higher = _spec(direction="higher", high=1.0, unnoticed=0.75)
    assert (lower.flaw(2.0), higher.flaw(0.5)) == (2.0, 0.5)
    assert (lower.visibility(2.0), higher.visibility(0.5)) == (4.0, 2.0)
    assert list(higher.visibility(np.array([1.0, 0.75, 0.0]))) == [0, 1, 4]
    assert math.isnan(_spec().visibility(1.0))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"direction": "higher"}, "finite high"),
        ({"direction": "none", "judged": True, "unnoticed": 1.0}, "better direction"),
        ({"name": "new.part", "judged": True, "unnoticed": 1.0}, "only a headline"),
        ({"judged": True}, "unnoticed must be known"),
        ({"direction": "higher", "judged": True, "high": 1.0, "unnoticed": 1.0}, "must be known"),
    ],
    ids=lambda value: str(value),
)
def test_a_definition_that_cannot_be_judged_is_refused(
    changed: dict[str, object], says: str
) -> None:
    """When it is made, and the error names it."""
    with pytest.raises(ValueError, match=rf"^new.*{says}"):
        _spec(**changed)


def test_judged_metrics_are_headlines_with_a_direction() -> None:
    """Those that takes are ranked by stand in the table's order."""
    assert tuple(name for name in HEADLINES if SPECS[name].judged) == JUDGED
    assert {"flicker", "drift", "warp"} <= set(JUDGED)
    assert "motion" not in JUDGED
