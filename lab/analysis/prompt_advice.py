"""Chooses the prompts of the next sweep and explains each change."""

from collections.abc import Sequence

import numpy as np

from lab.analysis.compliance import Outcome, by_term, describe_counts
from lab.analysis.evidence import NOTICEABLE, Evidence, Standings
from lab.analysis.matched_motion import DISTINCT_RATIO
from lab.analysis.suggestion import Suggestion, SuggestionKind
from lab.findings import Finding
from lab.prompts import Prompt, lint, vary

_REWRITES: dict[str, SuggestionKind] = {
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
"""The linter's findings whose rewrites are suggested, and the kind of suggestion for each."""
_MIN_AMPLITUDE = 0.5  # the amplitude of the pace "slow"; a clip with less motion looks frozen


def next_prompts(evidence: Evidence) -> tuple[list[Prompt], list[tuple[float, Suggestion]]]:
    """The prompts of the next sweep, and the suggestions.

    Each suggestion is paired with how visible the flaws of its prompt are: the median over the
    prompt's takes. If the prompts are zipped with another factor, each is kept or replaced at its
    position, and their number does not change. If not, the best prompt comes first, unchanged, and
    duplicates are dropped.
    """
    takes = {prompt: evidence.takes_of_prompt(prompt) for prompt in evidence.prompts}
    standings = evidence.standings(takes)
    best = standings.best
    zipped = evidence.zipped("prompt")
    prompts: list[Prompt] = [] if best is None or zipped else [best]
    suggestions: list[tuple[float, Suggestion]] = []
    for prompt in evidence.prompts:
        changed, suggestion = _next_prompt(evidence, prompt, takes[prompt], standings)
        if suggestion is not None:
            suggestions.append((standings.medians[prompt], suggestion))
        if changed is None:
            continue
        if zipped or all(changed.text != other.text for other in prompts):
            prompts.append(changed)
    return prompts, suggestions


def _next_prompt(
    evidence: Evidence, prompt: Prompt, takes: Sequence[str], standings: Standings[Prompt]
) -> tuple[Prompt | None, Suggestion | None]:
    """The prompt to try next and the suggestion; the same prompt and None if nothing should change.

    The prompt is None if it should be left out. takes: the ids of the prompt's takes.
    """
    if prompt.multi_shot:
        return prompt, None
    median = standings.medians[prompt]
    # With no other prompt to choose, even the best one is worth improving.
    improve = standings.alone or median > standings.best_median * DISTINCT_RATIO
    measured = evidence.describe(takes, standings.best_median)
    tried = {other.text for other in evidence.prompts}

    def suggest(
        kind: SuggestionKind, change: str, reason: str, text: str
    ) -> tuple[Prompt, Suggestion]:
        after = Prompt.from_text(text, f"{prompt.name}, {kind}" if prompt.name else "")
        about = f"prompt {prompt.label!r}"
        return after, Suggestion(kind, about, change, reason, prompt.text, after.text)

    if np.isnan(median) and any(term.moves_camera for term in prompt.of_kind("camera")):
        for variant in vary(prompt, "strength", ["strong"]):
            if variant.text not in tried:
                reason = "all its takes are too still to judge, though it asks for a camera move"
                return suggest("more_motion", "ask for a larger move", reason, variant.text)
    if improve:
        text, findings = _rewrite(prompt)
        tried_rewrites = [other for other in evidence.prompts if other.text == text]
        if findings:
            kind = _REWRITES[findings[0].kind]
            change = "; ".join(dict.fromkeys(finding.fix for finding in findings))
            reason = "; ".join([*dict.fromkeys(finding.says for finding in findings), measured])
            if not tried_rewrites:
                return suggest(kind, change, reason, text)
            if not evidence.zipped("prompt") and evidence.is_clearly_better(
                tried_rewrites[0], median
            ):
                change = "leave it out: its rewrite is in the same run and scored better"
                return None, suggest(kind, change, reason, text)[1]
    missing_move = _missing_move(evidence, takes)
    if missing_move:
        for variant in vary(prompt, "wording"):
            if variant.text not in tried:
                change = "ask for the same move in other words"
                return suggest("other_wording", change, missing_move, variant.text)
    too_fast = improve and prompt.amplitude > 1
    if (too_fast or median > NOTICEABLE) and prompt.amplitude > _MIN_AMPLITUDE:
        for variant in vary(prompt, "pace", ["slow"]):
            if variant.text not in tried and variant.amplitude < prompt.amplitude:
                return suggest("less_motion", "ask for less motion", measured, variant.text)
    return prompt, None


def _rewrite(prompt: Prompt) -> tuple[str, list[Finding]]:
    """The text after the linter's rewrites, and the findings that they fix."""
    text, findings = prompt.text, []
    for _ in range(len(_REWRITES)):
        fixable = [
            finding
            for finding in lint(Prompt.from_text(text))
            if finding.kind in _REWRITES and finding.rewrite
        ]
        if not fixable:
            break
        findings.append(fixable[0])
        text = fixable[0].rewrite
    return text, findings


def _missing_move(evidence: Evidence, takes: Sequence[str]) -> str:
    """A camera move that fewer than half of the judged takes made, with counts; "" if none."""
    table = evidence.compliance
    own = table[table["take_id"].isin(list(takes))]
    for row in by_term(own).to_dict("records"):
        if 2 * row["did"] < row["takes"] - row["cannot_tell"]:
            failed = own[(own["term"] == row["term"]) & (own["outcome"] == Outcome.DID_NOT)]
            return (
                f"asked for {row['term']}: {describe_counts(row)}, mostly seen instead: "
                f"{row['seen_instead']}; {failed['says'].iloc[0]}"
            )
    return ""
