"""Scores at matched motion: what a take would score if it moved as the median take does.

A score gets worse with motion because fast pictures are harder to make and to measure, so a take
that hardly moves scores well without deserving it. A score's flaw is its distance from the best
value: the score itself where less is better. Over the takes of a run, or of all runs that are
compared, one line is put through the logarithms,

    log(max(flaw, floor)) = a + slope * log(motion)

with a tenth of the flaw that nobody would notice as the floor. The slope is the median of the
slopes between all pairs of takes (Theil 1950, Sen 1968), which a few odd takes cannot turn, and
never below 0: moving less is not to be rewarded. Then, within the metric's range,

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
APART = 1.1
MATCHED = tuple(
    name
    for name, spec in SPECS.items()
    if spec.direction != "none" and not math.isnan(spec.unnoticed)
)
MOTION = ("motion", "motion.still")
"""What says whether a take moves enough to be judged."""
_FLOOR = 0.1  # of the flaw that nobody would notice

Values = NDArray[np.float64]


@dataclass(frozen=True)
class MotionLine:
    """How a score's flaw goes with motion over a run: `level * (motion / middle) ** slope`.

    takes: how many it goes through. middle: the takes' median motion, in
    % of the diagonal per s. level: the line there, in the metric's unit. reason: why there is no
    line, or "" if there is; without one the slope is 0 and scores stay as measured.
    """

    metric: str
    takes: int
    middle: float
    level: float = math.nan
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

    def at(self, motion: Values) -> Values:
        """The line at some motions, in the metric's unit."""
        return SPECS[self.metric].flaw(self.level * (motion / self.middle) ** self.slope)

    def matched(self, score: Values, motion: Values) -> Values:
        """Scores as they would be at the median motion; NaN where either is not known."""
        if self.reason:
            return score
        spec = SPECS[self.metric]
        known = np.where(motion > 0, motion, np.nan)
        flaw = spec.flaw(score) * (self.middle / known) ** self.slope
        return np.clip(spec.flaw(flaw), spec.low, spec.high)


def fit(metric: str, score: Values, motion: Values) -> MotionLine:
    """The line through a run's takes, one value of each a take; NaN is passed over.

    A line takes six takes each of which differs from the next in motion by a tenth or more.
    """
    from scipy.stats import theilslopes  # here, for it takes long to load

    moving = motion[motion > 0]
    middle = float(np.median(moving)) if moving.size else math.nan
    known = np.isfinite(score) & (motion > 0)
    across = np.log(motion[known])
    takes, distinct = int(known.sum()), _distinct(across)
    spec = SPECS[metric]
    floor = spec.flaw(spec.unnoticed) * _FLOOR
    if math.isnan(floor):
        return MotionLine(metric, takes, middle, reason="needs a level that nobody would notice")
    if distinct < MIN_TAKES:
        reason = (
            f"needs {MIN_TAKES} takes that differ in motion by a tenth, and there are {distinct}"
        )
        return MotionLine(metric, takes, middle, reason=reason)
    up = np.log(np.maximum(spec.flaw(score[known]), floor))
    slope = max(0.0, float(theilslopes(up, across).slope))
    level = math.exp(float(np.median(up - slope * (across - math.log(middle)))))
    return MotionLine(metric, takes, middle, level, slope)


def _distinct(logs: Values) -> int:
    """How many values remain when each must be a tenth above the one before."""
    count, last = 0, -math.inf
    for value in np.sort(logs):
        if value - last >= math.log(APART) - 1e-12:
            count, last = count + 1, value
    return count


def too_still(scores: pd.DataFrame) -> tuple[str, ...]:
    """Ids of the takes that hold still for most of the time, from a run's table of scores."""
    rows = scores[(scores["metric"] == "motion.still") & (scores["value"] >= TOO_STILL_SHARE)]
    return tuple(rows["take_id"])


def unmeasured(scores: pd.DataFrame, metrics: Sequence[str]) -> tuple[str, ...]:
    """Ids of the takes for which one of these numbers was not measured by today's definitions."""
    today = scores["metric"].map({name: spec.version for name, spec in SPECS.items()})
    rows = scores[scores["metric"].isin(metrics) & (scores["version"] != today)]
    return tuple(rows["take_id"].unique())


def lines(scores: pd.DataFrame) -> dict[str, MotionLine]:
    """A line for every metric in `MATCHED`, through the takes that are not too still."""
    judged = scores[~scores["take_id"].isin(too_still(scores))]
    wide = judged.pivot(index="take_id", columns="metric", values="value").astype(float)
    wide = wide.reindex(columns=[*MATCHED, "motion"])
    motion = wide["motion"].to_numpy()
    return {metric: fit(metric, wide[metric].to_numpy(), motion) for metric in MATCHED}


def at_matched_motion(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of the metrics in `MATCHED`, with values at matched motion.

    Added columns: raw (as measured) and motion (% of the diagonal per s). NaN, with a reason, for
    takes too still to judge, and for those whose motion was not measured: they may be too still.
    """
    rows = scores[scores["metric"].isin(MATCHED)].copy()
    motion = scores[scores["metric"] == "motion"].set_index("take_id")["value"]
    rows["raw"] = rows["value"].astype(float)
    rows["motion"] = rows["take_id"].map(motion).astype(float)
    for metric, line in lines(scores).items():
        here = rows["metric"] == metric
        of = rows[here]
        rows.loc[here, "value"] = line.matched(of["raw"].to_numpy(), of["motion"].to_numpy())
    unknown = rows["take_id"].isin(unmeasured(scores, MOTION)) & rows["raw"].notna()
    rows.loc[unknown, "value"] = math.nan
    still = rows["take_id"].isin(too_still(scores))
    rows.loc[rows["value"].isna() & rows["raw"].notna(), "reason"] = "its motion is not known"
    rows.loc[still, "value"] = math.nan
    rows.loc[still, "reason"] = TOO_STILL
    return rows


def in_words(found: Mapping[str, MotionLine]) -> str:
    """One line that says which headlines were matched, at what motion, and why others were not."""
    chosen = [found[metric] for metric in JUDGED]
    fitted = [line for line in chosen if not line.reason]
    said = []
    if fitted:
        growth = ", ".join(map(str, fitted))
        unit = SPECS["motion"].unit
        takes = min(line.takes for line in fitted)
        said.append(
            "At matched motion: what each take would score at the takes' median of "
            f"{fitted[0].middle:.3g} {unit} ({growth}; {takes} takes)."
        )
    for reason in dict.fromkeys(line.reason for line in chosen if line.reason):
        names = " and ".join(line.metric for line in chosen if line.reason == reason)
        names = names.replace(" and ", ", ", names.count(" and ") - 1)
        said.append(f"As measured, not at matched motion: {names}; matching {reason}.")
    return " ".join(said)
