"""Measure one clip: a worker that takes and returns plain data."""

from collections.abc import Collection
from typing import Any

from lab.measures.record import Measure
from lab.metrics import METRICS, measure
from lab.stills import Still


def measure_clip(
    clip: str, still: dict[str, Any] | None, numbers: Collection[str] | None = None
) -> dict[str, Any]:
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
