"""What a sweep will cost in money, time and disk, and what stands against it; before it runs."""

import math
from collections.abc import Collection, Iterator, Set
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from lab.backends import (
    Backend,
    Quote,
    Unsupported,
    element_library,
    open_backend,
    unsupported,
)
from lab.elements import Element
from lab.errors import BackendError, MoneyError
from lab.findings import Finding
from lab.shots import Shot
from lab.stills import Still
from lab.sweeps.remarks import remarks
from lab.sweeps.sweep import Sweep, Trial, block_of
from lab.units import bytes_text, html_text, seconds_text, usd_text, visible_line


@dataclass(frozen=True)
class Plan:
    """The price of a sweep.

    origin: whose takes they will be. takes: all of them; done: those that this run folder already
    has, reused: those that an older run bought; neither costs anything again. Money, seconds and
    bytes are for the rest. blocks: of the rest, all variants of a still in one repeat each;
    blocks_in_cap: how many fit in the sweep's cap even at the high price. quotes: by trial.
    unsupported: what the backend cannot or will not do, with the number of trials concerned.
    findings: remarks by still and prompt. element_usd: what registering one element costs, None
    where that is not documented; those to register are the sweep's `unregistered`.
    """

    sweep: Sweep
    origin: str
    trials: int
    takes: int
    done: int
    reused: int
    blocks: int
    blocks_in_cap: int
    low_usd: float
    high_usd: float
    seconds: float
    bytes: int
    basis: str
    quotes: tuple[Quote, ...]
    simulated: bool
    unsupported: tuple[tuple[Unsupported, int], ...]
    findings: tuple[tuple[str, Finding], ...]
    stills: int = 0
    element_usd: float | None = 0.0

    def check(self) -> None:
        """Raise BackendError where the backend cannot make a shot, MoneyError over budget."""
        blocking = [str(item) for item, _ in self.unsupported if item.blocking]
        if blocking:
            raise BackendError(f"backend {self.sweep.backend}: {'; '.join(blocking)}")
        budget, cap = self.sweep.budget_usd, self.sweep.cap_usd
        if budget is not None and self.high_usd > budget:
            raise MoneyError(
                f"the plan may cost {usd_text(self.high_usd)} and the budget is {usd_text(budget)};"
                " raise the budget, drop levels or repeats, or set a cap to make what fits"
            )
        # A run that has something and ended at its cap is told so by the run, with its results.
        begun = self.done or self.reused or self.stills < len(self.sweep.creations())
        if cap is not None and self.blocks and not self.blocks_in_cap and not begun:
            raise MoneyError(
                f"not one block fits in the cap of {usd_text(cap)}; the whole plan may cost "
                f"{usd_text(self.high_usd)} in {self.blocks} blocks; raise the cap or drop levels"
            )

    @property
    def asks(self) -> bool:
        """True when somebody has to agree: it may cost money and neither budget nor cap says how
        much is all right, or it registers elements at a price that nobody knows."""
        limited = self.sweep.budget_usd is not None or self.sweep.cap_usd is not None
        return self._unpriced or (self.high_usd > 0 and not limited)

    @property
    def question(self) -> str:
        """What somebody has to agree to."""
        spend = f"pend {usd_text(self.low_usd, self.high_usd)}"
        if not self._unpriced:
            return f"S{spend}"
        named = "; ".join(map(str, self.sweep.unregistered))
        return f"Register elements ({named}) at a price that is not documented, and s{spend}"

    @property
    def _unpriced(self) -> bool:
        return bool(self.sweep.unregistered) and self.element_usd is None

    def lines(self) -> list[tuple[str, str]]:
        """The plan as (label, text) pairs for people."""
        varied = ", ".join(f"{name} ({len(self.sweep.levels[name])})" for name in self.sweep.varied)
        budget, cap = self.sweep.budget_usd, self.sweep.cap_usd
        price = usd_text(self.low_usd, self.high_usd)
        lines = [
            ("sweep", self.sweep.name),
            ("question", self.sweep.question),
            ("backend", self._backend()),
            ("varied", varied or "nothing"),
            ("takes", f"{self.trials} trials x {self.sweep.repeats} = {self.takes}"),
            ("stills", self._stills()),
            ("already done", f"{self.done} of {self.takes}" if self.done else ""),
            ("reused", f"{self.reused} bought by an earlier run" if self.reused else ""),
            ("price", f"{price} ({self.basis})" if self.basis else price),
            ("elements", self._elements()),
            ("budget", "" if budget is None else usd_text(budget)),
            ("cap", "" if cap is None else f"{usd_text(cap)}: {self._capped()}"),
            ("time", f"about {seconds_text(self.seconds)} of work"),
            ("disk", f"about {bytes_text(self.bytes)}"),
        ]
        for item, count in self.unsupported:
            label = "cannot" if item.blocking else "differs"
            lines.append((label, f"{item} ({count} of {self.trials} trials)"))
        lines += [(finding.severity, f"{what}: {finding.says}") for what, finding in self.findings]
        return [(label, text) for label, text in lines if text]

    def _backend(self) -> str:
        if self.simulated:
            return f"{self.sweep.backend} (simulated clips)"
        here = "" if self.origin == self.sweep.backend else f" at {self.origin}"
        return self.sweep.backend + here

    def _stills(self) -> str:
        if not self.stills:
            return ""
        listed = ", ".join(
            f"{still.name} (best of {still.best_of})" if still.best_of > 1 else still.name
            for still in self.sweep.created
        )
        return f"{self.stills} to be made from text first: {listed}"

    def _elements(self) -> str:
        new, all_of_them = self.sweep.unregistered, self.sweep.pictured
        known = len(all_of_them) - len(new)
        parts = []
        if new:
            price = "price not documented" if self._unpriced else usd_text(self.element_usd or 0.0)
            named = "; ".join(map(str, new))
            parts.append(f"{len(new)} to register ({named}; {price})")
        parts += [f"{known} known already"] if known else []
        return ", ".join(parts)

    def _capped(self) -> str:
        if self.blocks_in_cap == self.blocks:
            return "everything fits"
        if self.done and not self.blocks_in_cap:
            return "reached; raise it to go on"
        return f"{self.blocks_in_cap} of {self.blocks} blocks (a still's variants, once) surely fit"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "sweep": self.sweep.name,
            "backend": self.sweep.backend,
            "origin": self.origin,
            "trials": self.trials,
            "repeats": self.sweep.repeats,
            "takes": self.takes,
            "stills": self.stills,
            "done": self.done,
            "reused": self.reused,
            "blocks": self.blocks,
            "blocks_in_cap": self.blocks_in_cap,
            "low_usd": self.low_usd,
            "high_usd": self.high_usd,
            "price_basis": self.basis,
            "budget_usd": self.sweep.budget_usd,
            "cap_usd": self.sweep.cap_usd,
            "seconds": round(self.seconds, 1),
            "bytes": self.bytes,
            "simulated": self.simulated,
            "elements_to_register": [element.name for element in self.sweep.unregistered],
            "element_usd": self.element_usd,
            "unsupported": [
                {
                    "setting": item.setting,
                    "value": item.value,
                    "says": item.says,
                    "blocking": item.blocking,
                    "trials": count,
                }
                for item, count in self.unsupported
            ],
            "findings": [{"about": about, **finding.to_json()} for about, finding in self.findings],
        }

    def __str__(self) -> str:
        return "\n".join(f"{label:>13}  {visible_line(text)}" for label, text in self.lines())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html_text(label)}</th>"
            f"<td style='text-align:left'>{html_text(text)}</td></tr>"
            for label, text in self.lines()
        )
        return f'<table class="mathjax_ignore">{rows}</table>'


def plan(
    sweep: Sweep,
    *,
    done: Set[str] = frozenset(),
    reused: Set[str] = frozenset(),
    spent_usd: float = 0.0,
) -> Plan:
    """Price a sweep.

    done, reused: ids of takes that the run folder has, and that an older run bought. spent_usd:
    what the run folder has cost so far, which counts against the cap.
    """
    backend = open_backend(sweep.backend)
    try:
        trials = sweep.trials()
        free = done | reused
        takes = sweep.takes()
        wanted = [(trial, take) for trial, take in takes if take.id not in free]
        quotes = {trial.index: backend.quote(trial.shot) for trial in trials}
        pictures = [
            backend.quote(trial.shot) for trial, take in sweep.creations() if take.id not in free
        ]
        costs = [*pictures, *(quotes[trial.index] for trial, _ in wanted)]
        blocks: dict[tuple[int, str], float] = {}
        for trial, take in wanted:
            block = block_of(take)
            blocks[block] = blocks.get(block, 0.0) + quotes[trial.index].high_usd
        cap = math.inf if sweep.cap_usd is None else sweep.cap_usd
        first_usd = spent_usd + sum(quote.high_usd for quote in pictures)
        ends = accumulate(blocks.values(), initial=first_usd)
        found = sum(take.id in done for _, take in takes)
        can = backend.capabilities
        registering_usd = (can.element_usd or 0.0) * len(sweep.unregistered)
        at_once = 1 if can.renders_locally else max(1, min(can.concurrency, len(wanted)))
        return Plan(
            sweep=sweep,
            origin=backend.origin,
            trials=len(trials),
            takes=len(takes),
            done=found,
            reused=len(takes) - len(wanted) - found,
            blocks=len(blocks),
            blocks_in_cap=sum(end <= cap + 1e-6 for end in list(ends)[1:]),
            low_usd=sum(quote.low_usd for quote in costs) + registering_usd,
            high_usd=sum(quote.high_usd for quote in costs) + registering_usd,
            seconds=sum(quote.seconds for quote in costs) / at_once,
            bytes=sum(quote.bytes for quote in costs),
            quotes=tuple(quotes[trial.index] for trial in trials),
            basis="; ".join(dict.fromkeys(quote.basis for quote in costs if quote.basis)),
            simulated=can.simulated,
            unsupported=(
                *_counted(backend, trials, sweep.unregistered),
                *_of_creations(backend, sweep),
            ),
            findings=remarks(_with_pictures(trial.shot, sweep.stand_ins) for trial in trials),
            stills=len(pictures),
            element_usd=can.element_usd,
        )
    finally:
        backend.close()


def _of_creations(backend: Backend, sweep: Sweep) -> Iterator[tuple[Unsupported, int]]:
    """What stands against making the stills, with the number of trials that need each."""
    for still in sweep.created:
        trials = sum(trial.factors["still"] == still.name for trial in sweep.trials())
        for item in unsupported(backend, still.shot):
            yield replace(item, setting=f"still {still.name}: {item.setting}"), trials


def _with_pictures(shot: Shot, missing: Collection[Still]) -> Shot:
    """A shot without a still that is not made yet: there is nothing to look at."""
    return replace(shot, still=None) if shot.still in missing else shot


def _unregistrable(backend: Backend, element: Element) -> tuple[Unsupported, ...]:
    """Why an element cannot be registered."""
    if backend.capabilities.registers_elements:
        return element_library(backend).limits(element)
    says = "this backend makes no elements from pictures; give an id"
    return (Unsupported(f"elements.{element.name}", "pictures", says, blocking=True),)


def _counted(
    backend: Backend, trials: tuple[Trial, ...], new: tuple[Element, ...]
) -> tuple[tuple[Unsupported, int], ...]:
    counts: dict[Unsupported, int] = {}
    for trial in trials:
        for item in unsupported(backend, trial.shot):
            counts[item] = counts.get(item, 0) + 1
    for element in new:
        citing = sum(any(name == element.name for name, _ in one.shot.elements) for one in trials)
        counts |= dict.fromkeys(_unregistrable(backend, element), citing)
    return tuple(sorted(counts.items(), key=lambda pair: not pair[0].blocking))
