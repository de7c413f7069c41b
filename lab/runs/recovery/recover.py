"""Rebuilds a damaged ledger from its readable rows, and reports what was lost."""

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.backends import Quote, open_backend
from lab.errors import LabError
from lab.files import atomic_write
from lab.runs.design import stored_stills
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger, TakeRow, TakeState, replay
from lab.runs.ledger.codec import DECODE_ERRORS
from lab.runs.ledger.errors import DamagedLedgerError
from lab.runs.recovery.losses import LOSSES_FACT, Losses
from lab.runs.recovery.recovered_rows import RecoveredRows, placeholder_row
from lab.runs.recovery.sqlite_pages import DatabaseImage
from lab.runs.recovery.take_recovery import (
    RESULT_FOUND_MESSAGES,
    UNDECIDED,
    account_may_be_unknown,
    recovered_take,
    recovery_snapshot,
)
from lab.shots import Shot
from lab.sweeps import Sweep

_LOST_FACTS = {
    "sweep": "the design of the sweep; `lab run SWEEP.yaml --out {}` writes it again",
    "provenance": "the software versions of the run; the next run records its own",
    "origin": "the service and account of the run; the next run records its own",
    "run_id": "the run's id at the service; later takes are sent with a new id",
}


@dataclass(frozen=True)
class RecoverOutcome:
    """What `recover` did with a run's ledger.

    damage: what was wrong with it; "" for a sound ledger, which stays unchanged. backup: the copy
    of the damaged file. takes, events: how many the ledger holds now. lost: one line for each loss.
    uncertain: ids of takes that may have been bought.
    """

    folder: Path
    damage: str = ""
    backup: Path | None = None
    takes: int = 0
    events: int = 0
    lost: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """True when nothing was lost."""
        return not self.lost and not self.uncertain

    def __str__(self) -> str:
        if self.backup is None:
            return f"{self.folder}: the ledger passes the full check; nothing was changed"
        return "\n".join(
            [
                self.damage,
                f"rebuilt with {self.takes} takes and {self.events} events; the damaged ledger is "
                f"kept as {self.backup.name}",
                *(f"lost: {line}" for line in self.lost),
                *(
                    f"take {take_id} (uncertain): it may have been bought; `lab reconcile "
                    f"{self.folder}` settles it"
                    for take_id in self.uncertain
                ),
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "run": str(self.folder),
            "damage": self.damage,
            "kept": None if self.backup is None else str(self.backup),
            "takes": self.takes,
            "events": self.events,
            "lost": list(self.lost),
            "uncertain": list(self.uncertain),
        }


def recover(out: str | Path) -> RecoverOutcome:
    """Check the ledger of a run in full, and rebuild it if it is damaged.

    Nothing is submitted or bought. The damaged file stays beside the new one. A recovery that is
    killed leaves either the damaged or the new ledger in place. Raises RunFolderError for a folder
    without a run or a ledger that cannot be reached, and BusyError while a runner is active.
    """
    folder = RunFolder(out)
    folder.check()
    with folder.lock(check=False):
        try:
            with Ledger.read(folder.ledger) as ledger:
                ledger.check()
                takes, events = len(ledger.states()), sum(1 for _ in ledger.events())
        except DamagedLedgerError as error:
            return _rebuild(folder, damage=str(error).partition("; `lab recover")[0])
        return RecoverOutcome(folder.path, takes=takes, events=events)


def _rebuild(folder: RunFolder, *, damage: str) -> RecoverOutcome:
    """Replace the ledger with a new one that has every row that can be recovered."""
    image = DatabaseImage.read(folder.ledger)
    recovered = RecoveredRows.from_image(image)
    design = recovered.facts.get("sweep")
    planned = _planned_rows(design, folder) if recovered.rows_may_be_missing else {}
    rows = {**planned, **recovered.rows}
    histories = recovered.histories()
    backend = next((row.take.backend for row in rows.values()), "")
    # Takes that have events, but no row and no entry in the design.
    orphans = {
        take_id: placeholder_row(take_id, backend) for take_id in histories if take_id not in rows
    }
    takes = {
        take_id: recovered_take(row, recovered, histories.get(take_id, []), folder)
        for take_id, row in (rows | orphans).items()
    }
    unknown_account_take_ids = {
        take_id for take_id, row in takes.items() if account_may_be_unknown(row, recovered)
    }
    snapshots = {
        take_id: recovery_snapshot(row, account_unknown=take_id in unknown_account_take_ids)
        for take_id, row in takes.items()
    }
    losses = _losses(recovered, {take_id: snapshots[take_id] for take_id in orphans})
    with atomic_write(folder.ledger) as part:
        with Ledger.create(part) as ledger:
            ledger.restore(
                facts=_facts(recovered, losses),
                events=recovered.events,
                last_seq=recovered.last_seq,
                rows=[takes[take_id] for take_id in rows],
                snapshots={
                    take_id: snapshots[take_id]
                    for take_id, row in rows.items()
                    if take_id in unknown_account_take_ids
                    or replay(row, histories.get(take_id, [])) != takes[take_id]
                },
            )
            ledger.check()
        backup = _back_up(folder, image)
    return RecoverOutcome(
        folder.path,
        damage=damage,
        backup=backup,
        takes=len(rows),
        events=len(recovered.events),
        lost=tuple(_loss_lines(folder, recovered, takes, orphans)),
        uncertain=tuple(
            take_id
            for take_id, row in takes.items()
            if row.state in UNDECIDED and take_id in unknown_account_take_ids
        ),
    )


def _losses(recovered: RecoveredRows, orphans: Mapping[str, Mapping[str, Any]]) -> Losses:
    """The losses of this and all earlier recoveries. orphans: snapshots of takes without a row."""
    earlier = recovered.earlier_losses
    return Losses(
        events=(*earlier.events, *recovered.lost_events),
        facts=tuple(sorted({*earlier.facts, *recovered.lost_facts})),
        takes=orphans,
        may_lack_takes=earlier.may_lack_takes or recovered.takes_may_be_unknown,
    )


def _facts(recovered: RecoveredRows, losses: Losses) -> dict[str, Any]:
    """The facts of the new ledger."""
    facts = dict(recovered.facts)
    if "run_id" in recovered.lost_facts:
        facts["run_id"] = secrets.token_hex(6)
    if losses:
        facts[LOSSES_FACT] = losses.to_json()
    return facts


def _planned_rows(design: Any, folder: RunFolder) -> dict[str, TakeRow]:
    """The planned rows of a sweep's takes by id; none when the design is lost or unusable."""
    rows: dict[str, TakeRow] = {}
    # An unusable design may raise any of these. The next run of the sweep adds its takes.
    with suppress(*DECODE_ERRORS, OSError):
        stills, _ = stored_stills(design, folder)
        sweep = Sweep.from_json(design, stills)
        # A still that was not chosen yet has pictures to choose from, but no clips.
        clips = [pair for pair in sweep.takes() if pair[0].shot.still not in sweep.placeholders]
        quotes = _quotes(sweep)
        for position, (trial, take) in enumerate([*sweep.still_takes(), *clips]):
            quote = quotes.get(trial.shot)
            rows[take.id] = TakeRow(
                take_id=take.id,
                position=position,
                trial=trial.index,
                repeat=take.repeat,
                factors=trial.factors,
                take=take.relocated(lambda still: still.at(still.path.relative_to(folder.path))),
                low_usd=None if quote is None else quote.low_usd,
                high_usd=None if quote is None else quote.high_usd,
            )
    return rows


def _quotes(sweep: Sweep) -> dict[Shot, Quote]:
    """Today's prices by shot; none when the backend is not set up."""
    with suppress(LabError):
        backend = open_backend(sweep.backend)
        try:
            shots = [trial.shot for trial, _ in (*sweep.still_takes(), *sweep.takes())]
            return {shot: backend.quote(shot) for shot in dict.fromkeys(shots)}
        finally:
            backend.close()
    return {}


def _back_up(folder: RunFolder, image: DatabaseImage) -> Path:
    """Copy the damaged ledger and its log to a new name. Then merge and delete the log.

    The log is deleted because SQLite would apply it to the new ledger. It is merged into the
    damaged ledger before that, so a recovery that is killed here loses nothing.
    """
    number = 1
    while (backup := folder.path / f"ledger.damaged-{number}.sqlite").exists():
        number += 1
    log = folder.ledger.with_name(f"{folder.ledger.name}-wal")
    log_index = folder.ledger.with_name(f"{folder.ledger.name}-shm")
    if log.exists():
        _copy(log, backup.with_name(f"{backup.name}-wal"))
    _copy(folder.ledger, backup)
    if log.exists():
        with atomic_write(folder.ledger) as part:
            part.write_bytes(image.content)
        log.unlink()
    log_index.unlink(missing_ok=True)
    return backup


def _copy(file: Path, target: Path) -> None:
    with atomic_write(target) as part:
        shutil.copyfile(file, part)


def _loss_lines(
    folder: RunFolder,
    recovered: RecoveredRows,
    takes: Mapping[str, TakeRow],
    orphans: Mapping[str, TakeRow],
) -> Iterator[str]:
    """One line for each thing that this recovery lost."""
    for name in recovered.lost_facts:
        yield _LOST_FACTS[name].format(folder.path)
    if recovered.lost_events:
        ranges = (_range_text(first, last) for first, last in recovered.lost_events)
        yield f"events {', '.join(ranges)}"
    if recovered.takes_may_be_unknown:
        yield (
            "takes of which no row and no event is left, if there were any; the next run treats "
            "each take that it adds as sent, unless its result is in the run folder"
        )
    for take_id, row in takes.items():
        if take_id in orphans:
            yield (
                f"the design of take {take_id} ({row.state}); `lab run SWEEP.yaml --out "
                f"{folder.path}` adds it again in this state"
            )
        elif recovered.events_complete or recovered.is_current(take_id):
            continue
        elif row.message in RESULT_FOUND_MESSAGES:
            yield f"what take {take_id} cost and when it was made; its result is in the run folder"
        elif row.state is TakeState.PLANNED:
            yield f"the progress of take {take_id}; it is made again, which costs nothing"


def _range_text(first: int, last: int | None) -> str:
    if last is None:
        return f"from {first} on, if there were any"
    return str(first) if first == last else f"{first} to {last}"
