"""Commands about prompts: lint, vary."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import Json
from lab.cli.terminal import print_json, print_out


def lint(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", show_default=False)],
    still: Annotated[
        Path | None, typer.Option(help="The picture that shall move; is there room for it?")
    ] = None,
    ratio: Annotated[
        str | None, typer.Option(help="The ratio to publish in, such as 9:16.")
    ] = None,
    max_chars: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The longest prompt the backend takes.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a prompt was understood to ask for, what is wrong with it, and how to put it."""
    from lab.prompts import KINDS, Prompt, rewritten
    from lab.prompts import lint as check
    from lab.prompts.lint import RECOMMENDED_CHARS
    from lab.stills import Still
    from lab.units import frame_size

    frame_size(ratio or "16:9", "720p")
    written, picture = Prompt.written(prompt), Still.open(still) if still else None
    longest = RECOMMENDED_CHARS if max_chars is None else max_chars
    found = check(written, picture, aspect_ratio=ratio, max_chars=longest)
    best = rewritten(written, picture, aspect_ratio=ratio, max_chars=longest).text
    reading = written.reading
    if as_json:
        plain = {
            **written.to_json(),
            "factors": written.factors(),
            "negated": [term.name for term in reading.negated],
            "other_motions": [action.verb for action in reading.actions if not action.negated],
            "unread": list(reading.unread),
            "findings": [finding.to_json() for finding in found],
            "rewrite": best if best != written.text else "",
        }
        print_json(plain)
        return
    print_out(str(reading))
    factors = written.factors()
    said = {str(kind): factors[kind].replace("+", ", ") for kind in KINDS}
    said["other motion"] = ", ".join(action.verb for action in reading.actions)
    said["not"] = ", ".join(term.name for term in reading.negated)
    said["not understood"] = "; ".join(reading.unread)
    for label, listed in said.items():
        if listed:
            print_out(f"  {label + ':':<16}{listed}")
    for finding in found:
        number = "" if finding.value is None else f" ({finding.value:g}, limit {finding.limit:g})"
        print_out(f"  {finding.severity}: {finding.says}{number}; {finding.fix}")
        if finding.rewrite:
            print_out(f"    {finding.rewrite}")
    if best != written.text:
        print_out(f"try: {best}")


def vary(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", show_default=False)],
    by: Annotated[
        str,
        typer.Option(help="camera, strength, pace, wording or negatives.", show_default=False),
    ],
    level: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A level; may be given again.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print variants of a prompt that differ in one thing, for the prompts of a sweep file."""
    from lab.prompts import Prompt
    from lab.prompts import vary as varied

    for variant in varied(Prompt.written(prompt), by, level or None):
        if as_json:
            print_json(variant.to_json())
        else:  # a JSON string is a YAML string
            print_out(f"  - name: {json.dumps(variant.name, ensure_ascii=False)}")
            print_out(f"    text: {json.dumps(variant.text, ensure_ascii=False)}")
