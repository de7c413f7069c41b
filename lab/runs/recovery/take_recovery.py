"""Infers the state of a take when a damaged ledger lost all or part of its history.

A take that was or may have been bought never becomes planned again. If neither its events nor its
files show its state, it becomes uncertain. Then `lab reconcile` or the user decides.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from lab.backends import BACKENDS
from lab.clips import Clip
from lab.errors import LabError
from lab.runs.folder import RunFolder
from lab.runs.ledger import (
    UNKNOWN_ACCOUNT,
    Event,
    EventKind,
    Ledger,
    TakeRow,
    TakeState,
    apply_event,
    as_planned,
    replay,
    snapshot,
)
from lab.runs.recovery.losses import LOSSES_FACT, Losses
from lab.runs.recovery.recovered_rows import RecoveredRows
from lab.stills import Still

RESULT_FOUND = "its record was lost with a damaged ledger; its result is in the folder"
RESULT_FOUND_MESSAGES = (
    RESULT_FOUND,
    "what was known of it was lost with a damaged ledger; its result is here",  # older ledgers
)
_HISTORY_LOST = (
    "it is unknown whether this take was bought: its history was lost with a damaged ledger; "
    "`lab reconcile` settles it"
)
UNDECIDED = (TakeState.SUBMITTING, TakeState.UNCERTAIN)


def snapshots_of_lost_takes(
    ledger: Ledger, folder: RunFolder, rows: Iterable[TakeRow]
) -> dict[str, Mapping[str, Any]]:
    """Snapshots, by take id, of takes whose rows a recovery lost; see `Ledger.add`.

    rows: the takes that a run is about to add. If the ledger may have lost takes without any
    trace, the state of a take that it lacks is inferred: fetched if its result is in the folder,
    planned if it is rendered locally, else uncertain.
    """
    losses = Losses.from_fact(ledger.fact(LOSSES_FACT))
    snapshots = dict(losses.takes)
    if losses.may_lack_takes:
        known = ledger.states()
        for row in rows:
            if row.take_id not in known and row.take_id not in snapshots:
                inferred = _infer_state(row, folder)
                snapshots[row.take_id] = recovery_snapshot(
                    inferred, account_unknown=inferred.state is not TakeState.PLANNED
                )
    return snapshots


def recovered_take(
    row: TakeRow, recovered: RecoveredRows, history: Iterable[Event], folder: RunFolder
) -> TakeRow:
    """The row of a take from the best source: all its events, its latest row, or its files."""
    replayed = replay(row, history)
    if row.take_id in recovered.earlier_losses.takes and row.take_id not in recovered.rows:
        # An earlier recovery lost this row, and no run has added it again since.
        replayed = apply_event(
            replayed, EventKind.RECOVERED, recovered.earlier_losses.takes[row.take_id]
        )
    if recovered.events_complete:
        return replayed
    return row if recovered.is_current(row.take_id) else _infer_state(replayed, folder)


def account_may_be_unknown(row: TakeRow, recovered: RecoveredRows) -> bool:
    """True when the ledger may have lost a submission of this take, and with it the account."""
    snapshot_before = recovered.earlier_losses.takes.get(row.take_id, {})
    if row.take_id not in recovered.rows and "account" in snapshot_before:
        return True
    if row.state in UNDECIDED:
        identity_lost = bool({"run_id", "origin"} & set(recovered.lost_facts))
        return identity_lost or not recovered.events_complete
    if row.state is TakeState.PLANNED:
        return False
    return not (recovered.events_complete or recovered.is_current(row.take_id))


def recovery_snapshot(row: TakeRow, *, account_unknown: bool) -> dict[str, Any]:
    """The data of a "recovered" event. account_unknown: a submission may have left no record."""
    return {**snapshot(row), **({"account": UNKNOWN_ACCOUNT} if account_unknown else {})}


def _infer_state(row: TakeRow, folder: RunFolder) -> TakeRow:
    """The inferred row of a take whose latest events may be lost.

    A file in the folder proves that the take was made. A known job can be polled at no cost. A
    final state stays final.
    """
    result = _result_facts(folder, row.take_id)
    if row.state is TakeState.FETCHED and (result is not None or row.job is not None):
        return row
    if result is not None:
        return replace(row, state=TakeState.FETCHED, clip=result, message=RESULT_FOUND)
    if row.state in (TakeState.FAILED, TakeState.REFUSED):
        return row
    if row.state in (TakeState.WAITING, TakeState.READY) and row.job is not None:
        return row
    if _renders_locally(row.take.backend):
        return as_planned(row)
    return replace(row, state=TakeState.UNCERTAIN, message=_HISTORY_LOST)


def _result_facts(folder: RunFolder, take_id: str) -> dict[str, Any] | None:
    """The data of a "fetched" event, read from the result's file; None without a valid file.

    The file's name is proof enough: results are written atomically, and the take id in the
    name is a hash of the shot, the backend and the repeat.
    """
    for path in (folder.clip_path(take_id), folder.picture_path(take_id)):
        if folder.outside_error(path):
            continue
        with suppress(LabError, OSError):
            if path.suffix == ".png":
                sha256, simulated = Still.open(path).sha256, False
            else:
                clip = Clip.open(path)
                sha256, simulated = clip.sha256, clip.simulated
            notes = ["simulated: rendered locally, no model involved"] * simulated
            facts = {"sha256": sha256, "bytes": path.stat().st_size, "notes": notes}
            return {**facts, "honoured": [], "not_honoured": []}
    return None


def _renders_locally(backend: str) -> bool:
    """True for a backend that renders on this machine, where making a take again costs nothing."""
    return backend in BACKENDS and BACKENDS[backend].capabilities.renders_locally
