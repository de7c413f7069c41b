"""What scores clips. A metric is one file and one line in the table below.

flicker   brightness that changes where nothing should      8-bit code values     lower is better
drift     how far the subject has gone from the still       ΔE00                  lower is better
warp      surfaces that wobble                              ‰ of the diagonal     lower is better
motion    how much moves                                    % of the diagonal / s neither
"""

from lab.metrics.contract import Metric, MetricSpec, Score
from lab.metrics.drift import Drift
from lab.metrics.flicker import Flicker
from lab.metrics.measure import ClipScores, measure
from lab.metrics.motion import Motion
from lab.metrics.warp import Warp

METRICS: tuple[Metric, ...] = (
    Flicker(),
    Drift(),
    Warp(),
    Motion(),
)

SPECS: dict[str, MetricSpec] = {spec.name: spec for metric in METRICS for spec in metric.specs}
HEADLINES: tuple[str, ...] = tuple(name for name, spec in SPECS.items() if spec.headline)

__all__ = [
    "HEADLINES",
    "METRICS",
    "SPECS",
    "ClipScores",
    "Metric",
    "MetricSpec",
    "Score",
    "measure",
]
