"""Chooses the stills of the next sweep and explains each change."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.analysis.evidence import NOTICEABLE, Evidence
from lab.analysis.matched_motion import DISTINCT_RATIO
from lab.analysis.suggestion import Suggestion
from lab.files import file_name, file_suffix
from lab.findings import Finding
from lab.stills import Still, fit, preflight
from lab.units import RATIOS

_FRAMING = ("cropped", "ratio_cuts_subject")
_RESOLUTION = ("low_resolution", "too_small")  # depend on the sweep's resolution as well
_MAX_QUOTED = 3


@dataclass(frozen=True)
class NextStill:
    """A still of the next sweep. extend_to: the ratio to extend it to, "" to leave it as it is."""

    still: Still
    name: str
    extend_to: str = ""

    def save(self, folder: Path) -> Path:
        """Copy or extend the still into a folder; returns its path."""
        if self.extend_to:
            ratio = self.extend_to.replace(":", "x")
            target = folder / file_name(self.name, f"_{ratio}.png")
            return fit(self.still, self.extend_to, mode="extend", path=target).path
        target = folder / file_name(self.name, file_suffix(self.still.path))
        shutil.copyfile(self.still.path, target)
        return target


def next_stills(evidence: Evidence) -> tuple[list[NextStill], list[tuple[float, Suggestion]]]:
    """The stills of the next sweep, and the suggestions.

    Each suggestion is paired with how visible the flaws of its still are: the median over the
    still's takes. If the stills are zipped with another factor, each is kept or replaced at its
    position, and their number does not change. If not, and the best still is extended, the original
    is included too.
    """
    names = dict(
        zip(evidence.results.takes["take_id"], evidence.results.takes["still"], strict=True)
    )
    takes_of = {still: evidence.takes_of_still(still) for still in evidence.stills}
    standings = evidence.standings(takes_of)
    best, best_median, alone = standings.best, standings.best_median, standings.alone
    zipped = evidence.zipped("still")
    stills, suggestions = [], []
    for still, takes in takes_of.items():
        name, located = names[takes[0]], evidence.results.folder.locate(still)
        unchanged = NextStill(located, name)
        warnings = _warnings(evidence, located, takes)
        flawed = standings.medians[still] > (NOTICEABLE if alone else best_median * DISTINCT_RATIO)
        if not warnings or not flawed:
            stills.append(unchanged)
            continue
        quoted = [finding.says for finding in warnings[:_MAX_QUOTED]]
        reason = "; ".join([*quoted, evidence.describe(takes, best_median)])
        ratio = _only_ratio(evidence, takes)
        about = f"still {name!r}"
        if ratio and _extending_helps(located, ratio, warnings, alone=alone):
            change = f"extend it to {ratio} so that nothing is cut"
            extended = NextStill(located, name, extend_to=ratio)
            stills += [unchanged] * (still == best and not zipped) + [extended]
            after = f"{name}, extended"
            suggestion = Suggestion("other_framing", about, change, reason, name, after)
        elif not alone and not zipped and still != best:
            change = "leave it out, or use a cleaner still: " + warnings[0].fix
            suggestion = Suggestion("cleaner_still", about, change, reason, name, "")
        else:
            stills.append(unchanged)
            change = "use a cleaner still: " + warnings[0].fix
            suggestion = Suggestion("cleaner_still", about, change, reason, name, "")
        suggestions.append((standings.medians[still], suggestion))
    return stills, suggestions


def next_end_stills(evidence: Evidence) -> Iterator[NextStill]:
    """The run's end stills, unchanged."""
    end_stills = dict.fromkeys(shot.end_still for shot in evidence.shots.values())
    for still in end_stills:
        if still is not None:
            located = evidence.results.folder.locate(still)
            yield NextStill(located, f"end_{located.name}")


def _warnings(evidence: Evidence, still: Still, takes: Sequence[str]) -> list[Finding]:
    """Preflight's warnings and errors about a still in the ratios and resolutions of its takes.

    Findings about resolution are left out: they depend on the sweep as well, and the plan shows
    them.
    """
    warnings: dict[str, Finding] = {}
    for shot in {evidence.shots[take] for take in takes}:
        checked = preflight(
            still,
            aspect_ratio=shot.settings.aspect_ratio,
            resolution=shot.settings.resolution,
        )
        for finding in checked.findings:
            if finding.severity != "note" and finding.kind not in _RESOLUTION:
                warnings.setdefault(finding.kind, finding)
    return list(warnings.values())


def _only_ratio(evidence: Evidence, takes: Sequence[str]) -> str:
    """The aspect ratio of the takes; "" if they have several."""
    ratios = {evidence.shots[take].settings.aspect_ratio for take in takes}
    return ratios.pop() if len(ratios) == 1 else ""


def _extending_helps(still: Still, ratio: str, warnings: Sequence[Finding], *, alone: bool) -> bool:
    """True if the ratio cuts the still and all warnings are about framing.

    For the only still of a run one such warning is enough, because it cannot be left out.
    """
    own_ratio = still.width_px / still.height_px
    cuts = abs(float(RATIOS[ratio]) / own_ratio - 1) > 0.02  # rounded sizes differ by less
    framing = [finding.kind in _FRAMING for finding in warnings]
    return cuts and (any(framing) if alone else all(framing))
