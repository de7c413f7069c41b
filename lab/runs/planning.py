"""Prices a sweep before anything is bought, without the takes that exist already."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from lab.backends import open_backend
from lab.runs.creation import with_earlier_chosen_stills
from lab.runs.elements import known_ids
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger, TakeRow, TakeState
from lab.runs.purchases import PurchaseIndex
from lab.sweeps import Plan, Sweep
from lab.sweeps import plan as price


def plan(sweep: Sweep, out: str | Path | None = None, *, reuse: bool = True) -> Plan:
    """Price a sweep as `run` would run it. Nothing is bought.

    out: the run folder; takes that a run there will not submit again are not priced. reuse: takes
    that an older run bought are not priced either.
    """
    rows: list[TakeRow] = []
    elements: dict[str, dict[str, str]] = {}
    folder = None if out is None else RunFolder(out)
    with closing(open_backend(sweep.backend)) as backend:
        origin, capabilities = backend.origin, backend.capabilities
        if folder is not None and folder.exists:
            folder.check()
            with Ledger.read(folder.ledger) as ledger:
                rows, elements = ledger.takes(), ledger.fact("elements") or {}
        if sweep.pictured_elements and capabilities.registers_elements:
            ids = known_ids(sweep.pictured_elements, elements, backend)
            sweep = sweep.with_element_ids(ids)
    not_submitted_again: set[str] = set()
    spent_usd = 0.0
    if folder is not None and rows:
        done = _not_submitted_again(rows, folder, renders_locally=capabilities.renders_locally)
        not_submitted_again = {row.take_id for row in done}
        spent_usd = sum(row.committed_usd for row in done)
        sweep = with_earlier_chosen_stills(sweep, folder, rows)
    reusable: set[str] = set()
    if reuse and not capabilities.simulated:
        with PurchaseIndex.open() as index:
            take_ids = [take.id for _, take in (*sweep.still_takes(), *sweep.takes())]
            reusable = {
                take_id
                for take_id in take_ids
                if take_id not in not_submitted_again and index.find(take_id, origin) is not None
            }
    return price(sweep, done=not_submitted_again, reused=reusable, spent_usd=spent_usd)


def _not_submitted_again(
    rows: Sequence[TakeRow], folder: RunFolder, *, renders_locally: bool
) -> list[TakeRow]:
    """The takes that a run will not submit again.

    Two kinds of takes are left out, because they may be submitted again: takes that may not have
    reached the service, and reused takes whose clip was deleted. renders_locally: a take without a
    result is rendered again.
    """
    to_submit = [TakeState.PLANNED, TakeState.SUBMITTING, TakeState.UNCERTAIN]
    if renders_locally:
        to_submit += [TakeState.WAITING, TakeState.READY]
    return [
        row
        for row in rows
        if row.state not in to_submit
        and (
            row.state is not TakeState.FETCHED
            or row.job is not None
            or folder.result_path(row.take).is_file()
        )
    ]
