"""Commands about the toolkit itself and what it talks to: calibrate, doctor, emulate, weights."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import Json
from lab.cli.terminal import exit_for, interruptible, print_error, print_json, print_out
from lab.errors import InputError


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
    new: Annotated[
        bool, typer.Option("--new", help="With --moves: only moves that the shipped table lacks.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure clips with known defects: what numbers tell, what moves them, which go untried."""
    from lab.calibration import calibrate as measure
    from lab.calibration import calibrate_moves, load_moves

    if new and not moves:
        raise InputError("--new: only camera moves are kept from earlier; add --moves")
    if moves:
        if footage is not None:
            raise InputError("--footage: camera moves are drawn, so there is none to measure on")
        with interruptible():
            known = load_moves() if new else None
            table = calibrate_moves(out, stills=stills, quick=quick, known=known, quiet=as_json)
        if as_json:
            for row in json.loads(table.clips.to_json(orient="records")):
                print_json(row)
        else:
            print_out(str(table))
            print_error(f"camera moves: {out / 'moves.csv'}")
        exit_for(table.failed, name_them=as_json)
        return
    with interruptible():
        card = measure(out, stills=stills, footage=footage, quick=quick, quiet=as_json)
    if as_json:
        print_json(card.to_json())
    else:
        print_out(str(card))
        print_error(f"validity card: {out / 'card.json'}")
    exit_for(card.failed, name_them=as_json)


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
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse fields that no document gives the model.")
    ] = False,
    any_element: Annotated[
        bool, typer.Option("--any-element", help="Take element ids that were made elsewhere.")
    ] = False,
) -> None:
    """Answer like Kling on this machine, for nothing, until Ctrl-C."""
    from lab.emulator import Assumptions, Emulator, TaskTiming, load_faults, serve

    usual = TaskTiming()
    emulator = Emulator(
        timing=TaskTiming(usual.submitted_s / speed, usual.processing_s / speed),
        faults=load_faults(faults) if faults else (),
        short_side_px=180 if small else None,
        assumptions=Assumptions(strict_fields=strict, unknown_elements=any_element),
    )
    serve(emulator, port=port)


def doctor(
    backend: Annotated[
        str | None, typer.Argument(metavar="[BACKEND]", help="Leave it out for a list.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a paid service for nothing: key, address, and which documented assumptions hold."""
    from lab.backends import BACKENDS, Checkable, open_backend

    if backend is None:
        for name in BACKENDS:
            _list_backend(name, as_json=as_json)
        return
    opened = open_backend(backend)
    try:
        if not isinstance(opened, Checkable):
            raise InputError(f"backend {backend}: asks no service, so there is nothing to check")
        rows, settings = opened.check(), opened.given_settings()
        if as_json:
            found = [setting.to_json() for setting in settings]
            print_json({"backend": backend, **opened.describe(), "settings": found})
        else:
            for label, said in opened.describe().items():
                print_out(f"{label.replace('_', ' '):>13}  {said}")
            print_out(f"     settings  {', '.join(map(str, settings))}\n")
        held = True
        for row in rows:
            held = held and row.outcome == "held"
            if as_json:
                print_json(row.to_json())
            else:
                print_out(str(row))
    finally:
        opened.close()
    if not held:
        raise typer.Exit(1)


def _list_backend(name: str, *, as_json: bool) -> None:
    """One line: which of a backend's settings were found, and whether it can be checked."""
    from lab.backends import Checkable, open_backend

    opened = open_backend(name)
    checks = isinstance(opened, Checkable)
    settings = opened.given_settings() if isinstance(opened, Checkable) else ()
    opened.close()
    if as_json:
        found = [setting.to_json() for setting in settings]
        print_json({"backend": name, "checks": checks, "settings": found})
    elif checks:
        listed = ", ".join(map(str, settings)) or "none"
        print_out(f"{name}: settings found: {listed}; `lab doctor {name}` checks it")
    else:
        print_out(f"{name}: asks no service, needs no settings")


def weights(as_json: Json = False) -> None:
    """Fetch the pinned model weights into the user's cache, and say where they are."""
    from lab.vision import WEIGHTS, weight_path

    for weight in WEIGHTS.values():
        path = weight_path(weight.name)
        if as_json:
            print_json({"name": weight.name, "path": str(path), "sha256": weight.sha256})
        else:
            print_out(f"{weight.name}: {path} ({weight.purpose}; {weight.licence})")
