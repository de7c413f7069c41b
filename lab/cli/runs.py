"""Commands that plan, make and inspect runs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import lab
from lab.cli.options import (
    BackendName,
    Budget,
    Cap,
    Json,
    OptionError,
    Reuse,
    RunDir,
    SweepFile,
    Yes,
)
from lab.cli.terminal import (
    confirm,
    interruptible,
    print_json,
    print_result,
    print_stderr,
    print_stdout,
)

if TYPE_CHECKING:
    from lab.sweeps import Sweep


def demo(
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("runs/demo"),
) -> None:
    """Run the sample sweep offline, print its scores and write a report.

    \b
    Example:
      lab demo
      lab demo --out runs/first
    """
    _make_run(lab.Sweep.load(lab.sample_path("sweeps/coffee.yaml")), out)
    print_stderr(f"report: {lab.write_report(out)}")
    print_stderr(f"sample stills and sweeps: {lab.sample_path()}")


def plan(
    sweep: SweepFile,
    out: Annotated[
        Path | None, typer.Option(help="A run folder; takes it already has are not priced again.")
    ] = None,
    backend: BackendName = None,
    budget: Budget = None,
    cap: Cap = None,
    reuse: Reuse = True,
    as_json: Json = False,
) -> None:
    """Print how many takes there are, what they cost, how long they take, and the disk they need.

    \b
    Example:
      lab plan sweep.yaml
      lab plan sweep.yaml --backend kling --cap 20 --json
    """
    design = lab.Sweep.load(sweep, backend=backend, budget_usd=budget, cap_usd=cap)
    priced = lab.plan(design, out, reuse=reuse)
    print_result(priced, as_json=as_json)
    priced.check()


def run(
    sweep: SweepFile,
    out: Annotated[Path, typer.Option(help="The run folder, created if missing.")],
    backend: BackendName = None,
    budget: Budget = None,
    cap: Cap = None,
    yes: Yes = False,
    reuse: Reuse = True,
    as_json: Json = False,
) -> None:
    """Make and score every take of a sweep. Run it again, or `lab resume`, to continue.

    \b
    Example:
      lab run sweep.yaml --out runs/mine
      lab run sweep.yaml --out runs/k --backend kling --cap 20
    """
    design = lab.Sweep.load(sweep, backend=backend, budget_usd=budget, cap_usd=cap)
    _make_run(design, out, yes=yes, reuse=reuse, as_json=as_json)


def resume(
    folder: RunDir,
    budget: Budget = None,
    cap: Cap = None,
    yes: Yes = False,
    reuse: Reuse = True,
    as_json: Json = False,
) -> None:
    """Continue a run. Its ledger holds the sweep, so no sweep file is needed.

    The budget and cap of the last run stay unless given again.

    \b
    Example:
      lab resume runs/mine
      lab resume runs/k --cap 30 --yes
    """
    design = lab.Sweep.from_run(folder)
    design = replace(
        design,
        budget_usd=design.budget_usd if budget is None else budget,
        cap_usd=design.cap_usd if cap is None else cap,
    )
    # A folder may also hold takes of earlier sweeps, for example after `lab create`.
    _make_run(design, folder, yes=yes, reuse=reuse, as_json=as_json, allow_other_takes=True)


def _make_run(
    design: "Sweep",
    out: Path,
    *,
    yes: bool = False,
    reuse: bool = True,
    as_json: bool = False,
    allow_other_takes: bool = False,
) -> None:
    priced = lab.plan(design, out, reuse=reuse)
    if as_json:
        print_json({"plan": priced.to_json()})
    else:
        print_stderr(f"{priced}\n")
    question = f"{priced.confirmation} on {design.backend}?"
    confirmed = yes or (priced.needs_confirmation and confirm(question, as_json=as_json))
    with interruptible(out):
        outcome = lab.run(
            design,
            out,
            confirmed=confirmed,
            reuse=reuse,
            quiet=as_json,
            allow_other_takes=allow_other_takes,
        )
    results = lab.load(out)
    results.save()
    if as_json:
        for row in json.loads(results.table().to_json(orient="records")):
            print_json({**row, "simulated": results.simulated})
        print_json(outcome.to_json())
    else:
        print_stdout(str(results))
        print_stderr(str(outcome))
    if not outcome.complete:
        raise typer.Exit(1)


def reconcile(
    folder: RunDir,
    bought: Annotated[
        list[str] | None,
        typer.Option(metavar="TAKE=JOB", help="You saw this take at the service under this id."),
    ] = None,
    not_bought: Annotated[
        list[str] | None,
        typer.Option(metavar="TAKE", help="You looked, and the service never got this take."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List takes that may or may not have been bought, and ask the service about each.

    \b
    Example:
      lab reconcile runs/k
      lab reconcile runs/k --bought 1f8aa05ba869=861500000000000001
      lab reconcile runs/k --not-bought 1f8aa05ba869
    """
    pairs = [pair.partition("=") for pair in bought or ()]
    for take_id, _, job_id in pairs:
        if not (take_id and job_id):
            raise OptionError(f"--bought {take_id!r}: write it as TAKE=JOB, with the service's id")
    takes = lab.reconcile(
        folder,
        bought={take_id: job_id for take_id, _, job_id in pairs},
        not_bought=not_bought or (),
    )
    for take in takes:
        print_result(take, as_json=as_json)
    if not takes and not as_json:
        print_stdout(f"{folder}: no take is uncertain")
    if any(take.state == "uncertain" for take in takes):
        raise typer.Exit(1)


def recover(folder: RunDir, as_json: Json = False) -> None:
    """Check a run's ledger in full, and rebuild a damaged one. The damaged file is kept.

    Nothing is sent or bought. Each lost part is named. Takes that may have
    been bought become uncertain.

    \b
    Example:
      lab recover runs/mine
    """
    recovered = lab.recover(folder)
    print_result(recovered, as_json=as_json)
    if not recovered.complete:
        raise typer.Exit(1)


def status(folder: RunDir, as_json: Json = False) -> None:
    """Print the progress of a run.

    \b
    Example:
      lab status runs/mine
    """
    print_result(lab.status(folder), as_json=as_json)


def measure(folder: RunDir, as_json: Json = False) -> None:
    """Measure a run's clips again where scores are missing, damaged, or of older definitions.

    \b
    Example:
      lab measure runs/mine
    """
    with interruptible():
        outcome = lab.measure(folder, quiet=as_json)
    print_result(outcome, as_json=as_json)
    if outcome.problems:
        raise typer.Exit(1)
