"""Commands about prompts: lint, vary."""

import json
from pathlib import Path
from typing import Annotated

import typer

import lab
from lab.cli.options import Json, PromptText, PublishRatio, input_errors_as_option_errors
from lab.cli.terminal import print_json, print_result, print_stdout


def lint(
    prompt: PromptText,
    still: Annotated[
        Path | None, typer.Option(help="The still to animate; checks it for room to move.")
    ] = None,
    ratio: PublishRatio = None,
    max_chars: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="The longest prompt that the backend accepts."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how a prompt was understood, what is wrong with it, and a better prompt.

    \b
    Example:
      lab lint "orbit, tilt up, make it cool"
      lab lint "slow push-in; steam rises" --still photo.jpg --ratio 9:16
    """
    from lab.prompts import review
    from lab.prompts.lint import RECOMMENDED_CHARS

    with input_errors_as_option_errors():
        parsed = lab.Prompt.from_text(prompt)
    picture = None if still is None else lab.Still.open(still)
    longest = RECOMMENDED_CHARS if max_chars is None else max_chars
    print_result(review(parsed, picture, aspect_ratio=ratio, max_chars=longest), as_json=as_json)


def vary(
    prompt: PromptText,
    by: Annotated[
        str,
        typer.Option(help="camera, strength, pace, wording or negatives.", show_default=False),
    ],
    level: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A level; repeat for more levels."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print variants of a prompt that differ in one respect, as entries of a sweep file.

    \b
    Example:
      lab vary "slow push-in; steam rises" --by camera
      lab vary "slow push-in; steam rises" --by pace --level slow --level fast
    """
    with input_errors_as_option_errors():
        variants = lab.vary(lab.Prompt.from_text(prompt), by, level or None)
    for variant in variants:
        if as_json:
            print_json(variant.to_json())
        else:  # a JSON string is a YAML string
            print_stdout(f"  - name: {json.dumps(variant.name, ensure_ascii=False)}")
            print_stdout(f"    text: {json.dumps(variant.text, ensure_ascii=False)}")
