"""Defines `Evidence`: how visible the flaws of a run's takes are, by prompt and by still."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import pandas as pd

from lab.analysis.compliance import compliance
from lab.analysis.matched_motion import DISTINCT_RATIO, MOTION, unmeasured
from lab.analysis.results import Results
from lab.errors import InputError
from lab.metrics import JUDGED, SPECS
from lab.prompts import Prompt
from lab.runs import Ledger
from lab.stills import Still

NOTICEABLE = 1.0  # the visibility of a flaw that is just noticeable
Level = TypeVar("Level", bound=Hashable)


@dataclass(frozen=True)
class Standings(Generic[Level]):
    """How visible the flaws are at each level of a factor: the median over its takes, or NaN.

    best: the level with the least visible flaws; None if no level can be judged.
    """

    medians: dict[Level, float]
    best: Level | None

    @property
    def best_median(self) -> float:
        """The median of the best level; NaN if no level can be judged."""
        return np.nan if self.best is None else self.medians[self.best]

    @property
    def alone(self) -> bool:
        """True if fewer than two levels can be judged, so that none has another to compare with."""
        return sum(not np.isnan(median) for median in self.medians.values()) < 2


class Evidence:
    """The takes of a run by level, with the visibility of their flaws.

    The visibility of a take is the mean of its judged flaws, each as a multiple of its
    noticeability threshold. Raises InputError if no take has one.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        with Ledger.read(results.folder.ledger) as ledger:
            rows = ledger.takes()
        self.shots = {row.take_id: row.take.shot for row in rows}
        takes = results.takes
        wide = results.headlines()
        visibilities = {name: wide[name].map(SPECS[name].visibility) for name in JUDGED}
        visibility = pd.DataFrame(visibilities).mean(axis=1)
        # A take without all judged metrics is left out, because means over different metrics are
        # not comparable; one without motion, because it may be too still.
        incomplete = unmeasured(results.scores, (*JUDGED, *MOTION))
        visibility = visibility.where(~visibility.index.isin(incomplete))
        if not visibility.notna().any():
            reason = next(iter(results.not_fresh.values()), "no take is scored yet; finish the run")
            raise InputError(f"{results.folder.path}: no scores to base advice on: {reason}")
        self.visibility = visibility.where(~visibility.index.isin(results.too_still))
        self.wide = wide
        self.prompts = list(dict.fromkeys(self.shots[take].prompt for take in takes["take_id"]))
        stills = (self.shots[take].still for take in takes["take_id"])
        self.stills = list(dict.fromkeys(still for still in stills if still is not None))
        self.compliance = compliance(results)

    def takes_of_prompt(self, prompt: Prompt) -> list[str]:
        """The ids of the takes with a prompt."""
        return [take for take, shot in self.shots.items() if shot.prompt == prompt]

    def takes_of_still(self, still: Still) -> list[str]:
        """The ids of the takes from a still."""
        return [take for take, shot in self.shots.items() if shot.still == still]

    def zipped(self, factor: str) -> bool:
        """True if the factor is varied together with another one."""
        return any(factor in group for group in self.results.sweep.get("zip", []))

    def median_visibility(self, takes: Sequence[str]) -> float:
        """The median visibility of some takes; NaN if none can be judged."""
        values = self.visibility.reindex(list(takes)).dropna()
        return float(values.median()) if len(values) else np.nan

    def standings(self, takes: Mapping[Level, Sequence[str]]) -> Standings[Level]:
        """The standings of the levels of a factor, from the takes of each."""
        medians = {level: self.median_visibility(ids) for level, ids in takes.items()}
        judged = {level: median for level, median in medians.items() if not np.isnan(median)}
        return Standings(medians, min(judged, key=judged.__getitem__) if judged else None)

    def is_clearly_better(self, prompt: Prompt, visibility: float) -> bool:
        """True if the prompt's takes have clearly less visible flaws than `visibility`."""
        return self.median_visibility(self.takes_of_prompt(prompt)) * DISTINCT_RATIO < visibility

    def describe(self, takes: Sequence[str], best: float) -> str:
        """The median scores of some takes as text. best: median visibility of the best level."""
        medians = self.wide.reindex(list(takes)).median()
        known = [name for name in JUDGED if not np.isnan(medians[name])]
        parts = [f"{name} {medians[name]:.2g} {SPECS[name].unit}" for name in known]
        visibility = self.median_visibility(takes)
        count = f"median of {len(takes)} takes" if len(takes) > 1 else "1 take"
        text = f"{', '.join(parts)} ({count})"
        if visibility > best * DISTINCT_RATIO:
            return f"{text}: flaws {visibility / best:.2g}x as visible as those of the best"
        return f"{text}: flaws {visibility:.2g}x the noticeability threshold"
