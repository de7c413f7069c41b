"""The command about elements: figures that many takes cite."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from lab.cli.options import Json, Yes
from lab.cli.terminal import interruptible, print_error, print_json, print_out
from lab.errors import InputError, LabError


def element(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Prompts cite it as @NAME.")
    ] = None,
    pictures: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FRONT.jpg [OTHER.jpg ...]]", help="Its front, then other sides."),
    ] = None,
    description: Annotated[
        str, typer.Option(metavar="TEXT", help="Words on it for the service.")
    ] = "",
    delete: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Delete this one at the service and here; or its id."),
    ] = None,
    forget: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Forget this one here; the service is not asked."),
    ] = None,
    backend: Annotated[str, typer.Option(help="Whose account keeps it.")] = "kling",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Register an element from pictures, once per account; without a name, list what there is."""
    if delete is not None or forget is not None:
        if name is not None or (delete is not None and forget is not None):
            raise InputError("give a name with pictures, or --delete NAME, or --forget NAME")
        _gone(delete or forget or "", backend, remote=delete is not None, yes=yes, as_json=as_json)
    elif name is None:
        _list(backend, as_json=as_json)
    elif not pictures:
        raise InputError(f"lab element {name}: name its pictures, the front first")
    else:
        _register(name, pictures, description, backend, yes=yes, as_json=as_json)


def _register(
    name: str, pictures: list[Path], description: str, backend: str, *, yes: bool, as_json: bool
) -> None:
    from lab.elements import Element
    from lab.runs import known_elements, register_element

    asked = Element.of(name, pictures, description=description)
    known = {row.content: row for row in known_elements(backend=backend)}.get(asked.content)
    question = f"Register {asked} on {backend}, at a price that is not documented?"
    new = known is None or known.state in ("submitting", "uncertain")
    confirmed = yes or (new and not as_json and sys.stdin.isatty() and typer.confirm(question))
    with interruptible():
        row = register_element(
            name,
            asked.pictures,
            description=description,
            backend=backend,
            confirmed=confirmed,
            quiet=as_json,
        )
    if as_json:
        print_json({**row.to_json(), "known_before": not new})
        return
    print_out(row.id)
    before = f"registered already, on {row.at[:10]}" if not new else "registered"
    print_error(f'{before}; in a sweep, elements: {{{name}: "{row.id}"}}, or the same pictures;')
    print_error(f"prompts cite it as @{name}")
    if new and row.charged:
        print_error(f"charged: {row.charged}")
    if row.description != asked.description and asked.description:
        print_error(
            f"its description stays {row.description or row.name!r}; "
            f"`lab element --delete {row.name}` first, to change it"
        )


def _list(backend: str, *, as_json: bool) -> None:
    from lab.runs import known_elements, list_elements

    trouble = ""
    try:
        rows = list_elements(backend=backend)
    except InputError:
        raise
    except LabError as error:  # what is known here can be shown all the same
        rows, trouble = known_elements(backend=backend), str(error)
    for row in rows:
        if as_json:
            print_json(row.to_json())
        else:
            print_out(_line(row))
    if not rows and not as_json and not trouble:
        print_out("no elements; register one with `lab element NAME FRONT.jpg`")
    if trouble:
        print_error(f"error: the account could not be asked for others: {trouble}")
        raise typer.Exit(1)


def _line(row: Any) -> str:
    made = f"{', '.join(row.files)}, {row.at[:10]}" if row.content else "made elsewhere"
    why = f" ({row.message})" if row.message else ""
    return f"{row.name:<20}  {row.id or '-':<20}  {row.state}{why}  {made}"


def _gone(name: str, backend: str, *, remote: bool, yes: bool, as_json: bool) -> None:
    from lab.errors import MoneyError
    from lab.runs import delete_element, known_elements

    if remote and not yes:
        known = {said for row in known_elements(backend=backend) for said in (row.name, row.id)}
        asks = name in known and not as_json and sys.stdin.isatty()
        if asks and not typer.confirm(f"Delete element {name} on {backend}?"):
            raise typer.Exit(2)
        if name in known and not asks:
            raise MoneyError(f"element {name}: deleting cannot be taken back; add --yes")
    with interruptible():
        row = delete_element(name, backend=backend, remote=remote)
    if as_json:
        print_json({**row.to_json(), "deleted_at_the_service": remote})
    else:
        print_out(f"{row.name} {row.id}: {'deleted' if remote else 'forgotten here'}".strip())
