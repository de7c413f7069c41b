"""Registers, lists and deletes elements: recurring characters or objects, cited as @name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lab.backends import Backend, RegisteredElement, element_library, open_backend
from lab.elements import Element
from lab.errors import BackendError, InputError, MoneyError, did_you_mean
from lab.runs.elements.registration import delete_at_service, ensure_registered
from lab.runs.elements.store import ElementRow, ElementRowState, ElementStore
from lab.stills import Still
from lab.units import usd_text


def register_element(
    name: str,
    pictures: Sequence[str | Path | Still],
    *,
    description: str = "",
    backend: str = "kling",
    confirmed: bool = False,
    quiet: bool = False,
) -> ElementRow:
    """Register an element from pictures, the front view first. Repeating the call costs nothing.

    name: prompts cite it as @name. A sweep may use the row's `id` in place of the pictures.
    confirmed: agree to the price, even if it is not documented. Raises InputError for pictures or a
    description that the service does not accept, MoneyError if a price is not confirmed, and
    Interrupted on Ctrl-C.
    """
    element = Element.from_pictures(name, pictures, description=description)
    opened_backend = open_backend(backend)
    try:
        problems = element_library(opened_backend).limits(element)
        if problems:
            raise BackendError(f"backend {backend}: {'; '.join(map(str, problems))}")
        with ElementStore.open(opened_backend) as store:
            known = store.get(element.content)
        usd = opened_backend.capabilities.element_usd
        submitted = known is not None and not known.state.undecided
        if not submitted and usd != 0 and not confirmed:
            price = "its price is not documented" if usd is None else f"it costs {usd_text(usd)}"
            raise MoneyError(
                f"element {element}: is not registered yet and {price}; confirm it "
                "(confirmed=True, --yes)"
            )
        opened_backend.prepare()
        (row,) = ensure_registered([element], opened_backend, quiet=quiet)
        return row
    finally:
        opened_backend.close()


def list_elements(*, backend: str = "kling") -> tuple[ElementRow, ...]:
    """Every element of the account: first those that this user registered, then all others.

    Raises AccountError or ServiceError when the service does not answer.
    """
    opened_backend = open_backend(backend)
    try:
        library = element_library(opened_backend)
        with ElementStore.open(opened_backend) as store:
            rows = store.rows()
        opened_backend.prepare()
        jobs, keys = {row.job for row in rows}, {row.key for row in rows}
        others = [
            element
            for element in library.list_elements()
            if element.registration_id not in jobs and element.key not in keys
        ]
        return (*rows, *(_row_of(element) for element in others))
    finally:
        opened_backend.close()


def known_elements(*, backend: str = "kling") -> tuple[ElementRow, ...]:
    """The elements that this user registered, in their last known state. Sends nothing."""
    opened_backend = open_backend(backend)
    try:
        element_library(opened_backend)  # raises BackendError for a backend without elements
        with ElementStore.open(opened_backend) as store:
            return store.rows()
    finally:
        opened_backend.close()


def delete_element(name: str, *, backend: str = "kling", remote: bool = True) -> ElementRow:
    """Delete an element by its name or id, at the service first.

    remote: False removes it from this user's store only. Sweeps that used it keep its id. Raises
    InputError for an unknown name, and SubmitUncertain when the service cannot say whether it was
    ever registered.
    """
    opened_backend = open_backend(backend)
    try:
        library = element_library(opened_backend)
        with ElementStore.open(opened_backend) as store, store.lock():
            row = _row_named(store.rows(), name)
            if remote:
                opened_backend.prepare()
                delete_at_service(row, store, library, opened_backend)
            store.remove(row)
            return replace(row, state=ElementRowState.DELETED)
    finally:
        opened_backend.close()


def known_ids(
    elements: Iterable[Element], in_folder: Mapping[str, Mapping[str, str]], backend: Backend
) -> dict[str, str]:
    """The known ids of elements, by content. Sends nothing.

    in_folder: the elements that a run folder uses, by content. They take precedence over those that
    this user has registered.
    """
    contents = [element.content for element in elements]
    ids = {content: in_folder[content]["id"] for content in contents if content in in_folder}
    if len(ids) < len(contents):
        with ElementStore.open(backend) as store:
            rows = {row.content: row for row in store.rows() if row.state is ElementRowState.READY}
        ids = {content: rows[content].id for content in contents if content in rows} | ids
    return ids


def _row_named(rows: Sequence[ElementRow], name: str) -> ElementRow:
    """The only row with this name or id. Raises InputError otherwise."""
    matches = [row for row in rows if name in (row.name, row.id)]
    if not matches:
        hint = did_you_mean(name, (row.name for row in rows)) if rows else "none is registered"
        raise InputError(f"element {name!r}: is unknown; {hint}")
    if len(matches) > 1:
        ids = ", ".join(row.id or row.state for row in matches)
        raise InputError(f"element {name!r}: {len(matches)} have this name; give its id: {ids}")
    return matches[0]


def _row_of(element: RegisteredElement) -> ElementRow:
    """A row for an element that is not in this user's store."""
    row = ElementRow(name=element.title, state=ElementRowState.WAITING, key=element.key)
    return row.updated(element)
