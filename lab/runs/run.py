"""Run a sweep: price it, ask about money, then make what is missing.

Kill it anywhere and call it again: takes already bought are looked up, not bought; clips already
here are not fetched; clips already measured are not measured.
"""

import secrets
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.backends import Backend, open_backend
from lab.errors import MoneyError, RunFolderError
from lab.runs.bought import Bought
from lab.runs.control import Control
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger, Money, TakeRow, TakeState
from lab.runs.provenance import provenance
from lab.runs.recover import lost_histories
from lab.runs.runner import Runner
from lab.stills import Still
from lab.sweeps import Plan, Sweep
from lab.sweeps import plan as price
from lab.units import usd_text


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    scored: takes with a result and, for clips, scores. problems: one line for each take that was
    sent and has none, and why. remarks: one line for each take whose clip is damaged and was scored
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
        return "\n".join([*lines, *self.remarks, *self.problems])


def plan(sweep: Sweep, out: str | Path | None = None, *, reuse: bool = True) -> Plan:
    """Price a sweep, before anything is bought, as `run` would find it.

    out: the run folder, if it was begun; what it has is not priced again, and neither is what an
    older run bought, unless reuse is False.
    """
    folder = None if out is None else RunFolder(out)
    backend = open_backend(sweep.backend)
    try:
        origin, free = backend.origin, backend.capabilities.simulated
        local = backend.capabilities.renders_locally
    finally:
        backend.close()
    done, spent = _done(folder, local=local)
    found: set[str] = set()
    if reuse and not free:
        with Bought.open() as index:
            missing = [take.id for _, take in sweep.takes() if take.id not in done]
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
    None. grow: add the takes to whatever the folder holds, without asking for the same sweep.
    control: lets another thread pause, resume or stop the run.

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
    if priced.asks and not confirmed:
        raise MoneyError(
            f"this plan may cost {usd_text(priced.low_usd, priced.high_usd)}; set a budget or a "
            "cap (budget_usd, cap_usd; on the command line --budget, --cap), or confirm it "
            "(confirmed=True, --yes)"
        )
    folder = RunFolder(out)
    maker = open_backend(sweep.backend)
    try:
        if priced.takes > priced.done:
            maker.prepare()
        folder.make()
        folder.check_space(priced.bytes)
        with (
            folder.held(),
            Ledger.write(folder.ledger) as ledger,
            _index(not maker.capabilities.simulated) as index,
        ):
            ids = _adopted(sweep, folder, ledger, maker, priced, grow=grow)
            takes = {take.id: trial.index for trial, take in sweep.takes()}
            with Runner(
                maker,
                folder,
                ledger,
                cap_usd=sweep.cap_usd,
                index=index,
                reuse=reuse,
                executor=executor,
                quiet=quiet,
                control=control or Control(),
            ) as runner:
                runner.run(ids, {take_id: priced.quotes[takes[take_id]] for take_id in ids})
            if runner.turned_away is not None:
                raise runner.turned_away
            problems = runner.problems(ids)
            return RunOutcome(
                folder=folder.path,
                takes=len(ids),
                scored=runner.scored,
                reused=runner.reused,
                money=ledger.money(),
                problems=tuple(problems),
                remarks=tuple(runner.remarks(ids)),
                stopped=runner.stopped,
            )
    finally:
        maker.close()


def _index(wanted: bool) -> Any:
    return Bought.open() if wanted else nullcontext()


def _done(folder: RunFolder | None, *, local: bool) -> tuple[set[str], float]:
    """Ids of takes that need not be made any more, and what the folder has cost at most.

    local: a take is made here, so that one whose result is not here is still to be made.
    """
    if folder is None or not folder.exists:
        return set(), 0.0
    with Ledger.read(folder.ledger) as ledger:
        rows = ledger.takes()
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
            or folder.result(row.take).is_file()
        )
    ]
    return {row.take_id for row in done}, sum(row.committed_usd for row in done)


def _adopted(
    sweep: Sweep, folder: RunFolder, ledger: Ledger, backend: Backend, priced: Plan, *, grow: bool
) -> list[str]:
    """Put the sweep's takes into the ledger; refuse where the folder holds another experiment."""
    pairs = sweep.takes()
    known = ledger.states()
    wanted = {take.id for _, take in pairs}
    missing = [take_id for take_id in known if take_id not in wanted]
    if missing and not grow:
        raise RunFolderError(
            f"{folder.path}: holds another sweep ({_difference(ledger.fact('sweep'), sweep)}); "
            "name another folder, or only add to the sweep"
        )
    origin = ledger.fact("origin") or backend.origin
    if origin != backend.origin:
        raise RunFolderError(
            f"{folder.path}: was begun with {origin} and {backend.name} is now {backend.origin}; "
            "takes of two places do not mix, so name another folder"
        )
    stills = [*sweep.levels["still"], *sweep.levels.get("end_still", ())]
    kept = {still.sha256: folder.keep(still) for still in stills if isinstance(still, Still)}
    rows = [
        TakeRow(
            take_id=take.id,
            position=len(known) + place,
            trial=trial.index,
            repeat=take.repeat,
            factors=trial.factors,
            take=take.relocated(lambda still: kept[still.sha256]),
            low_usd=priced.quotes[trial.index].low_usd,
            high_usd=priced.quotes[trial.index].high_usd,
        )
        for place, (trial, take) in enumerate(pairs)
    ]
    ledger.add(rows, lost_histories(ledger, folder, rows))
    ledger.set_fact("sweep", sweep.to_json())
    ledger.set_fact("provenance", {**provenance(), "origin": origin})
    ledger.set_fact("origin", origin)
    if ledger.fact("run_id") is None:
        ledger.set_fact("run_id", secrets.token_hex(6))
    return [row.take_id for row in rows]


def _difference(old: Mapping[str, Any] | None, new: Sweep) -> str:
    """In words, what an existing run has that a changed sweep no longer asks for."""
    if old is None:
        return "its design was lost with a damaged ledger"
    now = new.to_json()
    parts = [
        f"{field} was {old[field]!r} and is {now[field]!r}"
        for field in ("backend", "repeats", "zip", "elements")
        if old.get(field, now[field]) != now[field]
    ]
    for name in sorted({*old["levels"], *now["levels"]}):
        gone = [
            level["name"] or level.get("text", "") if isinstance(level, dict) else level
            for level in old["levels"].get(name, [])
            if level not in now["levels"].get(name, [])
        ]
        if gone:
            parts.append(f"{name} {', '.join(repr(level) for level in gone)} is gone")
    return "; ".join(parts) or "its levels were combined differently"
