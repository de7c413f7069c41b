"""Determines the state of each take from ledger and files when a run starts or continues."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lab.backends import Quote
from lab.files import atomic_write
from lab.measures import MeasureState
from lab.runs.folder import RunFolder
from lab.runs.ledger import UNKNOWN_ACCOUNT, EventKind, Ledger, TakeRow, TakeState
from lab.runs.measuring import damage_text
from lab.runs.purchases import PurchaseIndex
from lab.runs.runner.spend_guard import SpendGuard
from lab.runs.runner.state import NO_REASON, Backoff, RunConstants, RunState, TakeStatus


@dataclass(frozen=True)
class Resumer:
    """Builds the state of a run from its folder and its ledger.

    index: purchases of earlier runs that may be reused; None if none may.
    """

    folder: RunFolder
    ledger: Ledger
    constants: RunConstants
    index: PurchaseIndex | None

    def state(
        self, quotes: Mapping[str, Quote], *, cap_usd: float | None, paused: bool
    ) -> tuple[RunState, int]:
        """The state before the first step, and how many takes were reused.

        quotes: today's prices of the takes of this run, by take id. Takes whose files are missing
        are recorded as such.
        """
        other_takes_usd, reused = 0.0, 0
        rows: list[TakeRow] = []
        planned, opened, finished = (dict[str, TakeStatus]() for _ in range(3))
        for row in self.ledger.takes():
            if row.take_id not in quotes:
                other_takes_usd += row.committed_usd
                continue
            row = self._check_file(row)
            if row.state is TakeState.PLANNED:
                quote = quotes[row.take_id]
                row = replace(row, low_usd=quote.low_usd, high_usd=quote.high_usd)
                copied = self._reuse(row)
                reused += copied is not None
                row = copied or row
            rows.append(row)
            if row.state is TakeState.PLANNED:
                planned[row.take_id] = self._status(row)
            elif (done := self._finished(row)) is not None:
                finished[row.take_id] = done
            else:
                opened[row.take_id] = self._status(self._reopened(row))
        state = RunState(
            constants=self.constants,
            guard=SpendGuard.from_rows(cap_usd, rows, other_takes_usd=other_takes_usd),
            backoff=Backoff(self.constants.capabilities.backoff_s[0]),
            planned=planned,
            open=opened,
            finished=finished,
            paused=paused,
        )
        return state, reused

    def _check_file(self, row: TakeRow) -> TakeRow:
        """Return the row. Records an event first if the take's file is missing."""
        if row.state is not TakeState.FETCHED or self.folder.result_path(row.take).is_file():
            return row
        if row.job is not None:
            # Fetching again costs nothing.
            message = "its clip was missing and is fetched again"
            return self.ledger.record(row.take_id, EventKind.READY, message=message)
        # Normally it was reused. After a recovery of the ledger, this run may have bought it.
        maybe_bought = UNKNOWN_ACCOUNT in self.ledger.submission_accounts(row.take_id)
        kind = EventKind.UNCERTAIN if maybe_bought else EventKind.NOT_SUBMITTED
        message = "its clip is missing"
        return self.ledger.record(row.take_id, kind, message=message)

    def _reuse(self, row: TakeRow) -> TakeRow | None:
        """Copy the file of a take that an earlier run bought; None if there is none."""
        if self.index is None:
            return None
        purchase = self.index.find(row.take_id, self.constants.origin)
        if purchase is None:
            return None
        result = self.folder.result_path(row.take)
        with atomic_write(result) as part:
            shutil.copyfile(purchase.file, part)
        message = f"reused: {purchase}"
        clip = {
            "sha256": purchase.sha256,
            "bytes": result.stat().st_size,
            "honoured": [],
            "not_honoured": [],
            "notes": [message],
        }
        return self.ledger.record(
            row.take_id, EventKind.REUSED, clip=clip, cost_usd=0.0, message=message
        )

    def _status(self, row: TakeRow) -> TakeStatus:
        return TakeStatus(row, accounts=tuple(self.ledger.submission_accounts(row.take_id)))

    def _reopened(self, row: TakeRow) -> TakeRow:
        """The row of an unfinished take in the state from which this run continues."""
        if row.state is TakeState.READY:
            return replace(row, failed_fetches=0)
        if row.state is TakeState.UNCERTAIN:
            # Asking once more is free, and the service may know by now.
            return replace(row, state=TakeState.SUBMITTING)
        return row

    def _finished(self, row: TakeRow) -> TakeStatus | None:
        """The status of a take with no work left; None for any other take."""
        if row.state in (TakeState.FAILED, TakeState.REFUSED):
            return TakeStatus(row, problem=row.message or NO_REASON)
        if row.state is not TakeState.FETCHED:
            return None
        if row.take.shot.makes == "still":
            return TakeStatus(
                row, problem=self.folder.outside_error(self.folder.result_path(row.take))
            )
        stored = self.folder.stored_measure(row)
        if stored.state is not MeasureState.FRESH and not stored.clip_replaced:
            return None
        remark = damage_text(row.take_id, stored.measure)
        return TakeStatus(row, problem=stored.reason, remark=remark)
