"""The command `element`: register, list and delete elements (recurring subjects)."""

from pathlib import Path
from typing import Annotated

import typer

import lab
from lab.cli.options import Backend, Json, OptionError, Yes
from lab.cli.terminal import can_ask, confirm, interruptible, print_json, print_stderr, print_stdout
from lab.errors import InputError, LabError, MoneyError


def element(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Prompts cite it as @NAME.")
    ] = None,
    pictures: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FRONT.jpg [OTHER.jpg ...]]", help="Its front, then other sides."),
    ] = None,
    description: Annotated[
        str, typer.Option(metavar="TEXT", help="A description for the service.")
    ] = "",
    delete: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Delete this element, by name or id, from the service."),
    ] = None,
    forget: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Forget this element locally; nothing is sent."),
    ] = None,
    backend: Backend = "kling",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Register an element from pictures, once per account. Without a name, list the elements.

    \b
    Example:
      lab element
      lab element hero front.jpg side.jpg
      lab element --delete hero
    """
    if delete is not None or forget is not None:
        if name is not None or (delete is not None and forget is not None):
            raise OptionError("give a name with pictures, or --delete NAME, or --forget NAME")
        _delete(
            delete or forget or "", backend, remote=delete is not None, yes=yes, as_json=as_json
        )
    elif name is None:
        _list(backend, as_json=as_json)
    elif not pictures:
        raise OptionError(f"lab element {name}: give its pictures, the front first")
    else:
        _register(name, pictures, description, backend, yes=yes, as_json=as_json)


def _register(
    name: str, pictures: list[Path], description: str, backend: str, *, yes: bool, as_json: bool
) -> None:
    from lab.elements import Element
    from lab.runs import known_elements

    wanted = Element.from_pictures(name, pictures, description=description)
    known = {row.content: row for row in known_elements(backend=backend)}.get(wanted.content)
    question = f"Register {wanted} on {backend}, at a price that is not documented?"
    new = known is None or known.state in ("submitting", "uncertain")
    confirmed = yes or (new and confirm(question, as_json=as_json))
    with interruptible():
        row = lab.register_element(
            name,
            wanted.pictures,
            description=description,
            backend=backend,
            confirmed=confirmed,
            quiet=as_json,
        )
    if as_json:
        print_json({**row.to_json(), "known_before": not new})
        return
    print_stdout(row.id)
    status = "registered" if new else f"already registered, on {row.at[:10]}"
    print_stderr(f'{status}; in a sweep, use elements: {{{name}: "{row.id}"}} or the same pictures')
    print_stderr(f"in prompts, cite it as @{name}")
    if new and row.charged:
        print_stderr(f"charged: {row.charged}")
    if row.description != wanted.description and wanted.description:
        print_stderr(
            f"its description stays {row.description or row.name!r}; "
            f"to change it, run `lab element --delete {row.name}` first"
        )


def _list(backend: str, *, as_json: bool) -> None:
    from lab.runs import known_elements

    message = ""
    try:
        rows = lab.list_elements(backend=backend)
    except InputError:
        raise
    except LabError as error:  # the locally known elements are still listed
        rows, message = known_elements(backend=backend), str(error)
    for row in rows:
        if as_json:
            print_json(row.to_json())
        else:
            print_stdout(str(row))
    if not rows and not as_json and not message:
        print_stdout("no elements; register one with `lab element NAME FRONT.jpg`")
    if message:
        print_stderr(f"error: the account's other elements could not be listed: {message}")
        raise typer.Exit(1)


def _delete(name: str, backend: str, *, remote: bool, yes: bool, as_json: bool) -> None:
    from lab.runs import known_elements

    if remote and not yes:
        known = {text for row in known_elements(backend=backend) for text in (row.name, row.id)}
        if name in known and not can_ask(as_json=as_json):
            raise MoneyError(f"element {name}: deleting cannot be undone; add --yes")
        if name in known and not typer.confirm(f"Delete element {name} on {backend}?"):
            raise typer.Exit(2)
    with interruptible():
        row = lab.delete_element(name, backend=backend, remote=remote)
    if as_json:
        print_json({**row.to_json(), "deleted_at_the_service": remote})
    else:
        print_stdout(f"{row.name} {row.id}: {'deleted' if remote else 'forgotten'}".strip())
