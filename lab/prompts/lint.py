"""Remarks on a prompt: vague prompts produce drift, and too much motion at once warps."""

from lab.findings import Finding
from lab.prompts.prompt import Prompt

MAX_DOMINANT_MOTIONS = 2
RECOMMENDED_CHARS = 2500


def dominant_motions(prompt: Prompt) -> int:
    """How many things a prompt sets in motion: each camera move, and the subject if it acts.

    Ambient motion (steam, leaves) does not count; a subject doing two small things counts once.
    """
    camera = sum(term.moves_camera for term in prompt.of_kind("camera"))
    return camera + any(term.ambient is None for term in prompt.of_kind("subject"))


def lint(prompt: Prompt) -> tuple[Finding, ...]:
    """Findings about a prompt, worst first; empty when there is nothing to say."""
    found = []
    motions = dominant_motions(prompt)
    if not prompt.of_kind("camera") and not prompt.of_kind("subject"):
        found.append(
            Finding(
                "vague",
                "warning",
                "names neither a camera move nor a subject action",
                'name both, such as "slow push-in; steam rises"',
            )
        )
    elif not prompt.of_kind("camera"):
        found.append(
            Finding(
                "no_camera_move",
                "note",
                "names no camera move, so the model picks one",
                'say "static lock-off" if the camera should hold',
            )
        )
    if motions > MAX_DOMINANT_MOTIONS or len(prompt.of_kind("camera")) > 1:
        found.append(
            Finding(
                "many_motions",
                "warning",
                f"asks for {motions} motions at once",
                "keep one dominant motion and drop the others",
                motions,
                MAX_DOMINANT_MOTIONS,
                "motions",
            )
        )
    if not prompt.of_kind("pace"):
        found.append(Finding("no_pace", "note", "names no pace", 'say "slow" or "steady"'))
    if len(prompt.text) > RECOMMENDED_CHARS:
        found.append(
            Finding(
                "long",
                "warning",
                f"has {len(prompt.text)} characters",
                "shorten it; models read the first sentences best",
                len(prompt.text),
                RECOMMENDED_CHARS,
                "characters",
            )
        )
    order = ("error", "warning", "note")
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))
