"""One shot at a time: a clip from a still, or a still from text, through the same ledger."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.clips import Clip
from lab.errors import RunFolderError, StillError
from lab.files import as_path
from lab.prompts import Prompt
from lab.runs.folder import RunFolder
from lab.runs.running import run
from lab.stills import Still
from lab.sweeps import Sweep


def shoot(
    still: str | Path | Still | None,
    prompt: str | Prompt,
    *,
    out: str | Path = "runs/shots",
    backend: str = "offline",
    budget_usd: float | None = None,
    confirmed: bool = False,
    quiet: bool = False,
    **settings_: Any,
) -> Clip:
    """One take of one shot, through the same ledger as a sweep; the same call costs nothing again.

    still: None makes the clip from text alone, where the backend can. settings_: duration_s,
    aspect_ratio, resolution, fps, seed, sound, and the backend's own. Raises as `run`, and
    RunFolderError naming the reason when the take has no clip.
    """
    if still is None:
        path = "none"
    else:
        found = still.path if isinstance(still, Still) else as_path(still, StillError)
        path = str(found.resolve())
    sweep = _one(path, prompt, backend, budget_usd, settings_)
    return Clip.open(_made(sweep, out, confirmed=confirmed, quiet=quiet))


def create(
    prompt: str | Prompt,
    *,
    out: str | Path = "runs/stills",
    backend: str = "kling",
    budget_usd: float | None = None,
    confirmed: bool = False,
    quiet: bool = False,
    **settings_: Any,
) -> Still:
    """Make a still from text, to be animated next; the same call costs nothing again.

    settings_: aspect_ratio and resolution, the tier the still is meant for. Raises as `shoot`.
    """
    sweep = replace(_one("none", prompt, backend, budget_usd, settings_), makes="still")
    return Still.open(_made(sweep, out, confirmed=confirmed, quiet=quiet))


def _one(
    still: str,
    prompt: str | Prompt,
    backend: str,
    budget_usd: float | None,
    settings_: dict[str, Any],
) -> Sweep:
    text = prompt.text if isinstance(prompt, Prompt) else Prompt.written(prompt).text
    return Sweep.of(
        stills=[still],
        prompts=[text],
        settings=settings_,
        backend=backend,
        budget_usd=budget_usd,
        name="shots",
    )


def _made(sweep: Sweep, out: str | Path, *, confirmed: bool, quiet: bool) -> Path:
    outcome = run(sweep, out, confirmed=confirmed, quiet=quiet, grow=True)
    if not outcome.complete:
        raise RunFolderError(outcome.stopped or outcome.problems[0])
    ((_, take),) = sweep.takes()
    return RunFolder(out).result_path(take)
