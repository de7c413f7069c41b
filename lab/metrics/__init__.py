"""What scores clips. A metric is one file and one line in the table below.

flicker   brightness that changes where nothing should      8-bit code values     lower is better
drift     how far the subject has gone from the still       % of another subject  lower is better
warp      surfaces that wobble                              ‰ of the diagonal     lower is better
motion    how much moves                                    % of the diagonal / s neither
events    cuts, repeats, freezes and flashes; no headline   each its own          lower is better
exposure  lighter, darker, clipped; no headline             each its own          each its own

`literature` gives the numbers that papers report, under their own names, only when asked.
"""

from lab.metrics.contract import LOW_CONFIDENCE, Measured, Metric, MetricSpec, Score
from lab.metrics.drift import Drift
from lab.metrics.events import Events
from lab.metrics.explain import Worst, explain
from lab.metrics.exposure import Exposure
from lab.metrics.flicker import Flicker
from lab.metrics.heatmaps import measure_with_heatmaps
from lab.metrics.literature import LITERATURE, literature
from lab.metrics.measure import ClipScores, measure
from lab.metrics.motion import Motion
from lab.metrics.warp import Warp

METRICS: tuple[Metric, ...] = (
    Flicker(),
    Drift(),
    Warp(),
    Motion(),
    Events(),
    Exposure(),
)

SPECS: dict[str, MetricSpec] = {spec.name: spec for metric in METRICS for spec in metric.specs}
HEADLINES: tuple[str, ...] = tuple(name for name, spec in SPECS.items() if spec.headline)
JUDGED: tuple[str, ...] = tuple(name for name, spec in SPECS.items() if spec.judged)

__all__ = [
    "HEADLINES",
    "JUDGED",
    "LITERATURE",
    "LOW_CONFIDENCE",
    "METRICS",
    "SPECS",
    "ClipScores",
    "Measured",
    "Metric",
    "MetricSpec",
    "Score",
    "Worst",
    "explain",
    "literature",
    "measure",
    "measure_with_heatmaps",
]
