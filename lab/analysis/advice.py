"""From a run to the next sweep: what to change, with the evidence, as a file ready to run.

Advice follows the scores first and the craft second: a remark on a prompt or a still only becomes
a suggestion when the takes made with it came out worse than others, or when there are no others.
"""

import glob
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from lab.analysis.compliance import COMPLIED, compliance
from lab.analysis.loading import load
from lab.analysis.matched import APART, MOTION, unmeasured
from lab.analysis.results import Results
from lab.errors import InputError
from lab.files import file_name, file_suffix, make_writable_folder
from lab.findings import Finding
from lab.metrics import JUDGED, SPECS
from lab.prompts import Prompt, lint, vary
from lab.runs import Ledger
from lab.stills import Still, fit, preflight
from lab.sweeps import PromptYaml, Sweep, prompt_entry, write_yaml
from lab.units import RATIOS, escape_html

Kind = Literal[
    "less_motion",
    "more_motion",
    "one_dominant_move",
    "other_wording",
    "cleaner_still",
    "other_framing",
]
_REWRITES: dict[str, Kind] = {
    "contradiction": "one_dominant_move",
    "many_motions": "one_dominant_move",
    "unlikely_physics": "other_wording",
    "describes_scene": "other_wording",
    "vague": "other_wording",
    "no_camera_move": "other_wording",
    "no_subject_action": "other_wording",
    "no_pace": "other_wording",
    "no_room": "less_motion",
}
_AGAIN = "Nothing in this run asks for a change; one more repeat tells whether that was luck."
_FRAMING = ("cropped", "ratio_cuts_subject")
_OF_THE_SWEEP = ("low_resolution", "too_small")
_MOST_REMARKS = 3
_CALMEST = 0.5  # a prompt at that amplitude ("slow") is not slowed further: freezing is no cure


@dataclass(frozen=True)
class Suggestion:
    """One change. about: the prompt or still; says: the change; evidence: the numbers behind it.

    before, after: the prompt's text or the still's name; after is "" where a person has to act or
    the level is left out.
    """

    kind: Kind
    about: str
    says: str
    evidence: str
    before: str
    after: str

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.about}: {self.says} ({self.evidence})"


@dataclass(frozen=True, eq=False)
class Advice:
    """What to try next. suggestions: the weightiest first; empty when the run asks for none.

    document: the next sweep's fields but for its stills, which `save` puts beside the file.
    """

    suggestions: tuple[Suggestion, ...]
    document: dict[str, Any]
    stills: tuple["NextStill", ...]
    end_stills: tuple["NextStill", ...] = ()

    def save(self, path: str | Path) -> Path:
        """Write the next sweep file and its stills beside it, and check that it is a sweep.

        The stills lie in a folder called after the file. Suggestions stand in the file as comments.
        Raises InputError for an existing file and for one that cannot be written.
        """
        target = Path(path)
        if os.path.exists(target):
            raise InputError(f"{target}: exists already; name another file or remove it")
        folder = target.parent / file_name(target.stem, "_stills")
        make_writable_folder(folder)
        stills: list[str | Path] = [still.put(folder) for still in self.stills] or ["none"]
        remarks = [f"{item.kind}: {item}" for item in self.suggestions]
        ends = [still.put(folder) for still in self.end_stills]
        document = {
            "stills": [_beside(still, target.parent) for still in stills],
            **({"end_stills": [_beside(still, target.parent) for still in ends]} if ends else {}),
            **self.document,
        }
        write_yaml(target, document, remarks or [_AGAIN])
        Sweep.load(target)
        return target

    def __repr__(self) -> str:
        return f"Advice({len(self.suggestions)} suggestions)"

    def to_json(self) -> list[dict[str, str]]:
        """The suggestions as plain data."""
        return [item.to_json() for item in self.suggestions]

    def __str__(self) -> str:
        if not self.suggestions:
            return _AGAIN
        return "\n".join(
            line
            for item in self.suggestions
            for line in (
                f"{item.kind}: {item.about}: {item.says}",
                f"    because {item.evidence}",
                *([f"    try: {item.after}"] if item.after else []),
            )
        )

    def _repr_html_(self) -> str:
        if not self.suggestions:
            return f"<p>{_AGAIN}</p>"
        cells = ("kind", "about", "says", "evidence", "after")
        head = "".join(f"<th>{name}</th>" for name in ("what", *cells[1:4], "try"))
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:left'>{escape_html(getattr(item, name))}</td>"
                for name in cells
            )
            + "</tr>"
            for item in self.suggestions
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


@dataclass(frozen=True)
class NextStill:
    """A still of the next sweep: as it is, or extended to a ratio."""

    still: Still
    name: str
    extend_to: str = ""

    def put(self, folder: Path) -> Path:
        """Lay it into a folder; returns where."""
        if self.extend_to:
            ratio = self.extend_to.replace(":", "x")
            target = folder / file_name(self.name, f"_{ratio}.png")
            return fit(self.still, self.extend_to, mode="extend", path=target).path
        target = folder / file_name(self.name, file_suffix(self.still.path))
        shutil.copyfile(self.still.path, target)
        return target


def suggest_next(run: Results | str | Path) -> Advice:
    """Read a run's scores, findings and compliance, and suggest the next sweep.

    run: a `Results`, or the folder of a run. The best prompt and the best still stay in as they
    are, so that the next run can be compared with this one; takes that exist already are not bought
    again. Raises RunFolderError for a folder without a run, InputError when nothing is scored yet.
    """
    results = run if isinstance(run, Results) else load(run)
    evidence = _Evidence(results)
    prompts, about_prompts = _next_prompts(evidence)
    stills, about_stills = _next_stills(evidence)
    found = sorted([*about_prompts, *about_stills], key=lambda pair: -np.nan_to_num(pair[0]))
    return Advice(
        tuple(suggestion for _, suggestion in found),
        _document(evidence, prompts, changes=bool(found)),
        tuple(stills),
        tuple(_next_ends(evidence)),
    )


class _Evidence:
    """A run seen level by level: how visible the flaws of its takes are."""

    def __init__(self, results: Results) -> None:
        self.results = results
        with Ledger.read(results.folder.ledger) as ledger:
            rows = ledger.takes()
        self.shots = {row.take_id: row.take.shot for row in rows}
        takes = results.takes
        wide = results.headlines()
        multiples = {name: wide[name].map(SPECS[name].visibility) for name in JUDGED}
        visible = pd.DataFrame(multiples).mean(axis=1)
        # A mean over fewer numbers is not comparable, and motion tells what is too still.
        unknown = unmeasured(results.scores, (*JUDGED, *MOTION))
        visible = visible.where(~visible.index.isin(unknown))
        if not visible.notna().any():
            why = next(iter(results.not_fresh.values()), "no take is scored yet; finish the run")
            raise InputError(f"{results.folder.path}: nothing to go by: {why}")
        self.visible = visible.where(~visible.index.isin(results.too_still))
        self.wide = wide
        self.prompts = list(dict.fromkeys(self.shots[take].prompt for take in takes["take_id"]))
        stills = (self.shots[take].still for take in takes["take_id"])
        self.stills = list(dict.fromkeys(still for still in stills if still is not None))
        self.compliance = compliance(results)

    def of_prompt(self, prompt: Prompt) -> list[str]:
        """Ids of the takes made with a prompt."""
        return [take for take, shot in self.shots.items() if shot.prompt == prompt]

    def of_still(self, still: Still) -> list[str]:
        """Ids of the takes made from a still."""
        return [take for take, shot in self.shots.items() if shot.still == still]

    def zipped(self, factor: str) -> bool:
        """True when a factor's levels advance together with another's."""
        return any(factor in group for group in self.results.sweep.get("zip", []))

    def median(self, takes: Sequence[str]) -> float:
        """Median over takes of the mean flaw of the judged metrics, in multiples of what nobody
        would notice; NaN when no take can be judged.
        """
        values = self.visible.reindex(list(takes)).dropna()
        return float(values.median()) if len(values) else np.nan

    def better(self, prompt: Prompt, value: float) -> bool:
        """True when a prompt's takes are clearly less flawed than that."""
        return self.median(self.of_prompt(prompt)) * APART < value

    def said(self, takes: Sequence[str], best: float) -> str:
        """The numbers of some takes, beside those of the best level."""
        middle = self.wide.reindex(list(takes)).median()
        known = [name for name in JUDGED if not np.isnan(middle[name])]
        parts = [f"{name} {middle[name]:.2g} {SPECS[name].unit}" for name in known]
        value = self.median(takes)
        count = f"median of {len(takes)} takes" if len(takes) > 1 else "1 take"
        text = f"{', '.join(parts)} ({count})"
        if value > best * APART:
            return f"{text}: flaws {value / best:.2g}x as visible as those of the best"
        return f"{text}: flaws {value:.2g}x what nobody would notice"


def _next_prompts(evidence: _Evidence) -> tuple[list[Prompt], list[tuple[float, Suggestion]]]:
    medians = {prompt: evidence.median(evidence.of_prompt(prompt)) for prompt in evidence.prompts}
    known = {prompt: value for prompt, value in medians.items() if not np.isnan(value)}
    best = min(known, key=known.__getitem__) if known else None
    level = known[best] if best is not None else np.nan
    # Levels that advance with another factor's are changed in their places; of others the best one
    # stays in beside what it becomes.
    zipped = evidence.zipped("prompt")
    chosen: list[Prompt] = [] if best is None or zipped else [best]
    found: list[tuple[float, Suggestion]] = []
    for prompt in evidence.prompts:
        changed, suggestion = _next_prompt(evidence, prompt, level, alone=len(known) < 2)
        if suggestion is not None:
            found.append((medians[prompt], suggestion))
        if changed is None:
            continue
        if zipped or all(changed.text != other.text for other in chosen):
            chosen.append(changed)
    return chosen, found


def _next_prompt(
    evidence: _Evidence, prompt: Prompt, level: float, *, alone: bool
) -> tuple[Prompt | None, Suggestion | None]:
    """A prompt as it should be tried next, and why; the same prompt where nothing is to change,
    None where it is to be left out.
    """
    if prompt.multi_shot:
        return prompt, None
    takes = evidence.of_prompt(prompt)
    value = evidence.median(takes)
    worse = alone or value > level * APART
    measured = evidence.said(takes, level)
    tried = {other.text for other in evidence.prompts}

    def changed(kind: Kind, says: str, why: str, text: str) -> tuple[Prompt, Suggestion]:
        after = Prompt.written(text, f"{prompt.name}, {kind}" if prompt.name else "")
        about = f"prompt {prompt.label!r}"
        return after, Suggestion(kind, about, says, why, prompt.text, after.text)

    if np.isnan(value) and any(term.moves_camera for term in prompt.of_kind("camera")):
        for other in vary(prompt, "strength", ["strong"]):
            if other.text not in tried:
                why = "all its takes are too still to judge, though it asks for a camera move"
                return changed("more_motion", "ask for a larger move", why, other.text)
    if worse:
        text, remarks = _rewritten(prompt)
        beside = [other for other in evidence.prompts if other.text == text]
        if remarks:
            kind = _REWRITES[remarks[0].kind]
            says = "; ".join(dict.fromkeys(remark.fix for remark in remarks))
            why = "; ".join([*dict.fromkeys(remark.says for remark in remarks), measured])
            if not beside:
                return changed(kind, says, why, text)
            if not evidence.zipped("prompt") and evidence.better(beside[0], value):
                says = "leave it out: its rewrite was made beside it and came out better"
                return None, changed(kind, says, why, text)[1]
    refused = _not_done(evidence, takes)
    if refused:
        for other in vary(prompt, "wording"):
            if other.text not in tried:
                return changed("other_wording", "say the same in other words", refused, other.text)
    too_fast = worse and prompt.amplitude > 1
    if (too_fast or value > 1) and prompt.amplitude > _CALMEST:
        for other in vary(prompt, "pace", ["slow"]):
            if other.text not in tried and other.amplitude < prompt.amplitude:
                return changed("less_motion", "ask for less motion", measured, other.text)
    return prompt, None


def _rewritten(prompt: Prompt) -> tuple[str, list[Finding]]:
    """The prompt with every remark that has a rewrite followed, and those remarks."""
    text, remarks = prompt.text, []
    for _ in range(len(_REWRITES)):
        useful = [
            finding
            for finding in lint(Prompt.written(text))
            if finding.kind in _REWRITES and finding.rewrite
        ]
        if not useful:
            break
        remarks.append(useful[0])
        text = useful[0].rewrite
    return text, remarks


def _not_done(evidence: _Evidence, takes: Sequence[str]) -> str:
    """Which camera move was asked for and not made, with numbers; "" when all were."""
    table = evidence.compliance
    here = table[table["take_id"].isin(list(takes)) & table["compliance"].notna()]
    for term, rows in here.groupby("term", sort=False):
        middle = float(rows["compliance"].median())
        if middle < COMPLIED:
            seen = rows["seen"].mode().iloc[0]
            return (
                f"asked for {term}, compliance {middle:.2f} (median of {len(rows)} takes), mostly "
                f"seen: {seen}; {rows['says'].iloc[0]}"
            )
    return ""


def _next_stills(evidence: _Evidence) -> tuple[list[NextStill], list[tuple[float, Suggestion]]]:
    names = dict(
        zip(evidence.results.takes["take_id"], evidence.results.takes["still"], strict=True)
    )
    medians = {still: evidence.median(evidence.of_still(still)) for still in evidence.stills}
    known = {still: value for still, value in medians.items() if not np.isnan(value)}
    best = min(known, key=known.__getitem__) if known else None
    level = known[best] if best is not None else np.nan
    zipped = evidence.zipped("still")
    chosen, found = [], []
    for still in evidence.stills:
        made = evidence.of_still(still)
        name, opened = names[made[0]], evidence.results.folder.locate(still)
        keep = NextStill(opened, name)
        remarks = _remarks(evidence, opened, made)
        alone = len(known) < 2
        visible = medians[still] > (1.0 if alone else level * APART)
        if not remarks or not visible:
            chosen.append(keep)
            continue
        weightiest = [remark.says for remark in remarks[:_MOST_REMARKS]]
        why = "; ".join([*weightiest, evidence.said(made, level)])
        ratio = _one_ratio(evidence, made)
        about = f"still {name!r}"
        if ratio and _helps(opened, ratio, remarks, alone=alone):
            says = f"extend it to {ratio} so that nothing is cut"
            after = NextStill(opened, name, extend_to=ratio)
            chosen += [keep] * (still == best and not zipped) + [after]
            suggestion = Suggestion("other_framing", about, says, why, name, f"{name}, extended")
        elif not alone and not zipped and still != best:
            says = "leave it out, or take a cleaner one: " + remarks[0].fix
            suggestion = Suggestion("cleaner_still", about, says, why, name, "")
        else:
            chosen.append(keep)
            says = "take a cleaner one: " + remarks[0].fix
            suggestion = Suggestion("cleaner_still", about, says, why, name, "")
        found.append((medians[still], suggestion))
    return chosen, found


def _remarks(evidence: _Evidence, still: Still, takes: Sequence[str]) -> list[Finding]:
    """Preflight's warnings about a still in the frames that it was used in.

    Too few pixels for a tier are the sweep's doing as much as the still's, and the plan says so.
    """
    found: dict[str, Finding] = {}
    for shot in {evidence.shots[take] for take in takes}:
        looked = preflight(
            still,
            aspect_ratio=shot.settings.aspect_ratio,
            resolution=shot.settings.resolution,
        )
        for finding in looked.findings:
            if finding.severity != "note" and finding.kind not in _OF_THE_SWEEP:
                found.setdefault(finding.kind, finding)
    return list(found.values())


def _one_ratio(evidence: _Evidence, takes: Sequence[str]) -> str:
    """The one ratio of some takes, "" where they have several."""
    ratios = {evidence.shots[take].settings.aspect_ratio for take in takes}
    return ratios.pop() if len(ratios) == 1 else ""


def _helps(still: Still, ratio: str, remarks: Sequence[Finding], *, alone: bool) -> bool:
    """True when the ratio cuts the still, and that is what is wrong with it.

    Of the only still of a run it may be one thing of several.
    """
    own = still.width_px / still.height_px
    cuts = abs(float(RATIOS[ratio]) / own - 1) > 0.02
    framing = [remark.kind in _FRAMING for remark in remarks]
    return cuts and (any(framing) if alone else all(framing))


def _document(evidence: _Evidence, prompts: Sequence[Prompt], *, changes: bool) -> dict[str, Any]:
    """The next sweep's fields, from those of the run; one more repeat where nothing changes."""
    sweep = evidence.results.sweep
    levels = {
        name: [level for level in values if level is not None]
        for name, values in sweep["levels"].items()
        if name not in ("still", "end_still", "prompt")
    }
    document = {
        "name": _next_name(sweep["name"] or "run"),
        "question": sweep["question"],
        "prompts": list(_entries(prompts)),
        "settings": {name: values for name, values in levels.items() if values},
        "zip": sweep["zip"],
        "repeats": sweep["repeats"] + (not changes),
        "backend": sweep["backend"],
        "elements": sweep.get("elements", {}),
        "budget_usd": sweep["budget_usd"],
        "cap_usd": sweep.get("cap_usd"),
    }
    return {name: value for name, value in document.items() if value not in (None, "", [], {})}


def _next_name(name: str) -> str:
    """ "coffee" becomes "coffee, round 2", that "coffee, round 3"."""
    begun = re.fullmatch(r"(.*), round (\d+)", name)
    base, number = (begun[1], int(begun[2])) if begun else (name, 1)
    return f"{base[:64]}, round {number + 1}"


def _entries(prompts: Sequence[Prompt]) -> Iterator[PromptYaml]:
    """Prompts as a sweep file has them, each with a label of its own."""
    labels: set[str] = set()
    for number, prompt in enumerate(prompts, start=1):
        name = prompt.name or (f"prompt {number}" if prompt.label in labels else "")
        labels.add(name or prompt.label)
        yield prompt_entry(replace(prompt, name=name))


def _next_ends(evidence: _Evidence) -> Iterator[NextStill]:
    """The run's last frames, as they are."""
    ends = dict.fromkeys(shot.end_still for shot in evidence.shots.values())
    for end in ends:
        if end is not None:
            opened = evidence.results.folder.locate(end)
            yield NextStill(opened, f"end_{opened.name}")


def _beside(path: str | Path, folder: Path) -> str:
    """A still's path as the sweep file names it."""
    if isinstance(path, str):
        return path
    return glob.escape(Path(os.path.relpath(path, folder)).as_posix())
