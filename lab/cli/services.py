"""Commands about the toolkit itself and its services: calibrate, doctor, emulate, weights."""

import json
from pathlib import Path
from typing import Annotated

import typer

import lab
from lab.cli.options import Json, OptionError, check_backend
from lab.cli.terminal import (
    exit_if_failed,
    interruptible,
    print_json,
    print_result,
    print_stderr,
    print_stdout,
)
from lab.errors import InputError


def calibrate(
    out: Annotated[
        Path, typer.Option(help="The folder of measurements; run again to continue.")
    ] = Path("runs/calibration"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Four photographs, middle strengths only.")
    ] = False,
    stills: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Your photographs instead of the samples.")
    ] = None,
    footage: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Real clips to add defects to as well.")
    ] = None,
    moves: Annotated[
        bool, typer.Option("--moves", help="Compare measured with requested camera moves instead.")
    ] = False,
    new: Annotated[
        bool, typer.Option("--new", help="With --moves: only moves that the shipped table lacks.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure clips with known defects: what each metric detects, and what disturbs it.

    \b
    Example:
      lab calibrate --quick
      lab calibrate --stills photos --footage clips
      lab calibrate --moves --new
    """
    from lab.calibration import describe_agreement, load_agreement, load_moves

    if new and not moves:
        raise OptionError("--new works on camera moves only; add --moves")
    if moves:
        if footage is not None:
            raise OptionError("--footage: camera moves are rendered, so footage is not used")
        with interruptible():
            known = load_moves() if new else None
            table = lab.calibrate_moves(out, stills=stills, quick=quick, known=known, quiet=as_json)
        if as_json:
            for row in json.loads(table.clips.to_json(orient="records")):
                print_json(row)
        else:
            print_stdout(str(table))
            print_stderr(f"camera moves: {out / 'moves.csv'}")
        exit_if_failed(table.failed, print_failures=as_json)
        return
    with interruptible():
        card = lab.calibrate(out, stills=stills, footage=footage, quick=quick, quiet=as_json)
    print_result(card, as_json=as_json)
    if not as_json:
        print_stdout("\n" + describe_agreement(load_agreement()))
        print_stderr(f"validity card: {out / 'card.json'}")
    exit_if_failed(card.failed, print_failures=as_json)


def emulate(
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1.")] = 8790,
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="What goes wrong, and how often.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.01, help="The speed of jobs; at 1, a job takes 5 s.")
    ] = 1.0,
    small: Annotated[
        bool, typer.Option("--small", help="Render clips of 180 px, to save time.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Refuse request fields that are not documented for the model."
        ),
    ] = False,
    any_element: Annotated[
        bool,
        typer.Option("--any-element", help="Accept ids of elements that were not registered here."),
    ] = False,
) -> None:
    """Answer like Kling on this machine, free of charge, until Ctrl-C.

    \b
    Example:
      lab emulate
      lab emulate --port 9000 --speed 10 --small
    """
    from lab.emulator import Assumptions, Emulator, TaskTiming, load_faults, serve

    default = TaskTiming()
    emulator = Emulator(
        timing=TaskTiming(default.submitted_s / speed, default.processing_s / speed),
        faults=load_faults(faults) if faults else (),
        short_side_px=180 if small else None,
        assumptions=Assumptions(strict_fields=strict, unknown_elements=any_element),
    )
    serve(emulator, port=port)


def doctor(
    backend: Annotated[
        str | None,
        typer.Argument(
            metavar="[BACKEND]", callback=check_backend, help="Leave it out for a list."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a paid service free of charge: key, address, and whether it behaves as documented.

    \b
    Example:
      lab doctor
      lab doctor kling
    """
    from lab.backends import BACKENDS, Checkable

    if backend is None:
        for name in BACKENDS:
            _list_backend(name, as_json=as_json)
        return
    opened = lab.open_backend(backend)
    try:
        if not isinstance(opened, Checkable):
            raise InputError(f"backend {backend}: uses no service, so there is nothing to check")
        checks, settings = opened.check(), opened.configured_settings()
        if as_json:
            plain = [setting.to_json() for setting in settings]
            print_json({"backend": backend, **opened.describe(), "settings": plain})
        else:
            for label, text in opened.describe().items():
                print_stdout(f"{label.replace('_', ' '):>13}  {text}")
            print_stdout(f"     settings  {', '.join(map(str, settings))}\n")
        all_held = True
        for check in checks:  # each is printed as soon as the service answers
            all_held = all_held and check.outcome == "held"
            print_result(check, as_json=as_json)
    finally:
        opened.close()
    if not all_held:
        raise typer.Exit(1)


def _list_backend(name: str, *, as_json: bool) -> None:
    """Print the configured settings of a backend, and whether it can be checked."""
    from lab.backends import Checkable

    opened = lab.open_backend(name)
    checkable = isinstance(opened, Checkable)
    settings = opened.configured_settings() if isinstance(opened, Checkable) else ()
    opened.close()
    if as_json:
        plain = [setting.to_json() for setting in settings]
        print_json({"backend": name, "checks": checkable, "settings": plain})
    elif checkable:
        listed = ", ".join(map(str, settings)) or "none"
        print_stdout(f"{name}: settings found: {listed}; `lab doctor {name}` checks it")
    else:
        print_stdout(f"{name}: uses no service, needs no settings")


def weights(as_json: Json = False) -> None:
    """Download the pinned model weights into your cache, and print where they are.

    \b
    Example:
      lab weights
    """
    from lab.vision import WEIGHTS, weight_path

    for weight in WEIGHTS.values():
        path = weight_path(weight.name)
        if as_json:
            print_json({"name": weight.name, "path": str(path), "sha256": weight.sha256})
        else:
            print_stdout(f"{weight.name}: {path} ({weight.purpose}; {weight.licence})")
