"""Commands about stills: preflight, fit, create."""

from pathlib import Path
from typing import Annotated, get_args

import typer

import lab
from lab.cli.options import (
    Backend,
    Budget,
    Json,
    MotionPrompt,
    OptionError,
    PromptText,
    PublishRatio,
    Ratio,
    Resolution,
    StillPath,
    Yes,
    input_errors_as_option_errors,
)
from lab.cli.terminal import (
    interruptible,
    print_error_line,
    print_json,
    print_result,
    print_stderr,
    print_stdout,
)
from lab.errors import InputError


def preflight(
    stills: Annotated[list[Path], typer.Argument(metavar="STILL...", show_default=False)],
    ratio: PublishRatio = None,
    resolution: Resolution = None,
    prompt: MotionPrompt = None,
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write each still with the detections drawn on it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check stills before you pay for clips.

    \b
    Example:
      lab preflight photo.jpg
      lab preflight photos/*.jpg --ratio 9:16 --prompt "slow orbit; steam rises"
    """
    with input_errors_as_option_errors():
        needed_room = None if prompt is None else lab.Prompt.from_text(prompt).needs
    opened = []
    for path in stills:
        try:
            still = lab.Still.open(path)
        except InputError as error:
            print_error_line(str(error))
            continue
        opened.append(still)
        checks = lab.preflight(still, aspect_ratio=ratio, resolution=resolution, needs=needed_room)
        print_result(checks, as_json=as_json)
        if pictures is not None:
            print_stderr(f"picture: {checks.save_overlay(pictures)}")
    for one, other, finding in lab.near_duplicates(opened):
        if as_json:
            print_json({"stills": [str(one.path), str(other.path)], **finding.to_json()})
        else:
            print_stdout(str(finding))
    if len(opened) < len(stills):
        raise typer.Exit(1 if opened else 2)


def fit(
    still: StillPath,
    ratio: Ratio,
    mode: Annotated[
        str, typer.Option(help="crop around the subject, or extend the canvas.")
    ] = "crop",
    resolution: Resolution = None,
    upsample: Annotated[
        bool,
        typer.Option("--upsample", help="Enlarge a still that is too small for the resolution."),
    ] = False,
    prompt: MotionPrompt = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.png", help="The new still.")
    ] = None,
) -> None:
    """Change the aspect ratio of a still and keep the whole subject.

    Prints the path of the new still, and the steps that made it.

    \b
    Example:
      lab fit photo.jpg --ratio 9:16
      lab fit photo.jpg --ratio 9:16 --mode extend -o tall.png
    """
    from lab.stills.fit import Mode

    if mode not in get_args(Mode):
        raise OptionError(f"--mode {mode!r}: accepted: {', '.join(get_args(Mode))}")
    with input_errors_as_option_errors():
        needed_room = None if prompt is None else lab.Prompt.from_text(prompt).needs
    fitted = lab.fit(
        lab.Still.open(still),
        ratio,
        mode="extend" if mode == "extend" else "crop",
        resolution=resolution,
        upsample=upsample,
        needs=needed_room,
        path=out,
    )
    print_stdout(str(fitted.path))
    for step in fitted.history:
        print_stderr(step)


def create(
    prompt: PromptText,
    out: Annotated[Path, typer.Option(help="The run folder that records what was bought.")] = Path(
        "runs/stills"
    ),
    backend: Backend = "kling",
    ratio: Ratio = "16:9",
    resolution: Resolution = "720p",
    budget: Budget = None,
    yes: Yes = False,
) -> None:
    """Make a still from text, to animate next. A repeated call costs nothing.

    \b
    Example:
      lab create "a cup on a table, morning light" --budget 0.1
    """
    with interruptible():
        still = lab.create(
            prompt,
            out=out,
            backend=backend,
            budget_usd=budget,
            confirmed=yes,
            aspect_ratio=ratio,
            resolution=resolution,
        )
    print_stdout(str(still.path))
