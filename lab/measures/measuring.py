"""Measures one clip in a worker, from plain data to plain data."""

from collections.abc import Collection

from lab.measures.record import Measure, MeasureJson
from lab.metrics import METRICS, measure
from lab.stills import Still, StillJson


def measure_clip(
    clip: str, still: StillJson | None, metric_names: Collection[str] | None = None
) -> MeasureJson:
    """The record of a clip as plain data, for `Measure.from_json`.

    still: from `Still.to_json`. metric_names: names of headline or part metrics; only metrics
    that compute one of them are run. None runs every metric. Raises ClipError and StillError.
    """
    opened = None if still is None else Still.from_json(still)
    metrics = [
        metric
        for metric in METRICS
        if metric_names is None or any(spec.name in metric_names for spec in metric.specs)
    ]
    return Measure.from_scores(measure(clip, opened, metrics)).to_json()
