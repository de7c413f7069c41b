"""Scores of any clips: score."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli.options import Json
from lab.cli.terminal import interruptible, print_error_line, print_json, print_out
from lab.errors import InputError

if TYPE_CHECKING:
    from lab.analysis.compliance import Compliance
    from lab.measures import ClipRecord
    from lab.prompts import Prompt


def score(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP...", show_default=False)],
    still: Annotated[Path | None, typer.Option(help="The still that the clips began from.")] = None,
    literature: Annotated[
        bool, typer.Option("--literature", help="Add the numbers that papers report; slower.")
    ] = False,
    heatmaps: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write films of where each value comes from."),
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="Say when and where each score is at its worst.")
    ] = False,
    prompt: Annotated[
        str | None, typer.Option(help="What was asked: say whether the camera did it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score any clips: flicker, drift, warp, motion."""
    from lab.prompts import Prompt
    from lab.runs import score as measure

    asked = None if prompt is None else Prompt.written(prompt)
    if asked is not None and not asked.of_kind("camera"):
        raise InputError(f"--prompt {prompt!r}: names no camera move; try `lab lint`")
    failed = 0
    with interruptible():
        quiet = as_json or len(clips) == 1
        for record in measure(clips, still, quiet=quiet, literature=literature, heatmaps=heatmaps):
            if "error" in record:
                failed += 1
                print_error_line(record["error"])
            elif as_json:
                plain = _scored(record, why=why)
                if asked is not None:
                    plain["compliance"] = [done.to_json() for done in _done(record, asked)]
                print_json(plain)
            else:
                print_out(_score_card(record, why=why))
                for done in () if asked is None else _done(record, asked):
                    print_out(f"  asked for {done}")
    if failed:
        raise typer.Exit(2 if failed == len(clips) else 1)


def _done(record: "ClipRecord", asked: "Prompt") -> "tuple[Compliance, ...]":
    """What the camera did of what was asked."""
    from lab.analysis import clip_compliance

    scores = record["scores"].items()
    return clip_compliance({k: float("nan") if v is None else v for k, v in scores}, asked)


def _score_card(record: "ClipRecord", *, why: bool) -> str:
    from lab.metrics import HEADLINES, LITERATURE, SPECS, explain
    from lab.metrics.motion import TOO_STILL_SHARE
    from lab.units import escape_line

    facts = f"{record['width_px']}x{record['height_px']}, {record['frames']} frames"
    named = escape_line(record["clip"])
    lines = [f"{named} ({facts}, {record['duration_s']:.2f} s)"]
    for name in HEADLINES:
        value = record["scores"][name]
        if value is None:
            lines.append(f"  {name:<8} none: {record['reasons'][name]}")
            continue
        calm = SPECS[name].visibility(value) <= 1
        lines.append(
            f"  {name:<8} {value:.3g} {record['units'][name]}" + " (hardly noticeable)" * calm
        )
        if why:
            parts = [part for part in SPECS if part.startswith(f"{name}.")]
            for part in parts:
                found = record["scores"][part]
                said = f"none: {record['reasons'][part]}" if found is None else f"{found:.3g}"
                lines.append(f"    {part.partition('.')[2]:<12} {said} {SPECS[part].unit}")
            most = "worst" if SPECS[name].judged else "most"
            lines += [f"    at its {most} {worst}" for worst in explain(record, name)]
    published = [name for name in LITERATURE if name in record["scores"]]
    if published:
        lines.append("  as published, at native size:")
    for name in published:
        value = record["scores"][name]
        said = f"none: {record['reasons'][name]}" if value is None else f"{value:.4g}"
        lines.append(f"    {name:<26} {said}")
    lines += [f"  heatmap: {film}" for film in record.get("heatmaps", ())]
    if (record["scores"]["motion.still"] or 0) >= TOO_STILL_SHARE:
        lines.append("  note: too still to judge: a clip that hardly moves scores well on all else")
    lines += [f"  note: {note}" for note in record["notes"]]
    if record["simulated"]:
        lines.append("  note: simulated, rendered locally without a model")
    return "\n".join(lines)


def _scored(record: "ClipRecord", *, why: bool) -> dict[str, Any]:
    from lab.metrics import HEADLINES, explain

    kept = (
        *("clip", "still", "width_px", "height_px", "fps", "frames", "duration_s"),
        *("scores", "units", "reasons", "notes", "simulated"),
    )
    facts = dict(record.items())
    plain = {name: facts[name] for name in kept}
    if "heatmaps" in record:
        plain["heatmaps"] = record["heatmaps"]
    if why:
        plain["worst"] = {
            name: [worst.to_json() for worst in explain(record, name)] for name in HEADLINES
        }
    return plain
