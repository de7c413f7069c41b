"""The command that makes one clip from a photograph and scores it: shoot."""

from pathlib import Path
from typing import Annotated, Any

import typer

import lab
from lab.cli.options import (
    Backend,
    Budget,
    Json,
    PromptText,
    Ratio,
    Yes,
    input_errors_as_option_errors,
)
from lab.cli.terminal import confirm, interruptible, print_result, print_stderr


def shoot(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", show_default=False)],
    prompt: PromptText,
    out: Annotated[Path, typer.Option(help="The run folder, created if missing.")] = Path(
        "runs/shots"
    ),
    ratio: Ratio = "16:9",
    duration: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="The clip's length; 5 if left out.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed repeats the same noise.")] = None,
    backend: Backend = "offline",
    budget: Budget = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Check a photograph and a prompt, make one clip, and score it.

    Prints four lines (still, prompt, camera, scores), the path of the clip
    and the path of a contact sheet. A repeated call makes nothing new.
    A backend that costs money asks before it spends.

    \b
    Example:
      lab shoot photo.jpg "slow push-in; steam rises"
      lab shoot photo.jpg "slow push-in; steam rises" --duration 2 --seed 7 --json
      lab shoot photo.jpg "slow push-in" --backend kling --budget 1
    """
    from lab.analysis import judge_shot
    from lab.prompts import review
    from lab.runs import shot_sweep

    given = {"duration_s": duration, "seed": seed}
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    settings |= {"aspect_ratio": ratio, "backend": backend, "budget_usd": budget}
    with input_errors_as_option_errors():
        written = lab.Prompt.from_text(prompt)
    still = lab.Still.open(photo)
    with input_errors_as_option_errors():
        sweep = shot_sweep(still, written, **settings)
    checks = lab.preflight(still, aspect_ratio=ratio, needs=written.needs)
    reviewed = review(written, still, aspect_ratio=ratio)
    plan = lab.plan(sweep, out)
    plan.check()
    confirmed = yes
    if plan.needs_confirmation and not yes:
        print_stderr(f"{checks}\n{reviewed}\n{plan}\n")
        confirmed = confirm(f"{plan.confirmation} on {backend}?", as_json=as_json)
    with interruptible(out):
        clip = lab.shoot(still, written, out=out, confirmed=confirmed, quiet=as_json, **settings)
    print_result(judge_shot(checks, reviewed, clip), as_json=as_json)
