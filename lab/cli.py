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
from collections.abc import Iterator, Sequence
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
    as_json: Json = False,
) -> None:
    """Check stills before anything is paid."""
    from lab.stills import Still
    from lab.stills import preflight as check
    from lab.units import frame_size

    frame_size(ratio or "16:9", resolution or "720p")
    failed = False
    for path in stills:
        try:
            still = Still.open(path)
        except InputError as error:
            failed = True
            _say(f"error: {error}")
            continue
        found = check(still, aspect_ratio=ratio, resolution=resolution)
        if as_json:
            findings = [finding.to_json() for finding in found]
            _json({**still.to_json(), "findings": findings})
            continue
        _out(f"{path}: {still.width_px}x{still.height_px} px, " + ("" if found else "no remarks"))
        for finding in found:
            _out(f"  {finding}")
    if failed:
        raise typer.Exit(2 if len(stills) == 1 else 1)


@app.command()
def lint(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", show_default=False)],
    as_json: Json = False,
) -> None:
    """Say what a prompt was understood to ask for, and what it lacks."""
    from lab.prompts import Prompt
    from lab.prompts import lint as check

    read = Prompt.written(prompt)
    found = check(read)
    if as_json:
        _json({**read.to_json(), "findings": [finding.to_json() for finding in found]})
        return
    _out(f"understood: {', '.join(read.terms) or 'nothing from the vocabulary'}")
    for finding in found:
        _out(f"  {finding}")


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
        states = [state.value for state in ledger.states().values()]
        money = ledger.money()
    counts = {state: states.count(state) for state in dict.fromkeys(states)}
    measured = len(list(place.measures.glob("*.json")))
    if as_json:
        _json(
            {
                "run": str(folder),
                "takes": len(states),
                "states": counts,
                "measured": measured,
                **money.to_json(),
            }
        )
        return
    listed = ", ".join(f"{count} {state}" for state, count in counts.items())
    _out(f"{folder}: {len(states)} takes: {listed}; {measured} measured; {money}")
    if "uncertain" in counts or "submitting" in counts:
        _out(f"it is unknown whether some were bought; `lab reconcile {folder}` asks")


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
    as_json: Json = False,
) -> None:
    """Score any clips: flicker, drift, warp, motion."""
    from lab.runs import score as measure

    failed = 0
    with _interruptible():
        quiet = as_json or len(clips) == 1
        for record in measure(clips, still, quiet=quiet, literature=literature, heatmaps=heatmaps):
            if "error" in record:
                failed += 1
                _say(f"error: {record['error']}")
            elif as_json:
                _json(_scored(record, why=why))
            else:
                _out(_score_card(record, why=why))
    if failed:
        raise typer.Exit(2 if failed == len(clips) else 1)


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
    as_json: Json = False,
) -> None:
    """Median scores at matched motion by level of each factor. No test of a difference is made."""
    from lab.analysis import load
    from lab.analysis.matched import JUDGED, TOO_STILL, in_words
    from lab.analysis.results import SIMULATED_NOTE
    from lab.errors import did_you_mean

    results = load(folder)
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
    _say("As measured." if raw else in_words(results.lines))
    if results.too_still:
        counted = "counted all the same" if raw else "in no median but that of motion"
        _say(f"{TOO_STILL}, {counted}:")
        for take_id in results.too_still:
            _say(f"  {take_id}  {results.title(take_id)}")
    if results.simulated:
        _say(SIMULATED_NOTE)


@app.command()
def report(
    folder: RunDir,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE.html", help="DIR/report.html if left out."),
    ] = None,
) -> None:
    """Write one HTML file that opens anywhere with no network."""
    from lab.report import write_report

    _out(str(write_report(folder, out)))


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
    as_json: Json = False,
) -> None:
    """Measure the metrics on clips with known defects: what each one tells, and what moves it."""
    from lab.calibration import calibrate as measure

    with _interruptible():
        card = measure(out, stills=stills, footage=footage, quick=quick, quiet=as_json)
    if as_json:
        _json(card.to_json())
    else:
        _out(str(card))
        _say(f"validity card: {out / 'card.json'}")


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
