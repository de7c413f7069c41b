"""Collects the findings of preflight and the prompt linter for the shots of a sweep."""

from collections.abc import Iterable
from functools import cache

from lab.findings import Finding
from lab.prompts import lint
from lab.shots import Shot
from lab.stills import preflight, room_findings


def shot_findings(shots: Iterable[Shot]) -> tuple[tuple[str, Finding], ...]:
    """Pairs of a subject, such as "still coffee", and a finding about it, each pair once.

    Each still is checked in the ratio and resolution of its shots. Each prompt is linted, and
    checked for the room that its camera move needs in the still. A prompt for a picture is not
    linted, because the linter judges motion.
    """
    check_still, check_room, lint_prompt = cache(preflight), cache(room_findings), cache(lint)
    findings: dict[tuple[str, Finding], None] = {}
    for shot in shots:
        ratio, resolution = shot.settings.aspect_ratio, shot.settings.resolution
        for still in (shot.still, shot.end_still):
            if still is None:
                continue
            for finding in check_still(still, aspect_ratio=ratio, resolution=resolution).findings:
                findings[f"still {still.name}", finding] = None
        if shot.still is not None:
            subject = f"prompt {shot.prompt.label!r} on still {shot.still.name}"
            for finding in check_room(shot.still, shot.prompt.needs, aspect_ratio=ratio):
                findings[subject, finding] = None
        for finding in lint_prompt(shot.prompt) if shot.makes == "clip" else ():
            findings[f"prompt {shot.prompt.label!r}", finding] = None
    return tuple(findings)
