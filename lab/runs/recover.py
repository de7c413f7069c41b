"""Rebuild a damaged ledger from what can be read, and say what could not.

What was or may have been bought never comes back as planned. Where the history of a take is lost
and its result is not here, it is uncertain: `lab reconcile` or a person settles it.
"""

import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.backends import BACKENDS, Quote, open_backend
from lab.clips import Clip
from lab.errors import LabError
from lab.files import atomic_write
from lab.runs.design import kept_stills
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger
from lab.runs.ledger_codec import DECODE_ERRORS
from lab.runs.ledger_errors import DamagedLedgerError
from lab.runs.remains import Remains, nobody
from lab.runs.salvage import Image
from lab.runs.take_row import (
    UNKNOWN_ACCOUNT,
    Event,
    TakeRow,
    TakeState,
    apply_event,
    as_planned,
    snapshot,
)
from lab.shots import Shot
from lab.stills import Still
from lab.sweeps import Sweep

_LOST_FACTS = {
    "sweep": "the design of the sweep; `lab run SWEEP.yaml --out {}` writes it again",
    "provenance": "which versions made the run; the next run notes today's",
    "origin": "where takes were sent; the next run notes where it sends them",
    "run_id": "the name that takes were sent under; later ones go under a new one",
}
_HERE_SAID = "what was known of it was lost with a damaged ledger; its result is here"
_LOST_SAID = (
    "it is unknown whether this take was bought: its history was lost with a damaged ledger; "
    "`lab reconcile` settles it"
)
_DOUBTFUL = (TakeState.SUBMITTING, TakeState.UNCERTAIN)


@dataclass(frozen=True)
class Recovered:
    """What came of a run's ledger.

    damage: what was wrong with it, "" when nothing was, and then nothing was changed. kept: the
    damaged file under its new name. takes, events: how many the ledger holds now. lost: a line for
    each thing that could not be read. uncertain: ids of takes that may have been bought.
    """

    folder: Path
    damage: str = ""
    kept: Path | None = None
    takes: int = 0
    events: int = 0
    lost: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """True when nothing was lost."""
        return not self.lost and not self.uncertain

    def __str__(self) -> str:
        if self.kept is None:
            return f"{self.folder}: the ledger passes the full check; nothing was changed"
        return "\n".join(
            [
                self.damage,
                f"rebuilt with {self.takes} takes and {self.events} events; the damaged ledger is "
                f"kept as {self.kept.name}",
                *(f"lost: {said}" for said in self.lost),
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
            "kept": None if self.kept is None else str(self.kept),
            "takes": self.takes,
            "events": self.events,
            "lost": list(self.lost),
            "uncertain": list(self.uncertain),
        }


def recover(out: str | Path) -> Recovered:
    """Check the ledger of a run in full and rebuild it where it is damaged.

    Nothing is sent or bought. The damaged file is kept beside the new one; killed anywhere, this
    leaves one of the two in place. Raises RunFolderError for a folder that holds no run or a ledger
    that cannot be reached, and BusyError while a runner is at work there.
    """
    folder = RunFolder(out)
    folder.check()
    with folder.lock(check=False):
        try:
            with Ledger.read(folder.ledger) as ledger:
                ledger.check()
                takes, events = len(ledger.states()), sum(1 for _ in ledger.events())
        except DamagedLedgerError as error:
            return _rebuilt(folder, str(error).partition("; `lab recover")[0])
        return Recovered(folder.path, takes=takes, events=events)


def lost_histories(
    ledger: Ledger, folder: RunFolder, rows: Iterable[TakeRow]
) -> dict[str, dict[str, Any]]:
    """Where takes stand whose rows were lost with a damaged ledger, as `Ledger.add` takes it.

    rows: what a run is about to add. Where takes may have been lost without a trace, one that is
    new here counts as sent, unless its result is here.
    """
    lost = ledger.fact("lost")
    if lost is None:
        return {}
    known = ledger.states()
    said: dict[str, dict[str, Any]] = dict(lost["takes"])
    if lost["untraced"]:
        for row in rows:
            if row.take_id not in known and row.take_id not in said:
                now = _without_history(row, folder)
                said[row.take_id] = _told(now, in_doubt=now.state is not TakeState.PLANNED)
    return said


def _rebuilt(folder: RunFolder, damage: str) -> Recovered:
    image = Image.of(folder.ledger)
    found = Remains.of(image)
    designed = _designed(found.facts.get("sweep"), folder) if found.rows_lost else {}
    rows = {**designed, **found.rows}
    backend = next((row.take.backend for row in rows.values()), "")
    histories = found.histories()
    orphans = {take_id: nobody(take_id, backend) for take_id in histories if take_id not in rows}
    now = {
        take_id: _standing_of(row, found, histories.get(take_id, []), folder)
        for take_id, row in (rows | orphans).items()
    }
    said = {take_id: _told(row, in_doubt=_in_doubt(row, found)) for take_id, row in now.items()}
    with atomic_write(folder.ledger) as part:
        with Ledger.create(part) as fresh:
            fresh.restore(
                facts=_facts(found, {take_id: said[take_id] for take_id in orphans}),
                events=found.events,
                last_seq=found.last_seq,
                rows=[now[take_id] for take_id in rows],
                snapshots={
                    take_id: said[take_id]
                    for take_id, row in rows.items()
                    if "account" in said[take_id]
                    or _folded(row, histories.get(take_id, [])) != now[take_id]
                },
            )
            fresh.check()
        kept = _put_aside(folder, image)
    return Recovered(
        folder.path,
        damage=damage,
        kept=kept,
        takes=len(rows),
        events=len(found.events),
        lost=tuple(_lost(folder, found, now, orphans)),
        uncertain=tuple(
            take_id
            for take_id, row in now.items()
            if row.state in _DOUBTFUL and "account" in said[take_id]
        ),
    )


def _folded(row: TakeRow, history: Iterable[Event]) -> TakeRow:
    told = as_planned(row)
    for _, _, kind, data in history:
        told = apply_event(told, kind, data)
    return told


def _standing_of(
    row: TakeRow, found: Remains, history: Iterable[Event], folder: RunFolder
) -> TakeRow:
    """Where a take stands by what could be read: all its events, or its row, or what is left."""
    told = _folded(row, history)
    if row.take_id in found.known_takes and row.take_id not in found.rows:
        # It was lost before, and did not come back meanwhile.
        told = apply_event(told, "recovered", found.known_takes[row.take_id])
    if found.complete:
        return told
    return row if found.is_current(row.take_id) else _without_history(told, folder)


def _without_history(told: TakeRow, folder: RunFolder) -> TakeRow:
    """Where a take stands that may have gone further than is told of it.

    A result that is here was made, a job can be asked for nothing, and a last word stays the last.
    """
    here = _result(folder, told.take_id)
    if told.state is TakeState.FETCHED and (here is not None or told.job is not None):
        return told
    if here is not None:
        return replace(told, state=TakeState.FETCHED, clip=here, message=_HERE_SAID)
    if told.state in (TakeState.FAILED, TakeState.REFUSED):
        return told
    if told.state in (TakeState.WAITING, TakeState.READY) and told.job is not None:
        return told
    if _made_here(told.take.backend):
        return as_planned(told)
    return replace(told, state=TakeState.UNCERTAIN, message=_LOST_SAID)


def _result(folder: RunFolder, take_id: str) -> dict[str, Any] | None:
    """What the ledger says of a result, from the file alone; None when none is here.

    Results are written whole, and a take's id is made of what it asks for.
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


def _made_here(backend: str) -> bool:
    """True when a take of this backend is made on this machine: making it again costs nothing."""
    return backend in BACKENDS and BACKENDS[backend].capabilities.renders_locally


def _in_doubt(row: TakeRow, found: Remains) -> bool:
    """True when there may have been sendings of this take that nobody knows of."""
    if row.take_id not in found.rows and "account" in found.known_takes.get(row.take_id, {}):
        return True
    if row.state in _DOUBTFUL:
        return not found.complete or bool({"run_id", "origin"} & set(found.lost_facts))
    planned = row.state is TakeState.PLANNED
    return not (planned or found.complete or found.is_current(row.take_id))


def _told(row: TakeRow, *, in_doubt: bool) -> dict[str, Any]:
    """A "recovered" event."""
    return {**snapshot(row), **({"account": UNKNOWN_ACCOUNT} if in_doubt else {})}


def _facts(found: Remains, orphans: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of the new ledger. "lost": what it lacks, for the runs and recoveries to come."""
    facts = dict(found.facts)
    if "run_id" in found.lost_facts:
        facts["run_id"] = secrets.token_hex(6)
    lost_events = [*found.known_lost, *found.lost_events]
    lost_facts = sorted({*found.known_lost_facts, *found.lost_facts})
    untraced = found.known_untraced or found.untraced
    if lost_events or lost_facts or orphans or untraced:
        facts["lost"] = {
            "events": lost_events,
            "facts": lost_facts,
            "takes": dict(orphans),
            "untraced": untraced,
        }
    return facts


def _designed(design: Any, folder: RunFolder) -> dict[str, TakeRow]:
    """The rows of a sweep's takes, planned, as its design has them; none where that is lost."""
    rows: dict[str, TakeRow] = {}
    # Whatever it was, if it makes no takes now, the next run of the sweep brings them.
    with suppress(*DECODE_ERRORS, OSError):
        stills, _ = kept_stills(design, folder)
        sweep = Sweep.from_json(design, stills)
        # A still that was not chosen yet has no clips, only pictures to choose from.
        clips = [pair for pair in sweep.takes() if pair[0].shot.still not in sweep.placeholders]
        quotes = _quotes(sweep)
        for place, (trial, take) in enumerate([*sweep.creations(), *clips]):
            quote = quotes.get(trial.shot)
            rows[take.id] = TakeRow(
                take_id=take.id,
                position=place,
                trial=trial.index,
                repeat=take.repeat,
                factors=trial.factors,
                take=take.relocated(lambda still: still.at(still.path.relative_to(folder.path))),
                low_usd=None if quote is None else quote.low_usd,
                high_usd=None if quote is None else quote.high_usd,
            )
    return rows


def _quotes(sweep: Sweep) -> dict[Shot, Quote]:
    """Today's prices by shot; none where the backend is not set up."""
    with suppress(LabError):
        backend = open_backend(sweep.backend)
        try:
            shots = [trial.shot for trial, _ in (*sweep.creations(), *sweep.takes())]
            return {shot: backend.quote(shot) for shot in dict.fromkeys(shots)}
        finally:
            backend.close()
    return {}


def _put_aside(folder: RunFolder, image: Image) -> Path:
    """Keep the damaged ledger under a new name, and leave it in place as one file.

    The log beside it would be applied to the new ledger. It is taken away when the file itself
    holds what the log does, so that whoever stops here leaves the damaged ledger as it was.
    """
    number = 1
    while (kept := folder.path / f"ledger.damaged-{number}.sqlite").exists():
        number += 1
    log, index = (folder.ledger.with_name(f"{folder.ledger.name}-{end}") for end in ("wal", "shm"))
    if log.exists():
        _copy(log, kept.with_name(f"{kept.name}-wal"))
    _copy(folder.ledger, kept)
    if log.exists():
        with atomic_write(folder.ledger) as part:
            part.write_bytes(image.content)
        log.unlink()
    index.unlink(missing_ok=True)
    return kept


def _copy(file: Path, to: Path) -> None:
    with atomic_write(to) as part:
        shutil.copyfile(file, part)


def _lost(
    folder: RunFolder, found: Remains, now: Mapping[str, TakeRow], orphans: Mapping[str, TakeRow]
) -> Iterator[str]:
    """A line for each thing that could not be read."""
    for name in found.lost_facts:
        yield _LOST_FACTS[name].format(folder.path)
    if found.lost_events:
        yield f"events {', '.join(_range(first, last) for first, last in found.lost_events)}"
    if found.untraced:
        yield (
            "takes that left no trace at all, if there were any; a run that asks for them counts "
            "them as sent, unless their result is here"
        )
    for take_id, row in now.items():
        if take_id in orphans:
            yield (
                f"the design of take {take_id} ({row.state}); `lab run SWEEP.yaml --out "
                f"{folder.path}` puts it back where it stands"
            )
        elif found.complete or found.is_current(take_id):
            continue
        elif row.message == _HERE_SAID:
            yield f"what take {take_id} cost and when it was made; its result is here"
        elif row.state is TakeState.PLANNED:
            yield f"how far take {take_id} was; it is made again, which costs nothing"


def _range(first: int, last: int | None) -> str:
    if last is None:
        return f"from {first} on, if there were any"
    return str(first) if first == last else f"{first} to {last}"
