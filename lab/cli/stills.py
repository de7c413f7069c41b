"""Commands about stills: preflight, fit, create."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lab.cli.options import Budget, Json, Yes
from lab.cli.terminal import (
    interruptible,
    print_error,
    print_error_line,
    print_json,
    print_out,
)
from lab.errors import InputError


def preflight(
    stills: Annotated[list[Path], typer.Argument(metavar="STILL...", show_default=False)],
    ratio: Annotated[
        str | None, typer.Option(help="The ratio to publish in, such as 9:16.")
    ] = None,
    resolution: Annotated[str | None, typer.Option(help="720p, 1080p or 4k.")] = None,
    prompt: Annotated[
        str | None, typer.Option(help="The motion to come: is there room for it?")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write what was seen as pictures.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check stills before anything is paid."""
    from lab.prompts import Prompt
    from lab.stills import Still, near_duplicates
    from lab.stills import preflight as check
    from lab.units import frame_size

    frame_size(ratio or "16:9", resolution or "720p")
    needs = None if prompt is None else Prompt.written(prompt).needs
    opened = []
    for path in stills:
        try:
            still = Still.open(path)
        except InputError as error:
            print_error_line(str(error))
            continue
        opened.append(still)
        found = check(still, aspect_ratio=ratio, resolution=resolution, needs=needs)
        if as_json:
            print_json(found.to_json())
        else:
            print_out(_preflight_lines(path, found))
        if pictures is not None:
            _overlay(pictures, found)
    for one, other, finding in near_duplicates(opened):
        if as_json:
            print_json({"stills": [str(one.path), str(other.path)], **finding.to_json()})
        else:
            print_out(f"{finding.severity}: {finding.says}; {finding.fix}")
    if len(opened) < len(stills):
        raise typer.Exit(1 if opened else 2)


def _preflight_lines(path: Path, found: Any) -> str:
    from lab.stills.checks import amount
    from lab.units import escape_line

    still, findings = found.still, found.findings
    size = f"{still.width_px}x{still.height_px} px"
    lines = [f"{escape_line(str(path))}: {size}{'' if findings else ', no remarks'}"]
    for finding in findings:
        measured = ""
        if finding.value is not None and finding.limit is not None:
            value, limit = (amount(one, finding.unit) for one in (finding.value, finding.limit))
            measured = f" [{value}, limit {limit.split()[0]}]"
        lines.append(f"  {finding.severity}: {finding.says}{measured}; {finding.fix}")
    skipped: dict[str, list[str]] = {}
    for check in found.checks:
        if check.skipped:
            skipped.setdefault(check.skipped, []).append(check.what)
    lines += [f"  not checked: {', '.join(what)}, because {why}" for why, what in skipped.items()]
    unasked = [] if found.aspect_ratio else ["the ratio (--ratio)"]
    if not any(check.what.startswith("pixels for") for check in found.checks):
        unasked.append("pixels for a tier (--resolution)")
    lines += [f"  not asked for: {', '.join(unasked)}"] * bool(unasked)
    lines += [f"  history: {step}" for step in still.history]
    return "\n".join(lines)


def _overlay(folder: Path, found: Any) -> None:
    from lab.files import file_name, make_writable_folder
    from lab.media import write_image

    make_writable_folder(folder)
    ending = f"-{found.still.sha256[:8]}-preflight.png"
    path = folder / file_name(found.still.path.stem, ending)
    write_image(path, found.overlay())
    print_error(f"picture: {path}")


def fit(
    still: Annotated[Path, typer.Argument(metavar="STILL", show_default=False)],
    ratio: Annotated[str, typer.Option(help="The ratio to publish in, such as 9:16.")],
    mode: Annotated[
        str, typer.Option(help="crop around the subject, or extend the canvas.")
    ] = "crop",
    resolution: Annotated[
        str | None, typer.Option(help="Reduce to this tier: 720p, 1080p or 4k.")
    ] = None,
    upsample: Annotated[
        bool, typer.Option("--upsample", help="Enlarge a still that is too small for the tier.")
    ] = False,
    prompt: Annotated[
        str | None, typer.Option(help="The motion to come: leave room where it goes.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.png", help="The new still.")
    ] = None,
) -> None:
    """Make a new still of a ratio, its subject kept whole; prints its path and its history."""
    from typing import get_args

    from lab.prompts import Prompt
    from lab.stills import Still
    from lab.stills import fit as make
    from lab.stills.fit import Mode

    if mode not in get_args(Mode):
        raise InputError(f"--mode {mode!r}: accepted: {', '.join(get_args(Mode))}")
    needs = None if prompt is None else Prompt.written(prompt).needs
    made = make(
        Still.open(still),
        ratio,
        mode="extend" if mode == "extend" else "crop",
        resolution=resolution,
        upsample=upsample,
        needs=needs,
        path=out,
    )
    print_out(str(made.path))
    for step in made.history:
        print_error(step)


def create(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", show_default=False)],
    out: Annotated[Path, typer.Option(help="The folder that keeps what was bought.")] = Path(
        "runs/stills"
    ),
    backend: Annotated[str, typer.Option(help="Who makes it.")] = "kling",
    ratio: Annotated[str, typer.Option(help="Its ratio, such as 9:16.")] = "16:9",
    resolution: Annotated[str, typer.Option(help="The tier it is meant for.")] = "720p",
    budget: Budget = None,
    yes: Yes = False,
) -> None:
    """Make a still from text, to be animated next. The same call costs nothing again."""
    from lab.runs import create as make

    with interruptible():
        still = make(
            prompt,
            out=out,
            backend=backend,
            budget_usd=budget,
            confirmed=yes,
            aspect_ratio=ratio,
            resolution=resolution,
        )
    print_out(str(still.path))
