"""Computes scores at matched motion: what each take would score at the median motion of the run.

Scores get worse with motion, because fast clips are harder to generate and to measure. A take that
hardly moves would therefore score well without being good. The flaw of a score is its distance from
the best value: the score itself if less is better. One line is fitted to the logarithms of all
takes of the loaded runs:

    log(max(flaw, floor)) = a + slope * log(motion)

The floor is a tenth of the flaw at the noticeability threshold. The slope is the Theil-Sen estimate
(Theil 1950, Sen 1968), the median of the slopes between all pairs of takes, which is robust against
outliers. A negative slope is set to 0, so that moving less is never rewarded. Then, clipped to the
metric's range:

    flaw at matched motion = flaw * (median motion / motion) ** slope
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.metrics import JUDGED, SPECS
from lab.metrics.motion import TOO_STILL_SHARE

TOO_STILL = "too still to judge"
MIN_TAKES = 6
"""A line needs this many takes with distinct motion."""
DISTINCT_RATIO = 1.1
"""Two values are distinct if one is at least this many times the other."""
MATCHED = tuple(
    name
    for name, spec in SPECS.items()
    if spec.direction != "none" and not math.isnan(spec.unnoticed)
)
MOTION = ("motion", "motion.still")
"""The metrics that decide whether a take moves enough to be judged."""
_FLOOR = 0.1  # of the flaw at the noticeability threshold

Values = NDArray[np.float64]


@dataclass(frozen=True)
class MotionLine:
    """The fitted line: flaw = flaw_at_median * (motion / median_motion) ** slope.

    takes: how many takes were fitted. median_motion: in % of the diagonal per s. flaw_at_median: in
    the metric's unit. reason: why no line was fitted, "" if one was. Without a line the slope is 0
    and scores stay as measured.
    """

    metric: str
    takes: int
    median_motion: float
    flaw_at_median: float = math.nan
    slope: float = 0.0
    reason: str = ""

    def __str__(self) -> str:
        if self.reason:
            return f"{self.metric} as measured"
        spec = SPECS[self.metric]
        flaw = self.metric if spec.direction == "lower" else f"{spec.high:g} - {self.metric}"
        if self.slope == 0:
            return f"{flaw} does not grow with motion"
        return f"{flaw} grows as motion to the power {self.slope:.2g}"

    def predict(self, motion: Values) -> Values:
        """The score on the line at a motion, in the metric's unit."""
        flaw = self.flaw_at_median * (motion / self.median_motion) ** self.slope
        return SPECS[self.metric].flaw(flaw)  # `flaw` is its own inverse, so this is the score

    def adjust(self, score: Values, motion: Values) -> Values:
        """Scores adjusted to the median motion; NaN if the score or the motion is unknown."""
        if self.reason:
            return score
        spec = SPECS[self.metric]
        known = np.where(motion > 0, motion, np.nan)
        flaw = spec.flaw(score) * (self.median_motion / known) ** self.slope
        adjusted = spec.flaw(flaw)  # `flaw` is its own inverse
        return np.clip(adjusted, spec.low, spec.high)


def fit_line(metric: str, score: Values, motion: Values) -> MotionLine:
    """Fit the line to the scores and motions of takes. Takes with a NaN are ignored.

    A line needs `MIN_TAKES` takes with distinct motion.
    """
    from scipy.stats import theilslopes  # imported late: it is slow to load

    moving = motion[motion > 0]
    median_motion = float(np.median(moving)) if moving.size else math.nan
    known = np.isfinite(score) & (motion > 0)
    log_motion = np.log(motion[known])
    takes, distinct = int(known.sum()), _count_distinct(log_motion)
    spec = SPECS[metric]
    floor = spec.flaw(spec.unnoticed) * _FLOOR
    if math.isnan(floor):
        reason = "needs a noticeability threshold"
        return MotionLine(metric, takes, median_motion, reason=reason)
    if distinct < MIN_TAKES:
        reason = (
            f"needs {MIN_TAKES} takes that differ in motion by a tenth, and there are {distinct}"
        )
        return MotionLine(metric, takes, median_motion, reason=reason)
    log_flaw = np.log(np.maximum(spec.flaw(score[known]), floor))
    slope = max(0.0, float(theilslopes(log_flaw, log_motion).slope))
    residuals = log_flaw - slope * (log_motion - math.log(median_motion))
    flaw_at_median = math.exp(float(np.median(residuals)))
    return MotionLine(metric, takes, median_motion, flaw_at_median, slope)


def _count_distinct(logs: Values) -> int:
    """How many values are distinct. Values closer than DISTINCT_RATIO count as one."""
    count, last = 0, -math.inf
    for value in np.sort(logs):
        if value - last >= math.log(DISTINCT_RATIO) - 1e-12:  # tolerates rounding
            count, last = count + 1, value
    return count


def too_still_takes(scores: pd.DataFrame) -> tuple[str, ...]:
    """Ids of the takes that hardly move most of the time. scores: as `Results.scores`."""
    rows = scores[(scores["metric"] == "motion.still") & (scores["value"] >= TOO_STILL_SHARE)]
    return tuple(rows["take_id"])


def unmeasured(scores: pd.DataFrame, metrics: Sequence[str]) -> tuple[str, ...]:
    """Ids of the takes without an up-to-date measurement of one of the metrics."""
    current = scores["metric"].map({name: spec.version for name, spec in SPECS.items()})
    rows = scores[scores["metric"].isin(metrics) & (scores["version"] != current)]
    return tuple(rows["take_id"].unique())


def fit_lines(scores: pd.DataFrame) -> dict[str, MotionLine]:
    """A line for each metric in `MATCHED`, fitted to the takes that are not too still."""
    judged = scores[~scores["take_id"].isin(too_still_takes(scores))]
    wide = judged.pivot(index="take_id", columns="metric", values="value").astype(float)
    wide = wide.reindex(columns=[*MATCHED, "motion"])
    motion = wide["motion"].to_numpy()
    return {metric: fit_line(metric, wide[metric].to_numpy(), motion) for metric in MATCHED}


def at_matched_motion(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of `scores` for the metrics in `MATCHED`, with values at matched motion.

    Two columns are added: raw, the value as measured, and motion, in % of the diagonal per s. The
    value is NaN, with a reason, for takes that are too still to judge and for takes of unknown
    motion, because they may be too still.
    """
    rows = scores[scores["metric"].isin(MATCHED)].copy()
    motion = scores[scores["metric"] == "motion"].set_index("take_id")["value"]
    rows["raw"] = rows["value"].astype(float)
    rows["motion"] = rows["take_id"].map(motion).astype(float)
    for metric, line in fit_lines(scores).items():
        selected = rows["metric"] == metric
        raw, motions = rows.loc[selected, "raw"].to_numpy(), rows.loc[selected, "motion"].to_numpy()
        rows.loc[selected, "value"] = line.adjust(raw, motions)
    unknown = rows["take_id"].isin(unmeasured(scores, MOTION)) & rows["raw"].notna()
    rows.loc[unknown, "value"] = math.nan
    too_still = rows["take_id"].isin(too_still_takes(scores))
    rows.loc[rows["value"].isna() & rows["raw"].notna(), "reason"] = "its motion is unknown"
    rows.loc[too_still, "value"] = math.nan
    rows.loc[too_still, "reason"] = TOO_STILL
    return rows


def describe_motion_lines(lines: Mapping[str, MotionLine]) -> str:
    """Sentences: which judged metrics are matched, at what motion, and why others are not."""
    judged = [lines[metric] for metric in JUDGED]
    fitted = [line for line in judged if not line.reason]
    sentences = []
    if fitted:
        growth = ", ".join(map(str, fitted))
        unit = SPECS["motion"].unit
        takes = min(line.takes for line in fitted)
        sentences.append(
            "At matched motion: what each take would score at the takes' median of "
            f"{fitted[0].median_motion:.3g} {unit} ({growth}; {takes} takes)."
        )
    for reason in dict.fromkeys(line.reason for line in judged if line.reason):
        names = " and ".join(line.metric for line in judged if line.reason == reason)
        names = names.replace(" and ", ", ", names.count(" and ") - 1)
        sentences.append(f"As measured, not at matched motion: {names}; matching {reason}.")
    return " ".join(sentences)
