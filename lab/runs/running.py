"""Runs a sweep: prices it, checks its budget and cap, then makes and scores the missing takes.

After a run was killed, call it again. It looks up the takes that were bought and does not buy them
again. It fetches only missing clips and measures only clips without scores.
"""

import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.backends import Quote, open_backend
from lab.errors import MoneyError
from lab.runs.control import Control
from lab.runs.creation import choose_stills, with_earlier_chosen_stills
from lab.runs.elements import ensure_registered
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger, Money, TakeRow
from lab.runs.planning import plan
from lab.runs.provenance import provenance
from lab.runs.purchases import PurchaseIndex
from lab.runs.recovery import snapshots_of_lost_takes
from lab.runs.runner import Runner
from lab.runs.same_sweep import check_same_sweep
from lab.sweeps import Plan, Sweep, Trial
from lab.takes import Take
from lab.units import usd_text

_PROGRESS_LABEL = {"clip": "takes scored", "still": "stills made"}


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    scored: takes with a result and, for clips, scores. problems: one line for each take that was
    submitted and has no result. remarks: one line for each take whose clip is damaged but was
    scored. stop_reason: why takes were not submitted; "" when all were. chosen: one line for each
    still that was made from text, with the chosen picture.
    """

    folder: Path
    takes: int
    scored: int
    reused: int
    money: Money
    problems: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    stop_reason: str = ""
    chosen: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """True when every take has its result."""
        return not self.problems and not self.stop_reason

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "run": str(self.folder),
            "takes": self.takes,
            "scored": self.scored,
            **self.money.to_json(),
            "reused": self.reused,
            "stopped": self.stop_reason,
            "chosen": list(self.chosen),
            "remarks": list(self.remarks),
            "problems": list(self.problems),
        }

    def __str__(self) -> str:
        lines = [f"{self.scored} of {self.takes} takes have a scored clip in {self.folder}"]
        if self.reused:
            lines.append(f"{self.reused} of them were bought by an older run and reused")
        if self.money.spent_usd or self.money.open_usd or self.money.estimated_usd[1]:
            lines.append(str(self.money))
        lines += [f"stopped: {self.stop_reason}"] if self.stop_reason else []
        return "\n".join([*lines, *self.chosen, *self.remarks, *self.problems])


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
    allow_other_takes: bool = False,
    control: Control | None = None,
) -> RunOutcome:
    """Make and score every take of a sweep in a run folder. Call it again to continue.

    sweep: a `Sweep` or the path of a sweep file; backend, budget_usd and cap_usd replace its own.
    A sweep that costs money needs a budget (it is refused when it may cost more), a cap (only
    whole blocks that fit in it are made) or confirmed=True. reuse: copy identical takes that an
    older run of this user bought. executor: where clips are rendered and measured. None means a
    process pool, or this process when it is a worker of another pool. allow_other_takes: add the
    takes even if the folder holds takes of another sweep. control: lets another thread pause,
    resume or stop the run.

    Raises SweepError, BackendError, MoneyError or RunFolderError before anything is bought,
    BusyError when another runner holds the folder, and Interrupted on Ctrl-C or a stop.
    """
    sweep = _with_limits(sweep, backend=backend, budget_usd=budget_usd, cap_usd=cap_usd)
    priced = plan(sweep, out, reuse=reuse)
    priced.check()
    if priced.needs_confirmation and not confirmed:
        raise _unconfirmed(priced)
    sweep = priced.sweep
    folder = RunFolder(out)
    with closing(open_backend(sweep.backend)) as opened_backend:
        if priced.takes > priced.done or priced.stills:
            opened_backend.prepare()
        origin, simulated = opened_backend.origin, opened_backend.capabilities.simulated
    folder.make()
    folder.check_space(priced.bytes)
    with (
        folder.lock(),
        Ledger.write(folder.ledger) as ledger,
        _purchase_index(simulated=simulated) as index,
    ):
        sweep = with_earlier_chosen_stills(sweep, folder, ledger.takes())
        check_same_sweep(sweep, folder, ledger, origin, allow_other_takes=allow_other_takes)
        sweep = _with_registered_elements(sweep, ledger, quiet=quiet, control=control)
        session = _Session(
            folder,
            ledger,
            origin=origin,
            index=index,
            reuse=reuse,
            executor=executor,
            quiet=quiet,
            control=control or Control(),
        )
        if sweep.created_stills:
            return _make_stills_then_clips(sweep, session)
        return session.make(sweep, sweep.takes(), _PROGRESS_LABEL[sweep.makes])


@dataclass(frozen=True)
class _Session:
    """What every runner of one `run` call shares.

    index: the purchase index; None for a backend whose takes are free.
    """

    folder: RunFolder
    ledger: Ledger
    origin: str
    index: PurchaseIndex | None
    reuse: bool
    executor: Executor | None
    quiet: bool
    control: Control

    def make(
        self, sweep: Sweep, pairs: Sequence[tuple[Trial, Take]], progress_label: str
    ) -> RunOutcome:
        """Make these takes of a sweep. Raises AccountError when none could be submitted."""
        # Each runner gets its own backend and closes it, which ends pending requests.
        with closing(open_backend(sweep.backend)) as opened_backend:
            quotes = {take.id: opened_backend.quote(trial.shot) for trial, take in pairs}
            self._add_to_ledger(sweep, pairs, quotes)
            with Runner(
                opened_backend,
                self.folder,
                self.ledger,
                cap_usd=sweep.cap_usd,
                index=self.index,
                reuse=self.reuse,
                executor=self.executor,
                quiet=self.quiet,
                control=self.control,
            ) as runner:
                final_state, reused = runner.run(quotes, label=progress_label)
            if final_state.account_error is not None:
                raise final_state.account_error
            return RunOutcome(
                folder=self.folder.path,
                takes=len(quotes),
                scored=final_state.scored,
                reused=reused,
                money=self.ledger.money(),
                problems=tuple(final_state.problems()),
                remarks=tuple(final_state.remarks()),
                stop_reason=final_state.unsent_reason,
            )

    def _add_to_ledger(
        self, sweep: Sweep, pairs: Sequence[tuple[Trial, Take]], quotes: Mapping[str, Quote]
    ) -> None:
        """Add takes to the ledger and copies of their stills to the folder."""
        shots = [trial.shot for trial, _ in pairs]
        stills = dict.fromkeys(still for shot in shots for still in (shot.still, shot.end_still))
        copies = {
            still.sha256: self.folder.copy_still(still) for still in stills if still is not None
        }
        first_position = len(self.ledger.states())
        rows = [
            TakeRow(
                take_id=take.id,
                position=position,
                trial=trial.index,
                repeat=take.repeat,
                factors=trial.factors,
                take=take.relocated(lambda still: copies[still.sha256]),
                low_usd=quotes[take.id].low_usd,
                high_usd=quotes[take.id].high_usd,
            )
            for position, (trial, take) in enumerate(pairs, first_position)
        ]
        self.ledger.add(rows, snapshots_of_lost_takes(self.ledger, self.folder, rows))
        for row in self.ledger.takes():
            row.take.relocated(self.folder.locate)  # raises for a path outside the folder
        self.ledger.set_fact("sweep", sweep.to_json())
        self.ledger.set_fact("provenance", {**provenance(), "origin": self.origin})
        self.ledger.set_fact("origin", self.origin)
        if self.ledger.fact("run_id") is None:
            self.ledger.set_fact("run_id", secrets.token_hex(6))


def _make_stills_then_clips(sweep: Sweep, session: _Session) -> RunOutcome:
    """Make stills from text, choose one picture for each still, then make the clips from them."""
    stills = session.make(sweep, sweep.still_takes(), _PROGRESS_LABEL["still"])
    sweep, chosen, missing = choose_stills(sweep, session.folder, session.ledger.takes())
    ready = [pair for pair in sweep.takes() if pair[0].shot.still not in sweep.placeholders]
    clips = session.make(sweep, ready, _PROGRESS_LABEL["clip"])
    return replace(
        clips,
        takes=len(sweep.takes()),
        reused=stills.reused + clips.reused,
        problems=(*stills.problems, *missing.values(), *clips.problems),
        stop_reason="; ".join(filter(None, (stills.stop_reason, clips.stop_reason))),
        chosen=tuple(chosen),
    )


def _with_limits(
    sweep: Sweep | str | Path,
    *,
    backend: str | None,
    budget_usd: float | None,
    cap_usd: float | None,
) -> Sweep:
    """The sweep with the given backend, budget and cap. None keeps the sweep's own."""
    if not isinstance(sweep, Sweep):
        return Sweep.load(sweep, backend=backend, budget_usd=budget_usd, cap_usd=cap_usd)
    return replace(
        sweep,
        backend=backend or sweep.backend,
        budget_usd=sweep.budget_usd if budget_usd is None else budget_usd,
        cap_usd=sweep.cap_usd if cap_usd is None else cap_usd,
    )


def _unconfirmed(priced: Plan) -> MoneyError:
    """The error for a plan that costs money and was not confirmed."""
    if priced.sweep.unregistered_elements:
        return MoneyError(
            f"this plan needs confirmation: {priced.confirmation}; pass confirmed=True or --yes"
        )
    return MoneyError(
        f"this plan may cost {usd_text(priced.low_usd, priced.high_usd)}; set a budget or a "
        "cap (budget_usd, cap_usd; on the command line --budget, --cap), or confirm it "
        "(confirmed=True, --yes)"
    )


def _purchase_index(*, simulated: bool) -> AbstractContextManager[PurchaseIndex | None]:
    return nullcontext() if simulated else PurchaseIndex.open()


def _with_registered_elements(
    sweep: Sweep, ledger: Ledger, *, quiet: bool, control: Control | None
) -> Sweep:
    """The sweep with the service's id of each element that has pictures, registered if need be.

    The ledger stores the ids. Stored ids never change, because takes contain them.
    """
    if not sweep.pictured_elements:
        return sweep
    stored = ledger.fact("elements") or {}
    missing = [element for element in sweep.pictured_elements if element.content not in stored]
    if missing:
        with closing(open_backend(sweep.backend)) as backend:
            rows = ensure_registered(missing, backend, quiet=quiet, control=control)
        stored |= {
            element.content: {"name": element.name, "id": row.id}
            for element, row in zip(missing, rows, strict=True)
        }
        ledger.set_fact("elements", stored)
    return sweep.with_element_ids({content: entry["id"] for content, entry in stored.items()})
