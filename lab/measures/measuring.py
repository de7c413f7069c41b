"""Measure one clip: a worker that takes and returns plain data."""

from collections.abc import Collection

from lab.measures.record import Measure, MeasureJson
from lab.metrics import METRICS, measure
from lab.stills import Still, StillJson


def measure_clip(
    clip: str, still: StillJson | None, numbers: Collection[str] | None = None
) -> MeasureJson:
    """Worker: the record of a clip as plain data.

    still: as `Still.to_json` gives it. numbers: names of headlines or parts; only the metrics that
    give them are run. Every metric is run when None. Raises ClipError and StillError.
    """
    opened = None if still is None else Still.from_json(still)
    metrics = [
        metric
        for metric in METRICS
        if numbers is None or any(spec.name in numbers for spec in metric.specs)
    ]
    return Measure.of(measure(clip, opened, metrics)).to_json()
