"""Makes a single shot: a clip from a still, or a still from text."""

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
    """Make one take of one shot. Repeating the call costs nothing, because a ledger records it.

    still: None makes the clip from text alone, if the backend can. settings_: duration_s,
    aspect_ratio, resolution, fps, seed, sound, and the backend's own options. Raises the errors of
    `run`, and RunFolderError with the reason when the take has no clip.
    """
    sweep = shot_sweep(still, prompt, backend=backend, budget_usd=budget_usd, **settings_)
    return Clip.open(_make(sweep, out, confirmed=confirmed, quiet=quiet))


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
    """Make a still from text. Repeating the call costs nothing.

    settings_: aspect_ratio and resolution of the clip that the still is for. Raises the errors of
    `shoot`.
    """
    sweep = shot_sweep(None, prompt, backend=backend, budget_usd=budget_usd, **settings_)
    sweep = replace(sweep, makes="still")
    return Still.open(_make(sweep, out, confirmed=confirmed, quiet=quiet))


def shot_sweep(
    still: str | Path | Still | None,
    prompt: str | Prompt,
    *,
    backend: str,
    budget_usd: float | None = None,
    **settings_: Any,
) -> Sweep:
    """The sweep of one take that `shoot` runs, so that it can be priced first."""
    if still is None:
        path = "none"
    else:
        file = still.path if isinstance(still, Still) else as_path(still, StillError)
        path = str(file.resolve())
    text = prompt.text if isinstance(prompt, Prompt) else Prompt.from_text(prompt).text
    return Sweep.of(
        stills=[path],
        prompts=[text],
        settings=settings_,
        backend=backend,
        budget_usd=budget_usd,
        name="shots",
    )


def _make(sweep: Sweep, out: str | Path, *, confirmed: bool, quiet: bool) -> Path:
    """Run a sweep of one take; return the path of its result."""
    outcome = run(sweep, out, confirmed=confirmed, quiet=quiet, allow_other_takes=True)
    if not outcome.complete:
        raise RunFolderError(outcome.stop_reason or outcome.problems[0])
    ((_, take),) = sweep.takes()
    return RunFolder(out).result_path(take)
