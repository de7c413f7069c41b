"""The command line: thin hands over public functions.

Tables and JSON go to standard output, everything else to standard error. Exit codes: 0 done, 1 done
but some item failed (each is named), 2 wrong input (one line says what to change), 130 interrupted
(run the same again to go on), 70 a bug in this toolkit.
"""

import json
import os
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from lab.errors import InputError, Interrupted, LabError

app = typer.Typer(
    name="lab",
    help="Image-to-video experiments: sweep, score, compare, report.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line, nothing else.")]
SweepFile = Annotated[Path, typer.Argument(metavar="SWEEP.yaml", show_default=False)]
RunDir = Annotated[Path, typer.Argument(metavar="DIR", show_default=False)]
BackendName = Annotated[str | None, typer.Option(help="Use this backend instead of the file's.")]
Budget = Annotated[
    float | None, typer.Option(metavar="USD", min=0, help="Refuse a plan that may cost more.")
]
Cap = Annotated[
    float | None,
    typer.Option(metavar="USD", min=0, help="Make as many whole blocks as fit, then stop."),
]
Reuse = Annotated[
    bool, typer.Option(help="Take over identical takes that an older run of yours bought.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Spend what the plan says without asking.")]


_COMPLIANCE = (
    "compliance: 1 is what was asked and nothing else, 0 none of it; speed: a multiple of what the "
    "vocabulary expects at that pace; seen: the one move that explains the camera's course best"
)


_NAMED = 8  # takes in one line


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("runs/demo"),
) -> None:
    """Run the sample sweep offline, print its scores and write a report."""
    sample = Path(__file__).resolve().parents[1] / "data" / "sweeps" / "coffee.yaml"
    if not sample.is_file():
        raise InputError("the sample sweep comes with the source checkout; run `lab demo` there")
    _run(sample, out)
    from lab.report import write_report

    _say(f"report: {write_report(out)}")


@app.command()
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
            _say(f"error: {error}")
            continue
        opened.append(still)
        found = check(still, aspect_ratio=ratio, resolution=resolution, needs=needs)
        if as_json:
            _json(found.to_json())
        else:
            _out(_preflight_lines(path, found))
        if pictures is not None:
            _overlay(pictures, found)
    for one, other, finding in near_duplicates(opened):
        if as_json:
            _json({"stills": [str(one.path), str(other.path)], **finding.to_json()})
        else:
            _out(f"{finding.severity}: {finding.says}; {finding.fix}")
    if len(opened) < len(stills):
        raise typer.Exit(1 if opened else 2)


def _preflight_lines(path: Path, found: Any) -> str:
    from lab.stills.checks import amount

    still, findings = found.still, found.findings
    lines = [
        f"{path}: {still.width_px}x{still.height_px} px" + ("" if findings else ", no remarks")
    ]
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
    from lab.files import make_writable_folder
    from lab.media import write_image

    make_writable_folder(folder)
    path = folder / f"{found.still.name}-{found.still.sha256[:8]}-preflight.png"
    write_image(path, found.overlay())
    _say(f"picture: {path}")


@app.command()
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
    _out(str(made.path))
    for step in made.history:
        _say(step)


@app.command()
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
        _json(plain)
        return
    _out(str(reading))
    factors = written.factors()
    said = {str(kind): factors[kind].replace("+", ", ") for kind in KINDS}
    said["other motion"] = ", ".join(action.verb for action in reading.actions)
    said["not"] = ", ".join(term.name for term in reading.negated)
    said["not understood"] = "; ".join(reading.unread)
    for label, listed in said.items():
        if listed:
            _out(f"  {label + ':':<16}{listed}")
    for finding in found:
        number = "" if finding.value is None else f" ({finding.value:g}, limit {finding.limit:g})"
        _out(f"  {finding.severity}: {finding.says}{number}; {finding.fix}")
        if finding.rewrite:
            _out(f"    {finding.rewrite}")
    if best != written.text:
        _out(f"try: {best}")


@app.command()
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
            _json(variant.to_json())
        else:  # a JSON string is a YAML string
            _out(f"  - name: {json.dumps(variant.name, ensure_ascii=False)}")
            _out(f"    text: {json.dumps(variant.text, ensure_ascii=False)}")


@app.command()
def plan(
    sweep: SweepFile,
    out: Annotated[
        Path | None, typer.Option(help="A run folder; what it has is not priced again.")
    ] = None,
    backend: BackendName = None,
    budget: Budget = None,
    cap: Cap = None,
    reuse: Reuse = True,
    as_json: Json = False,
) -> None:
    """Say how many takes, what they cost, how long, how much disk; before anything runs."""
    from lab.runs import plan as price
    from lab.sweeps import Sweep

    design = Sweep.load(sweep, backend=backend, budget_usd=budget, cap_usd=cap)
    priced = price(design, out, reuse=reuse)
    if as_json:
        _json(priced.to_json())
    else:
        _out(str(priced))
    priced.check()


@app.command()
def run(
    sweep: SweepFile,
    out: Annotated[Path, typer.Option(help="The run folder, made if need be.")],
    backend: BackendName = None,
    budget: Budget = None,
    cap: Cap = None,
    yes: Yes = False,
    reuse: Reuse = True,
    as_json: Json = False,
) -> None:
    """Make and score every take of a sweep. Run the same again to go on."""
    _run(sweep, out, backend, budget, cap, yes=yes, reuse=reuse, as_json=as_json)


def _run(
    sweep: Path,
    out: Path,
    backend: str | None = None,
    budget: float | None = None,
    cap: float | None = None,
    *,
    yes: bool = False,
    reuse: bool = True,
    as_json: bool = False,
) -> None:
    from lab.analysis import load
    from lab.runs import plan as price
    from lab.runs import run as make
    from lab.sweeps import Sweep

    design = Sweep.load(sweep, backend=backend, budget_usd=budget, cap_usd=cap)
    priced = price(design, out, reuse=reuse)
    if as_json:
        _json({"plan": priced.to_json()})
    else:
        _say(f"{priced}\n")
    confirmed = yes or (priced.asks and not as_json and _agreed(priced))
    with _interruptible():
        outcome = make(design, out, confirmed=confirmed, reuse=reuse, quiet=as_json)
    results = load(out)
    results.save()
    if as_json:
        for record in json.loads(results.table().to_json(orient="records")):
            _json({**record, "simulated": results.simulated})
        _json(
            {
                "run": str(outcome.folder),
                "takes": outcome.takes,
                "scored": outcome.scored,
                **outcome.money.to_json(),
                "reused": outcome.reused,
                "stopped": outcome.stopped,
                "remarks": list(outcome.remarks),
                "problems": list(outcome.problems),
            }
        )
    else:
        _table(results)
        _say(str(outcome))
    if not outcome.complete:
        raise typer.Exit(1)


def _agreed(priced: Any) -> bool:
    """Ask the person at the terminal; without one, say no."""
    from lab.units import usd_text

    price = usd_text(priced.low_usd, priced.high_usd)
    return sys.stdin.isatty() and typer.confirm(f"Spend {price} on {priced.sweep.backend}?")


@app.command()
def reconcile(
    folder: RunDir,
    bought: Annotated[
        list[str] | None,
        typer.Option(metavar="TAKE=JOB", help="You found this take at the service under this id."),
    ] = None,
    not_bought: Annotated[
        list[str] | None,
        typer.Option(metavar="TAKE", help="You looked, and the service never got this take."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List takes of which it is unknown whether they were bought, and settle them by asking."""
    from lab.runs import reconcile as settle

    pairs = [said.partition("=") for said in bought or ()]
    for take_id, _, job_id in pairs:
        if not (take_id and job_id):
            raise InputError(f"--bought {take_id!r}: write it as TAKE=JOB, with the service's id")
    found = settle(
        folder,
        bought={take_id: job_id for take_id, _, job_id in pairs},
        not_bought=not_bought or (),
    )
    for settled in found:
        if as_json:
            _json(settled.to_json())
        else:
            _out(str(settled))
    if not found and not as_json:
        _out(f"{folder}: no take is uncertain")
    if any(settled.state == "uncertain" for settled in found):
        raise typer.Exit(1)


@app.command()
def recover(folder: RunDir, as_json: Json = False) -> None:
    """Check a run's ledger in full; rebuild a damaged one from what can be read, keeping the old.

    Nothing is sent or bought. What could not be read is named, and takes that may have been bought
    come back as uncertain.
    """
    from lab.runs import recover as rebuild

    found = rebuild(folder)
    if as_json:
        _json(found.to_json())
    else:
        _out(str(found))
    if not found.complete:
        raise typer.Exit(1)


@app.command()
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

    with _interruptible():
        still = make(
            prompt,
            out=out,
            backend=backend,
            budget_usd=budget,
            confirmed=yes,
            aspect_ratio=ratio,
            resolution=resolution,
        )
    _out(str(still.path))


@app.command()
def status(folder: RunDir, as_json: Json = False) -> None:
    """How far a run is."""
    from lab.runs import Ledger, RunFolder

    place = RunFolder(folder)
    place.check()
    with Ledger.read(place.ledger) as ledger:
        rows, money = ledger.takes(), ledger.money()
    counts = Counter(row.state.value for row in rows)
    measures: Counter[str] = Counter()
    not_fresh: dict[str, str] = {}
    for row in rows:
        if row.clip is not None and row.take.shot.makes == "clip":
            reading = place.reading(row)
            measures[reading.state.value] += 1
            if reading.why:
                not_fresh[row.take_id] = reading.why
    if as_json:
        _json(
            {
                "run": str(folder),
                "takes": len(rows),
                "states": dict(counts),
                "measured": measures["fresh"],
                "measures": dict(measures),
                "not_fresh": not_fresh,
                **money.to_json(),
            }
        )
        return
    listed = ", ".join(f"{count} {state}" for state, count in counts.items())
    measured = [f"{measures.pop('fresh', 0)} measured"]
    measured += [f"{count} {_MEASUREMENTS[state]}" for state, count in measures.items()]
    _out(f"{folder}: {len(rows)} takes: {listed}; {', '.join(measured)}; {money}")
    for line in _by_reason(not_fresh):
        _out(line)
    if "uncertain" in counts or "submitting" in counts:
        _out(f"it is unknown whether some were bought; `lab reconcile {folder}` asks")


_MEASUREMENTS = {
    "stale": "with stale measurements",
    "missing": "not measured",
    "damaged": "with damaged measurements",
    "of another clip": "measured on another clip",
}


def _by_reason(why_by_take: Mapping[str, str]) -> Iterator[str]:
    """A line for each reason, with the takes that it holds for."""
    takes: dict[str, list[str]] = {}
    for take_id, why in why_by_take.items():
        takes.setdefault(why, []).append(take_id)
    for why, ids in takes.items():
        more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
        yield f"take{'s' * (len(ids) > 1)} {', '.join(ids[:_NAMED])}{more}: {why}"


@app.command()
def measure(folder: RunDir, as_json: Json = False) -> None:
    """Measure a run's clips again where numbers are missing, damaged, or of older definitions."""
    from lab.runs import measure as bring_up_to_date

    with _interruptible():
        outcome = bring_up_to_date(folder, quiet=as_json)
    if as_json:
        _json(outcome.to_json())
    else:
        _out(str(outcome))
    if outcome.problems:
        raise typer.Exit(1)


@app.command()
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
    with _interruptible():
        quiet = as_json or len(clips) == 1
        for record in measure(clips, still, quiet=quiet, literature=literature, heatmaps=heatmaps):
            if "error" in record:
                failed += 1
                _say(f"error: {record['error']}")
            elif as_json:
                plain = _scored(record, why=why)
                if asked is not None:
                    plain["compliance"] = [done.to_json() for done in _done(record, asked)]
                _json(plain)
            else:
                _out(_score_card(record, why=why))
                for done in () if asked is None else _done(record, asked):
                    _out(f"  asked for {done}")
    if failed:
        raise typer.Exit(2 if failed == len(clips) else 1)


def _done(record: dict[str, Any], asked: Any) -> Sequence[Any]:
    """What the camera did of what was asked."""
    from lab.analysis import comply

    scores = record["scores"].items()
    return comply({k: float("nan") if v is None else v for k, v in scores}, asked)


def _score_card(record: dict[str, Any], *, why: bool) -> str:
    from lab.metrics import HEADLINES, LITERATURE, SPECS, explain
    from lab.metrics.motion import TOO_STILL_SHARE

    facts = f"{record['width_px']}x{record['height_px']}, {record['frames']} frames"
    lines = [f"{record['clip']} ({facts}, {record['duration_s']:.2f} s)"]
    for name in HEADLINES:
        value = record["scores"][name]
        if value is None:
            lines.append(f"  {name:<8} none: {record['reasons'][name]}")
            continue
        calm = value <= SPECS[name].unnoticed
        lines.append(
            f"  {name:<8} {value:.3g} {record['units'][name]}" + " (hardly noticeable)" * calm
        )
        if why:
            parts = [part for part in SPECS if part.startswith(f"{name}.")]
            for part in parts:
                found = record["scores"][part]
                said = f"none: {record['reasons'][part]}" if found is None else f"{found:.3g}"
                lines.append(f"    {part.partition('.')[2]:<12} {said} {SPECS[part].unit}")
            most = "worst" if SPECS[name].direction == "lower" else "most"
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


def _scored(record: dict[str, Any], *, why: bool) -> dict[str, Any]:
    from lab.metrics import HEADLINES, explain

    kept = (
        *("clip", "still", "width_px", "height_px", "fps", "frames", "duration_s"),
        *("scores", "units", "reasons", "notes", "simulated"),
    )
    plain = {name: record[name] for name in kept}
    if "heatmaps" in record:
        plain["heatmaps"] = record["heatmaps"]
    if why:
        plain["worst"] = {
            name: [worst.to_json() for worst in explain(record, name)] for name in HEADLINES
        }
    return plain


@app.command()
def compare(
    folder: RunDir,
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
    """Median scores at matched motion by level of each factor. No test of a difference is made."""
    from lab.analysis import by_term, compliance, load
    from lab.analysis.matched import JUDGED, TOO_STILL, in_words
    from lab.analysis.results import SIMULATED_NOTE
    from lab.errors import did_you_mean

    results = load(folder)
    if camera:
        table = compliance(results)
        if as_json:
            for record in json.loads(table.to_json(orient="records")):
                _json(record)
        else:
            form = "{:.2f}".format
            asked = results.takes[["take_id", "still", "prompt"]]
            shown = asked.merge(table.drop(columns="backend"), on="take_id")
            _out(shown.to_string(index=False, float_format=form, na_rep="-"))
            _say(_COMPLIANCE)
        for line in _by_reason(results.not_fresh):
            _say(line)
        return
    if by is not None and by not in results.factors:
        raise InputError(
            f"--by {by!r} is no factor of this run; {did_you_mean(by, results.factors)}"
        )
    factors = [by] if by is not None else list(results.varied)
    if not factors:
        raise InputError(f"{folder}: nothing was varied, so there is nothing to compare")
    fitted = not raw and any(not results.lines[name].reason for name in JUDGED)
    for factor in factors:
        summary = results.summary(factor, matched=not raw)
        if as_json:
            for record in json.loads(summary.to_json(orient="records")):
                _json({"factor": factor, "level": record.pop(factor), "matched": fitted, **record})
        else:
            shown = summary.rename(columns={"too_still": TOO_STILL})
            _out(shown.to_string(index=False, float_format="{:.3g}".format) + "\n")
    course = by_term(compliance(results))
    if len(course) and not as_json:
        _out("Camera, asked and seen:")
        _out(course.to_string(index=False, float_format="{:.2f}".format, na_rep="-") + "\n")
        _say(_COMPLIANCE)
    _say("As measured." if raw else in_words(results.lines))
    if results.too_still:
        counted = "counted all the same" if raw else "in no median but that of motion"
        _say(f"{TOO_STILL}, {counted}:")
        for take_id in results.too_still:
            _say(f"  {take_id}  {results.title(take_id)}")
    for line in _by_reason(results.not_fresh):
        _say(line)
    if results.simulated:
        _say(SIMULATED_NOTE)


@app.command()
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
            _json(suggestion)
    else:
        _out(str(advice))
    if written is not None:
        _say(f"next sweep: {written}")


@app.command()
def report(
    folder: RunDir,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE.html", help="DIR/report.html if left out."),
    ] = None,
    max_mb: Annotated[
        float,
        typer.Option(
            "--max-mb", min=0, help="Room for films; beyond it they shrink, then become pictures."
        ),
    ] = 25,
    heatmaps: Annotated[
        bool, typer.Option("--heatmaps", help="Films of where the best and worst scores come from.")
    ] = False,
) -> None:
    """Write one HTML file that opens anywhere with no network."""
    from lab.report import write_report

    path = write_report(folder, out, most_mb=max_mb, heatmaps=heatmaps, quiet=False)
    _out(str(path))


@app.command()
def verify(
    page: Annotated[Path, typer.Argument(metavar="REPORT.html", show_default=False)],
    run: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The run folder, if it does not lie beside the report."),
    ] = None,
    scores: Annotated[bool, typer.Option(help="Measure every clip again.")] = True,
    as_json: Json = False,
) -> None:
    """Say whether a report still matches its stills, clips, ledger and scores."""
    from lab.report import verify as hold

    with _interruptible():
        found = hold(page, run, scores=scores, quiet=as_json)
    if as_json:
        for mismatch in found.mismatches:
            _json(mismatch.to_json())
    else:
        _out(str(found))
    if not found.holds:
        raise typer.Exit(1)


@app.command()
def export(
    notebook: Annotated[Path, typer.Argument(metavar="NOTEBOOK.ipynb", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE.html", help="NOTEBOOK.html if left out."),
    ] = None,
    code: Annotated[bool, typer.Option("--code", help="Show the cells' code too.")] = False,
) -> None:
    """Write an executed notebook as one HTML file that opens anywhere and runs no script."""
    from lab.report import export_notebook

    _out(str(export_notebook(notebook, out, code=code)))


@app.command()
def calibrate(
    out: Annotated[
        Path, typer.Option(help="Where measurements are kept; run again to go on.")
    ] = Path("runs/calibration"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Four photographs, middle strengths only.")
    ] = False,
    stills: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Your photographs instead of the shipped.")
    ] = None,
    footage: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Real clips to spoil as well.")
    ] = None,
    moves: Annotated[
        bool, typer.Option("--moves", help="Camera moves instead: is what was asked seen?")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure the metrics on clips with known defects: what each one tells, and what moves it."""
    from lab.calibration import calibrate as measure
    from lab.calibration import calibrate_moves

    if moves:
        if footage is not None:
            raise InputError("--footage: camera moves are drawn, so there is none to measure on")
        with _interruptible():
            table = calibrate_moves(out, stills=stills, quick=quick, quiet=as_json)
        if as_json:
            for row in json.loads(table.clips.to_json(orient="records")):
                _json(row)
        else:
            _out(str(table))
            _say(f"camera moves: {out / 'moves.csv'}")
        _fail_for(table.failed, name_them=as_json)
        return
    with _interruptible():
        card = measure(out, stills=stills, footage=footage, quick=quick, quiet=as_json)
    if as_json:
        _json(card.to_json())
    else:
        _out(str(card))
        _say(f"validity card: {out / 'card.json'}")
    _fail_for(card.failed, name_them=as_json)


@app.command()
def emulate(
    port: Annotated[int, typer.Option(help="Where it answers, on 127.0.0.1.")] = 8790,
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="What shall go wrong, and how often.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.01, help="How many times faster than its usual 5 s a job is.")
    ] = 1.0,
    small: Annotated[
        bool, typer.Option("--small", help="Render clips of 180 px, to save time.")
    ] = False,
) -> None:
    """Answer like Kling on this machine, for nothing, until Ctrl-C."""
    from lab.emulator import Emulator, Pace, load_faults, serve

    usual = Pace()
    emulator = Emulator(
        pace=Pace(usual.submitted_s / speed, usual.processing_s / speed),
        faults=load_faults(faults) if faults else (),
        short_side_px=180 if small else None,
    )
    serve(emulator, port=port)


@app.command()
def weights(as_json: Json = False) -> None:
    """Fetch the pinned model weights into the user's cache, and say where they are."""
    from lab.vision import WEIGHTS, weight_path

    for weight in WEIGHTS.values():
        path = weight_path(weight.name)
        if as_json:
            _json({"name": weight.name, "path": str(path), "sha256": weight.sha256})
        else:
            _out(f"{weight.name}: {path} ({weight.purpose}; {weight.licence})")


def _fail_for(failed: Sequence[str], *, name_them: bool) -> None:
    """End with code 1 if anything failed. name_them: it was not printed yet."""
    for line in failed if name_them else ():
        _say(f"error: {line}")
    if failed:
        raise typer.Exit(1)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Say what an interrupt left behind; the command line library only keeps the exit code."""
    try:
        yield
    except Interrupted as error:
        _say(str(error))
        raise typer.Exit(130) from None


def _table(results: Any) -> None:
    from lab.analysis.results import SIMULATED_NOTE

    table = results.table().drop(columns=["take_id"])
    _out(table.to_string(index=False, float_format="{:.3g}".format))
    if results.simulated:
        _out(SIMULATED_NOTE)


def _out(text: str) -> None:
    typer.echo(text)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its code; no traceback ever reaches the user."""
    try:
        code = app(arguments, standalone_mode=False)
    except typer.TyperException as error:
        worded = getattr(error, "format_message", None)
        said = worded() if worded else str(error)
        _say(f"error: {' '.join(said.split())} See `lab --help`.")
        code = 2
    except LabError as error:
        for line in str(error).splitlines():
            _say(f"error: {line}")
        code = 2
    except Exception as error:  # noqa: BLE001 - the last door: told in one line, kept in a file
        with tempfile.NamedTemporaryFile("w", suffix=".txt", prefix="lab-", delete=False) as file:
            traceback.print_exc(file=file)
        said = " ".join(f"{type(error).__name__}: {error}".split())
        _say(f"error: this is a bug in i2v-lab ({said}); please report it with {file.name}")
        code = 70
    if code == 130 and arguments is None:
        # As a program of its own: do not wait for requests under way. The ledger knows of them.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code or 0)
