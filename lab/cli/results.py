"""Commands that read a run's results: compare, suggest."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import Json, RunDir, RunDirs
from lab.cli.terminal import lines_by_reason, print_error, print_json, print_out
from lab.errors import InputError

_COMPLIANCE = (
    "compliance: 1 is what was asked and nothing else, 0 none of it; speed: a multiple of what the "
    "vocabulary expects at that pace; seen: the one move that explains the camera's course best"
)


def compare(
    folders: RunDirs,
    by: Annotated[
        str | None, typer.Option(help="One factor; every varied one if left out.")
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="As measured, not at matched motion; still takes count.")
    ] = False,
    camera: Annotated[
        bool, typer.Option("--camera", help="Only what the camera did of what was asked, by take.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Median scores at matched motion by level of each factor, and by run. No test is made."""
    from lab.analysis import by_term, compliance, load
    from lab.analysis.matched import TOO_STILL, describe_lines
    from lab.errors import did_you_mean
    from lab.metrics import JUDGED

    results = load(folders)
    several = ["run"] * (len(results.runs) > 1)
    if camera:
        table = compliance(results)
        if as_json:
            for record in json.loads(table.to_json(orient="records")):
                print_json(record)
        else:
            form = "{:.2f}".format
            asked = results.takes[["take_id", *several, "still", "prompt"]]
            shown = asked.merge(table.drop(columns="backend"), on="take_id")
            print_out(shown.to_string(index=False, float_format=form, na_rep="-"))
            print_error(_COMPLIANCE)
        for line in lines_by_reason(results.not_fresh):
            print_error(line)
        return
    if by is not None and by not in results.factors:
        raise InputError(f"--by {by!r} is no factor here; {did_you_mean(by, results.factors)}")
    factors = [by] if by is not None else list(results.varied)
    if not factors:
        raise InputError(f"{folders[0]}: nothing was varied, so there is nothing to compare")
    fitted = not raw and any(not results.motion_lines[name].reason for name in JUDGED)
    for factor in factors:
        summary = results.summary(factor, matched=not raw)
        if as_json:
            for record in json.loads(summary.to_json(orient="records")):
                print_json(
                    {"factor": factor, "level": record.pop(factor), "matched": fitted, **record}
                )
        else:
            shown = summary.rename(columns={"too_still": TOO_STILL})
            print_out(shown.to_string(index=False, float_format="{:.3g}".format) + "\n")
    course = by_term(compliance(results))
    if len(course) and not as_json:
        print_out("Camera, asked and seen:")
        print_out(course.to_string(index=False, float_format="{:.2f}".format, na_rep="-") + "\n")
        print_error(_COMPLIANCE)
    print_error("As measured." if raw else describe_lines(results.motion_lines))
    if results.too_still:
        counted = "counted all the same" if raw else "in no median but that of motion"
        print_error(f"{TOO_STILL}, {counted}:")
        for take_id in results.too_still:
            print_error(f"  {take_id}  {results.title(take_id)}")
    for line in lines_by_reason(results.not_fresh):
        print_error(line)
    for trouble in results.still_errors.values():
        print_error(trouble)
    for remark in results.remarks:
        print_error(remark)


def suggest(
    folder: RunDir,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="NEXT.yaml", help="Write the next sweep there."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what to change next, with the evidence, and write the next sweep file."""
    from lab.analysis import suggest_next

    advice = suggest_next(folder)
    written = None if out is None else advice.save(out)
    if as_json:
        for suggestion in advice.to_json():
            print_json(suggestion)
    else:
        print_out(str(advice))
    if written is not None:
        print_error(f"next sweep: {written}")
