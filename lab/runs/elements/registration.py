"""Registers elements with a service, once per account.

A registration may cost money, so its intent is stored before it is sent. Its key at the service is
derived from the element's pictures, so the registration can be found again: after a lost answer, by
another process, or with another user folder.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

from lab.backends import (
    Backend,
    ElementLibrary,
    ElementState,
    RegisteredElement,
    element_library,
)
from lab.elements import Element
from lab.errors import (
    AccountError,
    BackendError,
    BusyError,
    InputError,
    Interrupted,
    NoSlot,
    Refusal,
    ServiceError,
    SubmitUncertain,
)
from lab.runs.control import Control
from lab.runs.elements.store import ElementRow, ElementRowState, ElementStore
from lab.runs.progress import Progress
from lab.runs.timestamps import utc_timestamp
from lab.units import seconds_text

_MAX_SUBMISSIONS = 3
_MAX_REGISTRATIONS = 100
"""Each failed or deleted registration of the same pictures uses up one key."""
_DELETION_POLLS = 6


def ensure_registered(
    elements: Sequence[Element],
    backend: Backend,
    *,
    quiet: bool = False,
    control: Control | None = None,
) -> list[ElementRow]:
    """Register missing elements, wait for them, and return the rows of all in the same order.

    A call that was killed can be repeated: a registration that was sent is looked up, not sent
    again. Raises BackendError for an element that the service rejects, SubmitUncertain when the
    service cannot say whether one is registered, and Interrupted on Ctrl-C or a stop.
    """
    if not elements:
        return []
    with (
        ElementStore.open(backend) as store,
        Progress(len(elements), "elements registered", quiet=quiet) as progress,
    ):
        registration = _Registration(store, backend, control or Control(), progress)
        try:
            rows = [registration.submit_if_missing(element) for element in elements]
            return registration.wait(rows)
        except KeyboardInterrupt:
            raise Interrupted(
                "interrupted while elements are being registered; run the same command again to "
                "continue"
            ) from None


def delete_at_service(
    row: ElementRow, store: ElementStore, library: ElementLibrary, backend: Backend
) -> None:
    """Delete an element at the service, if it exists there.

    Raises SubmitUncertain when the service cannot say whether it exists, BusyError while it is
    being registered, and ServiceError when it still exists after the request.
    """
    if row.state.undecided:
        answer = library.find(row.key, confirm_absent=True)
        if answer == "unknown":
            raise _uncertain(row)
        row = row.updated(answer) if isinstance(answer, RegisteredElement) else replace(row, id="")
    elif row.state is ElementRowState.WAITING:
        registered = library.poll(row.job)
        row = row if registered is None else row.updated(registered)
    if row.state is ElementRowState.WAITING:
        store.put(row)
        raise BusyError(f"element {row.name}: is still being registered; wait and try again")
    if row.state is not ElementRowState.READY:
        return
    library.delete(row.id)
    for _ in range(_DELETION_POLLS):
        registered = library.poll(row.job)
        if registered is None or registered.state is not ElementState.READY:
            return
        backend.pause(backend.capabilities.poll_every_s)
    raise ServiceError(
        f"element {row.name}: {row.id} is not deleted yet; run the same command again"
    )


class _Registration:
    """Submits missing elements and waits until they are ready."""

    def __init__(
        self, store: ElementStore, backend: Backend, control: Control, progress: Progress
    ) -> None:
        self._store = store
        self._backend = backend
        self._library = element_library(backend)
        self._control = control
        self._progress = progress

    def submit_if_missing(self, element: Element) -> ElementRow:
        """The element's row once the service has it."""
        self._progress.set_status(element.name)
        with self._store.lock():
            row = self._store.get(element.content)
            if row is not None and row.state is ElementRowState.READY:
                return self._check_exists(row)
            row = row or self._find_or_prepare(element)
            for _ in range(_MAX_SUBMISSIONS):
                if row.state.undecided:
                    row = self._look_up(row)
                if row.state is not ElementRowState.UNSENT:
                    return row
                row = self._submit(element, row)
            if row.state.undecided:
                row = self._look_up(row)
            if row.state is ElementRowState.UNSENT:
                raise ServiceError(
                    f"element {element.name}: no registration reached the service "
                    f"({row.message}); try again later"
                )
            return row

    def wait(self, rows: Sequence[ElementRow]) -> list[ElementRow]:
        """The rows once all are ready. Raises BackendError when one failed."""
        finished: dict[str, ElementRow] = {}
        capabilities = self._backend.capabilities
        started = last_answer = time.monotonic()
        while True:
            for row in rows:
                if row.content in finished:
                    continue
                try:
                    latest = self._poll(row)
                    last_answer = time.monotonic()
                except ServiceError:
                    if time.monotonic() - last_answer > capabilities.outage_s:
                        raise
                    break
                if latest.state is not ElementRowState.WAITING:
                    finished[row.content] = latest
                    self._progress.advance()
            if len(finished) == len(rows):
                break
            if time.monotonic() - started > capabilities.job_wait_s:
                waiting = next(row for row in rows if row.content not in finished)
                raise ServiceError(
                    f"element {waiting.name}: still being registered after "
                    f"{seconds_text(capabilities.job_wait_s)}; run the same command again to "
                    "continue"
                )
            self._raise_if_stopped()
            self._backend.pause(capabilities.poll_every_s)
        failed = [row for row in finished.values() if row.state is not ElementRowState.READY]
        if failed:
            raise BackendError(
                "; ".join(
                    f"element {row.name}: not registered ({row.message or 'no reason given'}); "
                    "change its pictures, or try them again after "
                    f"`lab element --delete {row.name}`"
                    for row in failed
                )
            )
        return [finished[row.content] for row in rows]

    def _poll(self, row: ElementRow) -> ElementRow:
        if row.state is not ElementRowState.WAITING:
            return row
        registered = self._library.poll(row.job)
        return row if registered is None else self._store.put(row.updated(registered))

    def _find_or_prepare(self, element: Element) -> ElementRow:
        """A row for an element that the store lacks: found at the service, or not sent yet."""
        row = ElementRow(
            name=element.name,
            state=ElementRowState.UNSENT,
            content=element.content,
            description=element.description,
            files=element.files,
        )
        for number in range(1, _MAX_REGISTRATIONS + 1):
            key = f"i2v-element-{element.content}-{number}"
            answer = self._library.find(key, confirm_absent=False)
            if answer == "absent":
                return replace(row, key=key)
            if answer == "unknown":
                break
            if answer.state in (ElementState.WAITING, ElementState.READY):
                return self._store.put(replace(row, key=key, at=utc_timestamp()).updated(answer))
        raise ServiceError(
            f"element {element.name}: the service cannot say whether it is registered already; "
            "nothing was sent; try again later"
        )

    def _submit(self, element: Element, row: ElementRow) -> ElementRow:
        """Store the intent, then submit. The row stays SUBMITTING if there was no clear answer."""
        delay_s, longest_s = self._backend.capabilities.backoff_s
        waited_s = 0.0
        while True:
            self._raise_if_stopped()
            row = replace(row, state=ElementRowState.SUBMITTING, at=utc_timestamp())
            self._store.put(row)
            try:
                return self._store.put(row.updated(self._library.register(element, row.key)))
            except NoSlot as error:
                self._store.remove(row)
                if waited_s > self._backend.capabilities.slot_wait_s:
                    raise ServiceError(f"no free slot within {seconds_text(waited_s)}") from error
                self._backend.pause(delay_s)
                waited_s += delay_s
                delay_s = min(2 * delay_s, longest_s)
            except (AccountError, ServiceError, InputError):
                self._store.remove(row)  # certainly nothing was registered
                raise
            except Refusal as error:
                failed = replace(row, state=ElementRowState.FAILED, message=str(error))
                return self._store.put(failed)
            except Exception as error:  # noqa: BLE001 - after any error it may have been sent
                return replace(row, message=str(error))

    def _look_up(self, row: ElementRow) -> ElementRow:
        """The result of a submission that had no clear answer."""
        answer = self._library.find(row.key, confirm_absent=True)
        if isinstance(answer, RegisteredElement):
            return self._store.put(row.updated(answer))
        if answer == "absent":
            return replace(row, state=ElementRowState.UNSENT)
        self._store.put(replace(row, state=ElementRowState.UNCERTAIN))
        raise _uncertain(row)

    def _check_exists(self, row: ElementRow) -> ElementRow:
        """Return the row. Raises BackendError for an element that was deleted at the service."""
        registered = self._library.poll(row.job)
        if registered is not None and registered.state is ElementState.READY:
            return row
        self._store.remove(row)
        raise BackendError(
            f"element {row.name}: {row.id} was deleted at the service; run the same command again "
            "to register a new one"
        )

    def _raise_if_stopped(self) -> None:
        if self._control.stopped:
            raise KeyboardInterrupt


def _uncertain(row: ElementRow) -> SubmitUncertain:
    return SubmitUncertain(
        f"element {row.name}: it is unknown whether it was registered, and the service cannot say; "
        f"run the same command again to ask once more; if the service's console does not list it, "
        f"run `lab element --forget {row.name}`"
    )
