"""The command that scores clips from any source: score."""

from pathlib import Path
from typing import Annotated

import typer

import lab
from lab.cli.options import Json, OptionError, input_errors_as_option_errors
from lab.cli.terminal import interruptible, print_error_line, print_json, print_stdout


def score(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP...", show_default=False)],
    still: Annotated[Path | None, typer.Option(help="The still that the clips start from.")] = None,
    literature: Annotated[
        bool, typer.Option("--literature", help="Add the metrics that papers report; slower.")
    ] = False,
    heatmaps: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write heatmap videos: where each value comes from."),
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="Show when and where each score is at its worst.")
    ] = False,
    prompt: Annotated[
        str | None,
        typer.Option(help="The prompt of the clips; adds camera compliance."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score any clips by every metric.

    \b
    Example:
      lab score clip.mp4 --still photo.jpg
      lab score clip.mp4 --why --heatmaps maps
      lab score *.mp4 --prompt "slow push-in" --json
    """
    from lab.analysis import clip_compliance
    from lab.measures import score_card, score_json

    clip_prompt = None
    if prompt is not None:
        with input_errors_as_option_errors():
            clip_prompt = lab.Prompt.from_text(prompt)
        if not clip_prompt.of_kind("camera"):
            raise OptionError(f"--prompt {prompt!r} names no camera move; try `lab lint`")
    failed = 0
    with interruptible():
        quiet = as_json or len(clips) == 1
        records = lab.score(clips, still, quiet=quiet, literature=literature, heatmaps=heatmaps)
        for record in records:
            if "error" in record:
                failed += 1
                print_error_line(record["error"])
                continue
            compliance = (
                () if clip_prompt is None else clip_compliance(record["scores"], clip_prompt)
            )
            if as_json:
                plain = score_json(record, why=why)
                if clip_prompt is not None:
                    plain["compliance"] = [judged.to_json() for judged in compliance]
                print_json(plain)
            else:
                print_stdout(score_card(record, why=why))
                for judged in compliance:
                    print_stdout(f"  asked for {judged}")
    if failed:
        raise typer.Exit(2 if failed == len(clips) else 1)
