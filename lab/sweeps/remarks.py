"""What preflight and the linter remark on the shots of a sweep."""

from collections.abc import Iterable
from functools import cache

from lab.findings import Finding
from lab.prompts import lint
from lab.shots import Shot
from lab.stills import preflight, room_findings


def remarks(shots: Iterable[Shot]) -> tuple[tuple[str, Finding], ...]:
    """What each remark is about, and the remark; each once, however many shots it concerns.

    Stills are checked in the ratio and resolution of their shots, prompts by themselves, and each
    prompt on its still for the room that it needs. A picture that is made from text does not move,
    so its prompt is not linted.
    """
    checked, roomy, linted = cache(preflight), cache(room_findings), cache(lint)
    found: dict[tuple[str, Finding], None] = {}
    for shot in shots:
        ratio, resolution = shot.settings.aspect_ratio, shot.settings.resolution
        for still in (shot.still, shot.end_still):
            if still is None:
                continue
            for finding in checked(still, aspect_ratio=ratio, resolution=resolution).findings:
                found[f"still {still.name}", finding] = None
        if shot.still is not None:
            about = f"prompt {shot.prompt.label!r} on still {shot.still.name}"
            for finding in roomy(shot.still, shot.prompt.needs, aspect_ratio=ratio):
                found[about, finding] = None
        for finding in linted(shot.prompt) if shot.makes == "clip" else ():
            found[f"prompt {shot.prompt.label!r}", finding] = None
    return tuple(found)
