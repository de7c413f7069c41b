"""Run a sweep: price it, ask about money, then make what is missing.

Kill it anywhere and call it again: takes already bought are looked up, not bought; clips already
here are not fetched; clips already measured are not measured.
"""

import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.backends import Quote, open_backend
from lab.errors import MoneyError, RunFolderError
from lab.runs.control import Control
from lab.runs.creation import choose, with_chosen
from lab.runs.element_registration import ensure_registered
from lab.runs.elements import known_ids
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger
from lab.runs.money import Money
from lab.runs.provenance import provenance
from lab.runs.purchases import PurchaseIndex
from lab.runs.runner import Runner
from lab.runs.take_recovery import snapshots_of_lost_takes
from lab.runs.take_row import TakeRow, TakeState
from lab.sweeps import Plan, Sweep, Trial
from lab.sweeps import plan as price
from lab.takes import Take
from lab.units import usd_text


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    scored: takes with a result and, for clips, scores. chosen: one line for each still that was
    made from text, and which picture was taken. problems: one line for each take that was sent and
    has none, and why. remarks: one line for each take whose clip is damaged and was scored
    all the same. stopped: why takes were not sent at all, "" when every one was.
    """

    folder: Path
    takes: int
    scored: int
    reused: int
    money: Money
    problems: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    stopped: str = ""
    chosen: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """True when every take has its result."""
        return not self.problems and not self.stopped

    def __str__(self) -> str:
        lines = [f"{self.scored} of {self.takes} takes have a scored clip in {self.folder}"]
        if self.reused:
            lines.append(f"{self.reused} of them were bought by an older run and reused")
        if self.money.spent_usd or self.money.open_usd or self.money.expected_usd[1]:
            lines.append(str(self.money))
        lines += [f"stopped: {self.stopped}"] if self.stopped else []
        return "\n".join([*lines, *self.chosen, *self.remarks, *self.problems])


def plan(sweep: Sweep, out: str | Path | None = None, *, reuse: bool = True) -> Plan:
    """Price a sweep, before anything is bought, as `run` would find it.

    out: the run folder, if it was begun; what it has is not priced again, and neither is what an
    older run bought, unless reuse is False.
    """
    folder = None if out is None else RunFolder(out)
    backend = open_backend(sweep.backend)
    rows: list[TakeRow] = []
    noted: dict[str, dict[str, str]] = {}
    try:
        origin, free = backend.origin, backend.capabilities.simulated
        local = backend.capabilities.renders_locally
        if folder is not None and folder.exists:
            folder.check()
            with Ledger.read(folder.ledger) as ledger:
                rows, noted = ledger.takes(), ledger.fact("elements") or {}
        if sweep.pictured_elements and backend.capabilities.registers_elements:
            sweep = sweep.with_element_ids(known_ids(sweep.pictured_elements, noted, backend))
    finally:
        backend.close()
    done: set[str] = set()
    spent = 0.0
    if folder is not None and rows:
        done, spent = _done(rows, folder, local=local)
        sweep = with_chosen(sweep, folder, rows)
    found: set[str] = set()
    if reuse and not free:
        with PurchaseIndex.open() as index:
            wanted = [*sweep.creations(), *sweep.takes()]
            missing = [take.id for _, take in wanted if take.id not in done]
            found = {take_id for take_id in missing if index.find(take_id, origin) is not None}
    return price(sweep, done=done, reused=found, spent_usd=spent)


def run(
    sweep: Sweep | str | Path,
    out: str | Path,
    *,
    backend: str | None = None,
    budget_usd: float | None = None,
    cap_usd: float | None = None,
    confirmed: bool = False,
    reuse: bool = True,
    executor: Executor | None = None,
    quiet: bool = False,
    grow: bool = False,
    control: Control | None = None,
) -> RunOutcome:
    """Make and score every take of a sweep in a run folder; call it again to go on.

    sweep: a `Sweep` or the path of a sweep file, whose backend, budget and cap the arguments
    replace. A plan that costs money needs a budget (refused when it may cost more), a cap (as many
    whole blocks as fit are made) or confirmed=True. reuse: take over identical takes that an older
    run of this user bought. executor: where clips are rendered and measured; a process pool when
    None, or this process where it is itself a worker of another one. grow: add the takes to
    whatever the folder holds, without asking for the same sweep. control: lets another
    thread pause, resume or stop the run.

    Raises SweepError, BackendError, MoneyError or RunFolderError before anything is bought,
    BusyError when another runner holds the folder, and Interrupted on Ctrl-C or a stop.
    """
    if not isinstance(sweep, Sweep):
        sweep = Sweep.load(sweep, backend=backend, budget_usd=budget_usd, cap_usd=cap_usd)
    else:
        sweep = replace(
            sweep,
            backend=backend or sweep.backend,
            budget_usd=sweep.budget_usd if budget_usd is None else budget_usd,
            cap_usd=sweep.cap_usd if cap_usd is None else cap_usd,
        )
    priced = plan(sweep, out, reuse=reuse)
    priced.check()
    sweep = priced.sweep
    if priced.needs_confirmation and not confirmed:
        if sweep.unregistered_elements:
            raise MoneyError(
                f"this plan needs a yes: {priced.confirmation}; confirm it (confirmed=True, --yes)"
            )
        raise MoneyError(
            f"this plan may cost {usd_text(priced.low_usd, priced.high_usd)}; set a budget or a "
            "cap (budget_usd, cap_usd; on the command line --budget, --cap), or confirm it "
            "(confirmed=True, --yes)"
        )
    folder = RunFolder(out)
    with closing(open_backend(sweep.backend)) as maker:
        if priced.takes > priced.done or priced.stills:
            maker.prepare()
        origin, simulated = maker.origin, maker.capabilities.simulated
    folder.make()
    folder.check_space(priced.bytes)
    with (
        folder.lock(),
        Ledger.write(folder.ledger) as ledger,
        _index(not simulated) as index,
    ):
        sweep = with_chosen(sweep, folder, ledger.takes())
        _check_same(sweep, folder, ledger, origin, grow=grow)
        if sweep.pictured_elements:
            sweep = _registered(sweep, ledger, quiet=quiet, control=control)

        def make(design: Sweep, pairs: Sequence[tuple[Trial, Take]], doing: str) -> RunOutcome:
            # A runner closes its backend, so that requests under way end with it.
            with closing(open_backend(design.backend)) as maker:
                quotes = {take.id: maker.quote(trial.shot) for trial, take in pairs}
                _add(pairs, quotes, design, folder, ledger, origin)
                with Runner(
                    maker,
                    folder,
                    ledger,
                    cap_usd=design.cap_usd,
                    index=index,
                    reuse=reuse,
                    executor=executor,
                    quiet=quiet,
                    control=control or Control(),
                ) as runner:
                    return _outcome(runner, quotes, folder, ledger, doing)

        doing = {"clip": "takes scored", "still": "stills made"}
        if not sweep.created:
            return make(sweep, sweep.takes(), doing[sweep.makes])
        stills = make(sweep, sweep.creations(), doing["still"])
        sweep, chosen, unmade = choose(sweep, folder, ledger.takes())
        ready = [pair for pair in sweep.takes() if pair[0].shot.still not in sweep.placeholders]
        clips = make(sweep, ready, doing["clip"])
        return replace(
            clips,
            takes=len(sweep.takes()),
            reused=stills.reused + clips.reused,
            problems=(*stills.problems, *unmade.values(), *clips.problems),
            stopped="; ".join(filter(None, (stills.stopped, clips.stopped))),
            chosen=tuple(chosen),
        )


def _outcome(
    runner: Runner, quotes: Mapping[str, Quote], folder: RunFolder, ledger: Ledger, doing: str
) -> RunOutcome:
    """Make the takes that have these quotes. Raises AccountError where none could be sent.

    doing: what progress says.
    """
    ids = list(quotes)
    runner.run(ids, quotes, doing=doing)
    if runner.turned_away is not None:
        raise runner.turned_away
    return RunOutcome(
        folder=folder.path,
        takes=len(ids),
        scored=runner.scored,
        reused=runner.reused,
        money=ledger.money(),
        problems=tuple(runner.problems(ids)),
        remarks=tuple(runner.remarks(ids)),
        stopped=runner.stopped,
    )


def _index(wanted: bool) -> Any:
    return PurchaseIndex.open() if wanted else nullcontext()


def _registered(sweep: Sweep, ledger: Ledger, **how: Any) -> Sweep:
    """The sweep with the ids of its pictured elements, which the folder keeps from now on.

    Ids that the folder has already are used as they are: its takes are made of them.
    """
    noted = ledger.fact("elements") or {}
    wanted = [element for element in sweep.pictured_elements if element.content not in noted]
    if wanted:
        with closing(open_backend(sweep.backend)) as backend:
            rows = ensure_registered(wanted, backend, **how)
        noted |= {
            element.content: {"name": element.name, "id": row.id}
            for element, row in zip(wanted, rows, strict=True)
        }
        ledger.set_fact("elements", noted)
    return sweep.with_element_ids({content: said["id"] for content, said in noted.items()})


def _done(rows: Sequence[TakeRow], folder: RunFolder, *, local: bool) -> tuple[set[str], float]:
    """Ids of takes that need not be made any more, and what the folder has cost at most.

    local: a take is made here, so that one whose result is not here is still to be made.
    """
    # What may never have arrived may be sent again, and a reused clip may be gone.
    again = [TakeState.PLANNED, TakeState.SUBMITTING, TakeState.UNCERTAIN]
    again += [TakeState.WAITING, TakeState.READY] * local
    done = [
        row
        for row in rows
        if row.state not in again
        and (
            row.state is not TakeState.FETCHED
            or row.job is not None
            or folder.result_path(row.take).is_file()
        )
    ]
    return {row.take_id for row in done}, sum(row.committed_usd for row in done)


def _check_same(
    sweep: Sweep, folder: RunFolder, ledger: Ledger, origin: str, *, grow: bool
) -> None:
    """Refuse where the folder holds another experiment, or was begun at another place."""
    wanted = {take.id for _, take in (*sweep.creations(), *sweep.takes())}
    missing = [
        row.take_id
        for row in ledger.takes()
        if row.take_id not in wanted and row.take.shot.makes == sweep.makes
    ]
    if missing and not grow:
        raise RunFolderError(
            f"{folder.path}: holds another sweep ({_difference(ledger.fact('sweep'), sweep)}); "
            "name another folder, or only add to the sweep"
        )
    begun = ledger.fact("origin") or origin
    if begun != origin:
        raise RunFolderError(
            f"{folder.path}: was begun with {begun} and {sweep.backend} is now {origin}; "
            "takes of two places do not mix, so name another folder"
        )


def _add(
    pairs: Sequence[tuple[Trial, Take]],
    quotes: Mapping[str, Quote],
    sweep: Sweep,
    folder: RunFolder,
    ledger: Ledger,
    origin: str,
) -> None:
    """Put takes into the ledger, and copies of their stills into the folder."""
    shots = [trial.shot for trial, _ in pairs]
    stills = dict.fromkeys(still for shot in shots for still in (shot.still, shot.end_still))
    kept = {still.sha256: folder.copy_still(still) for still in stills if still is not None}
    known = len(ledger.states())
    rows = [
        TakeRow(
            take_id=take.id,
            position=known + place,
            trial=trial.index,
            repeat=take.repeat,
            factors=trial.factors,
            take=take.relocated(lambda still: kept[still.sha256]),
            low_usd=quotes[take.id].low_usd,
            high_usd=quotes[take.id].high_usd,
        )
        for place, (trial, take) in enumerate(pairs)
    ]
    ledger.add(rows, snapshots_of_lost_takes(ledger, folder, rows))
    for row in ledger.takes():
        row.take.relocated(folder.locate)  # refused before anything is sent
    ledger.set_fact("sweep", sweep.to_json())
    ledger.set_fact("provenance", {**provenance(), "origin": origin})
    ledger.set_fact("origin", origin)
    if ledger.fact("run_id") is None:
        ledger.set_fact("run_id", secrets.token_hex(6))


def _difference(old: Mapping[str, Any] | None, new: Sweep) -> str:
    """In words, what an existing run has that a changed sweep no longer asks for."""
    if old is None:
        return "its design was lost with a damaged ledger"
    now = new.to_json()
    parts = [
        f"{field} was {old[field]!r} and is {now[field]!r}"
        for field in ("backend", "repeats", "zip")
        if old.get(field, now[field]) != now[field]
    ]
    for name, pictures in now.get("pictured", {}).items():
        if old.get("pictured", {}).get(name, pictures) != pictures:
            parts.append(f"element {name} was made from other pictures")
    if not parts and old.get("elements", now["elements"]) != now["elements"]:
        parts.append(f"elements was {old['elements']!r} and is {now['elements']!r}")
    for name in sorted({*old["levels"], *now["levels"]}):
        gone = [
            level["name"] or level.get("text", "") if isinstance(level, dict) else level
            for level in old["levels"].get(name, [])
            if level not in now["levels"].get(name, [])
        ]
        kept = [level["name"] for level in now["levels"].get(name, []) if isinstance(level, dict)]
        changed = [level for level in gone if level in kept]
        if gone and gone != changed:
            others = (repr(level) for level in gone if level not in changed)
            parts.append(f"{name} {', '.join(others)} is gone")
        if changed:
            parts.append(f"{name} {', '.join(map(repr, changed))} is not what it was")
    return "; ".join(parts) or "its levels were combined differently"
