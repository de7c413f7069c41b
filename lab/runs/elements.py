"""Elements made from pictures: registered once per account, known to every run of this user.

What may cost money is written down before it is sent, as with takes. Our key at the service is made
of the pictures alone, so whoever asks first finds what was registered before: by another process,
by one that was killed, or by a user folder that is lost.
"""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from filelock import FileLock

from lab.backends import (
    Backend,
    ElementLibrary,
    ElementState,
    RegisteredElement,
    element_library,
    open_backend,
)
from lab.elements import Element
from lab.errors import (
    AccountError,
    BackendError,
    BusyError,
    InputError,
    Interrupted,
    MoneyError,
    NoSlot,
    Refusal,
    RunFolderError,
    ServiceError,
    SubmitUncertain,
    did_you_mean,
)
from lab.files import content_id, make_writable_folder
from lab.runs.control import Control
from lab.runs.progress import Progress
from lab.runs.purchases import utc_timestamp
from lab.settings import settings
from lab.stills import Still
from lab.units import seconds_text, usd_text

_VERSION = 1
_SCHEMA = f"""
BEGIN;
CREATE TABLE elements (
    origin TEXT NOT NULL,
    account TEXT NOT NULL,
    content TEXT NOT NULL,
    row TEXT NOT NULL,
    seal TEXT NOT NULL,
    PRIMARY KEY (origin, account, content)
);
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_MOST_SENDINGS = 3
_MOST_REGISTRATIONS = 100
_SLOT_PAUSES_S = (1.0, 60.0)
_DELETION_POLLS = 6


class RowState(StrEnum):
    """Where an element is, as far as this user knows.

    submitting: the intent is written, the request may or may not have left. uncertain: nobody could
    say whether it arrived; the next call asks again.
    """

    UNSENT = "unsent"
    SUBMITTING = "submitting"
    UNCERTAIN = "uncertain"
    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"
    DELETED = "deleted"


_OPEN = (RowState.SUBMITTING, RowState.UNCERTAIN)


@dataclass(frozen=True)
class ElementRow:
    """An element of an account.

    id: what takes cite, "" before it is ready. content: made from its pictures, "" for one that
    was made elsewhere. title: what the service's console calls it. key, job: our name and the
    service's for its registration. charged: what the bill says, "" when it says nothing.
    """

    name: str
    state: RowState
    id: str = ""
    content: str = ""
    description: str = ""
    files: tuple[str, ...] = ()
    at: str = ""
    key: str = ""
    job: str = ""
    title: str = ""
    message: str = ""
    charged: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "state": self.state.value, "files": list(self.files)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(**{**data, "state": RowState(data["state"]), "files": tuple(data["files"])})

    def told(self, said: RegisteredElement) -> Self:
        """The row after the service's word on it."""
        return replace(
            self,
            state=RowState(said.state.value),
            id=said.id or self.id,
            job=said.job,
            title=said.title or self.title,
            message=said.message,
            charged=said.charged,
        )


class ElementStore:
    """What this user has registered with one account. Several processes may use it at once.

    Losing it loses nothing: elements are found again at the service.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, origin: str, account: str
    ) -> None:
        self._connection = connection
        self._path = path
        self._place = (origin, account)

    @classmethod
    @contextmanager
    def open(cls, backend: Backend) -> Iterator[Self]:
        """Open the store for a backend's account, made if need be."""
        path = make_writable_folder(settings().data_dir) / "elements.sqlite"
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            with _translated(path):
                version = int(connection.execute("PRAGMA user_version").fetchone()[0])
                if version > _VERSION:
                    raise RunFolderError(
                        f"{path}: version {version} and this i2v-lab reads {_VERSION}; update "
                        "i2v-lab"
                    )
                if not version:
                    with _lock(path):
                        if not connection.execute("PRAGMA user_version").fetchone()[0]:
                            connection.executescript(_SCHEMA)
            yield cls(connection, path, backend.origin, backend.account)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one that registers or deletes; waits for another process to be done."""
        with _lock(self._path):
            yield

    def get(self, content: str) -> ElementRow | None:
        """The element of that content."""
        return next((row for row in self.rows() if row.content == content), None)

    def rows(self) -> tuple[ElementRow, ...]:
        """Every element of the account that this user has registered, the oldest first."""
        with _translated(self._path):
            found = self._connection.execute(
                "SELECT content, row, seal FROM elements WHERE origin = ? AND account = ?",
                self._place,
            ).fetchall()
        if any(seal != self._seal(content, text) for content, text, seal in found):
            raise _damaged(self._path, "a row is not what was written")
        rows = (ElementRow.from_json(json.loads(text)) for _, text, _ in found)
        return tuple(sorted(rows, key=lambda row: (row.at, row.name)))

    def put(self, row: ElementRow) -> ElementRow:
        """Write a row; it is on disk afterwards."""
        text = json.dumps(row.to_json(), sort_keys=True)
        with _translated(self._path), self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO elements VALUES (?, ?, ?, ?, ?)",
                (*self._place, row.content, text, self._seal(row.content, text)),
            )
        return row

    def forget(self, row: ElementRow) -> None:
        """Take a row out."""
        with _translated(self._path), self._connection:
            self._connection.execute(
                "DELETE FROM elements WHERE origin = ? AND account = ? AND content = ?",
                (*self._place, row.content),
            )

    def _seal(self, content: str, text: str) -> str:
        return content_id([*self._place, content, text])


def register_element(
    name: str,
    pictures: Sequence[str | Path | Still],
    *,
    description: str = "",
    backend: str = "kling",
    confirmed: bool = False,
    quiet: bool = False,
) -> ElementRow:
    """Register an element from pictures, the front first; the same call costs nothing again.

    name: what prompts cite as @name; the row's `id` is what sweeps may name, too. confirmed: where
    no price is documented, somebody has to agree. Raises InputError for pictures or words that the
    service does not take, MoneyError, and Interrupted on Ctrl-C.
    """
    element = Element.of(name, pictures, description=description)
    maker = open_backend(backend)
    try:
        wrong = element_library(maker).limits(element)
        if wrong:
            raise BackendError(f"backend {backend}: {'; '.join(map(str, wrong))}")
        with ElementStore.open(maker) as store:
            known = store.get(element.content)
        usd = maker.capabilities.element_usd
        settled = known is not None and known.state not in _OPEN
        if not settled and usd != 0 and not confirmed:
            price = "its price is not documented" if usd is None else f"it costs {usd_text(usd)}"
            raise MoneyError(
                f"element {element}: is not registered yet and {price}; confirm it "
                "(confirmed=True, --yes)"
            )
        maker.prepare()
        (row,) = registered([element], maker, quiet=quiet)
        return row
    finally:
        maker.close()


def list_elements(*, backend: str = "kling") -> tuple[ElementRow, ...]:
    """Every element of the account: what this user registered, then what was made elsewhere.

    Raises AccountError or ServiceError when the account cannot be asked.
    """
    maker = open_backend(backend)
    try:
        library = element_library(maker)
        with ElementStore.open(maker) as store:
            rows = store.rows()
        maker.prepare()
        jobs, keys = {row.job for row in rows}, {row.key for row in rows}
        others = [
            one for one in library.list_elements() if one.job not in jobs and one.key not in keys
        ]
        return (*rows, *(_stranger(one) for one in others))
    finally:
        maker.close()


def known_elements(*, backend: str = "kling") -> tuple[ElementRow, ...]:
    """What this user registered with the account, as last heard. Asks nobody."""
    maker = open_backend(backend)
    try:
        element_library(maker)
        with ElementStore.open(maker) as store:
            return store.rows()
    finally:
        maker.close()


def delete_element(name: str, *, backend: str = "kling", remote: bool = True) -> ElementRow:
    """Delete an element of that name or id, at the service first. Sweeps that used it keep its id.

    remote: False only forgets it here. Raises InputError for a name that is not known here, and
    SubmitUncertain when nobody can say whether it was ever registered.
    """
    maker = open_backend(backend)
    try:
        library = element_library(maker)
        with ElementStore.open(maker) as store, store.locked():
            row = _named(store.rows(), name)
            if remote:
                maker.prepare()
                _delete(row, store, library, maker)
            store.forget(row)
            return replace(row, state=RowState.DELETED)
    finally:
        maker.close()


def known_ids(
    elements: Iterable[Element], noted: Mapping[str, Mapping[str, str]], backend: Backend
) -> dict[str, str]:
    """Ids by content: those a run folder has noted, then those this user has registered."""
    wanted = [element.content for element in elements]
    found = {content: noted[content]["id"] for content in wanted if content in noted}
    if len(found) < len(wanted):
        with ElementStore.open(backend) as store:
            rows = {row.content: row for row in store.rows() if row.state is RowState.READY}
        found = {content: rows[content].id for content in wanted if content in rows} | found
    return found


def registered(
    elements: Sequence[Element],
    backend: Backend,
    *,
    quiet: bool = False,
    control: Control | None = None,
) -> list[ElementRow]:
    """Register what is not registered yet, wait for it, and return the rows in the same order.

    Kill it anywhere and call it again: what was sent is looked up, not sent twice. Raises
    BackendError for an element that the service will not make, SubmitUncertain when nobody can say
    whether one is registered, and Interrupted on Ctrl-C or a stop.
    """
    if not elements:
        return []
    with (
        ElementStore.open(backend) as store,
        Progress(len(elements), "elements registered", quiet=quiet) as progress,
    ):
        work = _Registration(store, backend, control or Control(), progress)
        try:
            rows = [work.sent(element) for element in elements]
            return work.awaited(rows)
        except KeyboardInterrupt:
            raise Interrupted(
                "interrupted while elements are being registered; run the same again to go on"
            ) from None


class _Registration:
    """Sends what has to be sent and waits for it."""

    def __init__(
        self, store: ElementStore, backend: Backend, control: Control, progress: Progress
    ) -> None:
        self._store = store
        self._backend = backend
        self._library = element_library(backend)
        self._control = control
        self._progress = progress

    def sent(self, element: Element) -> ElementRow:
        """The element's row once the service has it; sent if need be."""
        self._progress.set_status(element.name)
        with self._store.locked():
            row = self._store.get(element.content)
            if row is not None and row.state is RowState.READY:
                return self._still_there(row)
            row = row or self._first(element)
            for _ in range(_MOST_SENDINGS):
                if row.state in _OPEN:
                    row = self._looked_up(row)
                if row.state is not RowState.UNSENT:
                    return row
                row = self._submitted(element, row)
            if row.state in _OPEN:
                row = self._looked_up(row)
            if row.state is RowState.UNSENT:
                raise ServiceError(
                    f"element {element.name}: registrations break off and never arrive "
                    f"({row.message}); go on later"
                )
            return row

    def awaited(self, rows: Sequence[ElementRow]) -> list[ElementRow]:
        """The rows once each is ready. Raises BackendError for one that failed."""
        ended: dict[str, ElementRow] = {}
        can, began, heard = self._backend.capabilities, time.monotonic(), time.monotonic()
        while True:
            for row in rows:
                if row.content in ended:
                    continue
                try:
                    latest = self._polled(row)
                    heard = time.monotonic()
                except ServiceError:
                    if time.monotonic() - heard > can.outage_s:
                        raise
                    break
                if latest.state is not RowState.WAITING:
                    ended[row.content] = latest
                    self._progress.advance()
            if len(ended) == len(rows):
                break
            if time.monotonic() - began > can.job_wait_s:
                waiting = next(row for row in rows if row.content not in ended)
                raise ServiceError(
                    f"element {waiting.name}: still being registered after "
                    f"{seconds_text(can.job_wait_s)}; run the same again to go on"
                )
            self._check()
            self._backend.pause(can.poll_every_s)
        failed = [row for row in ended.values() if row.state is not RowState.READY]
        if failed:
            raise BackendError(
                "; ".join(
                    f"element {row.name}: not registered ({row.message or 'no reason given'}); "
                    f"change its pictures, or `lab element --delete {row.name}` to try them again"
                    for row in failed
                )
            )
        return [ended[row.content] for row in rows]

    def _polled(self, row: ElementRow) -> ElementRow:
        if row.state is not RowState.WAITING:
            return row
        said = self._library.poll(row.job)
        return row if said is None else self._store.put(row.told(said))

    def _first(self, element: Element) -> ElementRow:
        """A row for an element that this user's store does not know: found there, or unsent.

        Each registration that failed or was deleted has used up a key.
        """
        row = ElementRow(
            name=element.name,
            state=RowState.UNSENT,
            content=element.content,
            description=element.description,
            files=element.files,
        )
        for number in range(1, _MOST_REGISTRATIONS + 1):
            key = f"i2v-element-{element.content}-{number}"
            found = self._library.find(key, confirm_absent=False)
            if found == "absent":
                return replace(row, key=key)
            if found == "unknown":
                break
            if found.state in (ElementState.WAITING, ElementState.READY):
                return self._store.put(replace(row, key=key, at=utc_timestamp()).told(found))
        raise ServiceError(
            f"element {element.name}: the service cannot say whether it is registered already; "
            "nothing was sent; go on later"
        )

    def _submitted(self, element: Element, row: ElementRow) -> ElementRow:
        """Send it, once its intent is on disk. Still submitting: what came of it is unknown."""
        waited_s, pause_s = 0.0, _SLOT_PAUSES_S[0]
        while True:
            self._check()
            row = self._store.put(replace(row, state=RowState.SUBMITTING, at=utc_timestamp()))
            try:
                return self._store.put(row.told(self._library.register(element, row.key)))
            except NoSlot as error:
                self._store.forget(row)
                if waited_s > self._backend.capabilities.slot_wait_s:
                    raise ServiceError(f"no free slot within {seconds_text(waited_s)}") from error
                self._backend.pause(pause_s)
                waited_s += pause_s
                pause_s = min(2 * pause_s, _SLOT_PAUSES_S[1])
            except (AccountError, ServiceError, InputError):
                self._store.forget(row)  # surely nothing was registered
                raise
            except Refusal as error:
                return self._store.put(replace(row, state=RowState.FAILED, message=str(error)))
            except Exception as error:  # noqa: BLE001 - whatever it is, it may have been sent
                return replace(row, message=str(error))

    def _looked_up(self, row: ElementRow) -> ElementRow:
        """What came of a sending whose answer is not known."""
        found = self._library.find(row.key, confirm_absent=True)
        if isinstance(found, RegisteredElement):
            return self._store.put(row.told(found))
        if found == "absent":
            return replace(row, state=RowState.UNSENT)
        self._store.put(replace(row, state=RowState.UNCERTAIN))
        raise _uncertain(row)

    def _still_there(self, row: ElementRow) -> ElementRow:
        """A row of the store, unless somebody deleted its element elsewhere."""
        said = self._library.poll(row.job)
        if said is not None and said.state is ElementState.READY:
            return row
        self._store.forget(row)
        raise BackendError(
            f"element {row.name}: {row.id} was deleted at the service; run the same again to "
            "register it anew"
        )

    def _check(self) -> None:
        if self._control.stopped:
            raise KeyboardInterrupt


def _delete(
    row: ElementRow, store: ElementStore, library: ElementLibrary, backend: Backend
) -> None:
    """Delete an element at the service, if it is there."""
    if row.state in _OPEN:
        found = library.find(row.key, confirm_absent=True)
        if found == "unknown":
            raise _uncertain(row)
        row = row.told(found) if isinstance(found, RegisteredElement) else replace(row, id="")
    elif row.state is RowState.WAITING:
        said = library.poll(row.job)
        row = row.told(said) if said is not None else row
    if row.state is RowState.WAITING:
        store.put(row)
        raise BusyError(f"element {row.name}: is still being registered; wait and try again")
    if row.state is not RowState.READY:
        return
    library.delete(row.id)
    for _ in range(_DELETION_POLLS):
        said = library.poll(row.job)
        if said is None or said.state is not ElementState.READY:
            return
        backend.pause(backend.capabilities.poll_every_s)
    raise ServiceError(f"element {row.name}: {row.id} is not gone yet; run the same again")


def _named(rows: Sequence[ElementRow], name: str) -> ElementRow:
    """The one row of that name or id."""
    found = [row for row in rows if name in (row.name, row.id)]
    if not found:
        hint = did_you_mean(name, (row.name for row in rows)) if rows else "none is registered"
        raise InputError(f"element {name!r}: is not known here; {hint}")
    if len(found) > 1:
        ids = ", ".join(row.id or row.state for row in found)
        raise InputError(f"element {name!r}: {len(found)} have this name; give its id: {ids}")
    return found[0]


def _stranger(one: RegisteredElement) -> ElementRow:
    """An element that this user did not register, or no longer knows of."""
    return ElementRow(name=one.title, state=RowState.WAITING, key=one.key).told(one)


def _uncertain(row: ElementRow) -> SubmitUncertain:
    return SubmitUncertain(
        f"element {row.name}: it is unknown whether it was registered, and the service cannot say; "
        f"run the same again to ask once more; if its console has no such element, "
        f"`lab element --forget {row.name}`"
    )


def _lock(path: Path) -> FileLock:
    return FileLock(path.with_suffix(".lock"))


def _damaged(path: Path, why: str) -> RunFolderError:
    return RunFolderError(
        f"{path}: not a usable store of elements ({why}); move it away: what is registered is "
        "found again at the service"
    )


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Tell what SQLite says of the store, and of nothing else, as an error of ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from error
