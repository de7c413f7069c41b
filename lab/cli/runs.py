"""Commands that plan, make and look after runs."""

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli.options import BackendName, Budget, Cap, Json, Reuse, RunDir, SweepFile, Yes
from lab.cli.terminal import (
    interruptible,
    lines_by_reason,
    print_error,
    print_json,
    print_out,
    print_table,
)
from lab.errors import InputError

if TYPE_CHECKING:
    from lab.sweeps import Sweep


def demo(
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("runs/demo"),
) -> None:
    """Run the sample sweep offline, print its scores and write a report."""
    from lab.report import write_report
    from lab.samples import sample_path
    from lab.sweeps import Sweep

    make_run(Sweep.load(sample_path("sweeps/coffee.yaml")), out)
    print_error(f"report: {write_report(out)}")
    print_error(f"sample stills and sweeps: {sample_path()}")


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
        print_json(priced.to_json())
    else:
        print_out(str(priced))
    priced.check()


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
    """Make and score every take of a sweep. Run the same again, or `lab resume`, to go on."""
    from lab.sweeps import Sweep

    design = Sweep.load(sweep, backend=backend, budget_usd=budget, cap_usd=cap)
    make_run(design, out, yes=yes, reuse=reuse, as_json=as_json)


def resume(
    folder: RunDir,
    budget: Budget = None,
    cap: Cap = None,
    yes: Yes = False,
    reuse: Reuse = True,
    as_json: Json = False,
) -> None:
    """Go on with a run where it stopped. Its ledger holds the sweep, so no file is needed.

    Budget and cap are those that the run was last given, unless they are given anew.
    """
    from lab.sweeps import Sweep

    design = Sweep.from_run(folder)
    design = replace(
        design,
        budget_usd=design.budget_usd if budget is None else budget,
        cap_usd=design.cap_usd if cap is None else cap,
    )
    # A folder may hold takes of earlier sweeps too, as that of `lab create` does.
    make_run(design, folder, yes=yes, reuse=reuse, as_json=as_json, grow=True)


def make_run(
    design: "Sweep",
    out: Path,
    *,
    yes: bool = False,
    reuse: bool = True,
    as_json: bool = False,
    grow: bool = False,
) -> None:
    from lab.analysis import load
    from lab.runs import plan as price
    from lab.runs import run as make

    priced = price(design, out, reuse=reuse)
    if as_json:
        print_json({"plan": priced.to_json()})
    else:
        print_error(f"{priced}\n")
    confirmed = yes or (priced.needs_confirmation and not as_json and _agreed(priced))
    with interruptible(out):
        outcome = make(design, out, confirmed=confirmed, reuse=reuse, quiet=as_json, grow=grow)
    results = load(out)
    results.save()
    if as_json:
        for record in json.loads(results.table().to_json(orient="records")):
            print_json({**record, "simulated": results.simulated})
        print_json(
            {
                "run": str(outcome.folder),
                "takes": outcome.takes,
                "scored": outcome.scored,
                **outcome.money.to_json(),
                "reused": outcome.reused,
                "stopped": outcome.stopped,
                "chosen": list(outcome.chosen),
                "remarks": list(outcome.remarks),
                "problems": list(outcome.problems),
            }
        )
    else:
        print_table(results)
        print_error(str(outcome))
    if not outcome.complete:
        raise typer.Exit(1)


def _agreed(priced: Any) -> bool:
    """Ask the person at the terminal; without one, say no."""
    return sys.stdin.isatty() and typer.confirm(f"{priced.confirmation} on {priced.sweep.backend}?")


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
            print_json(settled.to_json())
        else:
            print_out(str(settled))
    if not found and not as_json:
        print_out(f"{folder}: no take is uncertain")
    if any(settled.state == "uncertain" for settled in found):
        raise typer.Exit(1)


def recover(folder: RunDir, as_json: Json = False) -> None:
    """Check a run's ledger in full; rebuild a damaged one from what can be read, keeping the old.

    Nothing is sent or bought. What could not be read is named, and takes that may have been bought
    come back as uncertain.
    """
    from lab.runs import recover as rebuild

    found = rebuild(folder)
    if as_json:
        print_json(found.to_json())
    else:
        print_out(str(found))
    if not found.complete:
        raise typer.Exit(1)


def status(folder: RunDir, as_json: Json = False) -> None:
    """How far a run is."""
    from lab.runs import Ledger, RunFolder, cap_reached

    place = RunFolder(folder)
    place.check()
    with Ledger.read(place.ledger) as ledger:
        rows, money = ledger.takes(), ledger.money()
        design = ledger.fact("sweep") or {}
    stopped = cap_reached(design.get("cap_usd"), rows)
    counts = Counter(row.state.value for row in rows)
    pictures = sum(row.take.shot.makes == "still" for row in rows)
    measures: Counter[str] = Counter()
    not_fresh: dict[str, str] = {}
    for row in rows:
        if row.clip is not None and row.take.shot.makes == "clip":
            stored = place.stored_measure(row)
            measures[stored.state.value] += 1
            if stored.reason:
                not_fresh[row.take_id] = stored.reason
    if as_json:
        print_json(
            {
                "run": str(folder),
                "takes": len(rows),
                "pictures": pictures,
                "states": dict(counts),
                "measured": measures["fresh"],
                "measures": dict(measures),
                "not_fresh": not_fresh,
                **money.to_json(),
                "stopped": stopped,
            }
        )
        return
    listed = ", ".join(f"{count} {state}" for state, count in counts.items())
    measured = [f"{measures.pop('fresh', 0)} measured"]
    measured += [f"{count} {_MEASUREMENTS[state]}" for state, count in measures.items()]
    of_them = f" ({pictures} of them pictures made from text)" if pictures else ""
    print_out(f"{folder}: {len(rows)} takes{of_them}: {listed}; {', '.join(measured)}; {money}")
    for line in lines_by_reason(not_fresh):
        print_out(line)
    if stopped:
        print_out(f"stopped: {stopped}")
    stills = {str(still.path): still.sha256 for row in rows if (still := row.take.shot.still)}
    for path, sha256 in stills.items():
        if trouble := place.still_error(path, sha256):
            print_out(trouble)
    if "uncertain" in counts or "submitting" in counts:
        print_out(f"it is unknown whether some were bought; `lab reconcile {folder}` asks")


_MEASUREMENTS = {
    "stale": "with stale measurements",
    "missing": "not measured",
    "damaged": "with damaged measurements",
    "of another clip": "measured on another clip",
}


def measure(folder: RunDir, as_json: Json = False) -> None:
    """Measure a run's clips again where numbers are missing, damaged, or of older definitions."""
    from lab.runs import measure as bring_up_to_date

    with interruptible():
        outcome = bring_up_to_date(folder, quiet=as_json)
    if as_json:
        print_json(outcome.to_json())
    else:
        print_out(str(outcome))
    if outcome.problems:
        raise typer.Exit(1)
