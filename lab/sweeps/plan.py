"""Prices a sweep before it runs: money, time, disk, and what its backend cannot do."""

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
from lab.sweeps.findings import shot_findings
from lab.sweeps.sweep import Sweep, Trial, block_of
from lab.units import bytes_text, escape_html, escape_line, seconds_text, usd_text

_ROUNDING_USD = 1e-6  # tolerance for rounding errors in sums of prices


@dataclass(frozen=True)
class Plan:
    """The price of a sweep.

    origin: the service or host that makes the takes. takes: the number of takes of the sweep; done:
    the number already in the run folder; reused: the number that an earlier run bought. Money,
    seconds, bytes and blocks cover the remaining takes only. A block is one repeat of a still's
    variants; blocks_in_cap: the number of blocks that fit in the cap at the high price. basis: the
    source of the prices. quotes: one per trial. unsupported: pairs of a setting that the backend
    rejects or ignores and the number of trials that use it. findings: pairs of a subject and a
    finding about it. stills: the number of pictures to make from text first. element_usd: the price
    of registering one element, None when it is not documented.
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
        """Raise BackendError for a shot that cannot be made, MoneyError over budget or cap."""
        blocking = [str(item) for item, _ in self.unsupported if item.blocking]
        if blocking:
            raise BackendError(f"backend {self.sweep.backend}: {'; '.join(blocking)}")
        budget, cap = self.sweep.budget_usd, self.sweep.cap_usd
        if budget is not None and self.high_usd > budget:
            raise MoneyError(
                f"the plan may cost {usd_text(self.high_usd)} and the budget is {usd_text(budget)};"
                " raise the budget, drop levels or repeats, or set a cap to make what fits in it"
            )
        # A run with results does not fail here: it reports the cap together with its results.
        started = self.done or self.reused or self.stills < len(self.sweep.still_takes())
        if cap is not None and self.blocks and not self.blocks_in_cap and not started:
            raise MoneyError(
                f"not one block fits in the cap of {usd_text(cap)}; the whole plan may cost "
                f"{usd_text(self.high_usd)} in {self.blocks} blocks; raise the cap or drop levels"
            )

    @property
    def needs_confirmation(self) -> bool:
        """True when the user must confirm the run.

        This is so when the sweep costs money without a budget or a cap, and when elements are
        registered at an undocumented price.
        """
        limited = self.sweep.budget_usd is not None or self.sweep.cap_usd is not None
        return self._unpriced or (self.high_usd > 0 and not limited)

    @property
    def confirmation(self) -> str:
        """What the user agrees to, as the beginning of a question."""
        price = usd_text(self.low_usd, self.high_usd)
        if not self._unpriced:
            return f"Spend {price}"
        listed = "; ".join(map(str, self.sweep.unregistered_elements))
        return f"Register elements ({listed}) at a price that is not documented, and spend {price}"

    @property
    def _unpriced(self) -> bool:
        return bool(self.sweep.unregistered_elements) and self.element_usd is None

    def lines(self) -> list[tuple[str, str]]:
        """The plan as pairs of a label and a text."""
        varied = ", ".join(f"{name} ({len(self.sweep.levels[name])})" for name in self.sweep.varied)
        budget, cap = self.sweep.budget_usd, self.sweep.cap_usd
        price = usd_text(self.low_usd, self.high_usd)
        lines = [
            ("sweep", self.sweep.name),
            ("question", self.sweep.question),
            ("backend", self._backend_text()),
            ("varied", varied or "nothing"),
            ("takes", f"{self.trials} trials x {self.sweep.repeats} = {self.takes}"),
            ("stills", self._stills_text()),
            ("already done", f"{self.done} of {self.takes}" if self.done else ""),
            ("reused", f"{self.reused} bought by an earlier run" if self.reused else ""),
            ("price", f"{price} ({self.basis})" if self.basis else price),
            ("elements", self._elements_text()),
            ("budget", "" if budget is None else usd_text(budget)),
            ("cap", "" if cap is None else f"{usd_text(cap)}: {self._cap_text()}"),
            ("time", f"about {seconds_text(self.seconds)} of work"),
            ("disk", f"about {bytes_text(self.bytes)}"),
        ]
        for item, count in self.unsupported:
            label = "cannot" if item.blocking else "differs"
            lines.append((label, f"{item} ({count} of {self.trials} trials)"))
        lines += [(finding.severity, f"{what}: {finding.says}") for what, finding in self.findings]
        return [(label, text) for label, text in lines if text]

    def _backend_text(self) -> str:
        if self.simulated:
            return f"{self.sweep.backend} (simulated clips)"
        if self.origin == self.sweep.backend:
            return self.sweep.backend
        return f"{self.sweep.backend} at {self.origin}"

    def _stills_text(self) -> str:
        if not self.stills:
            return ""
        listed = ", ".join(
            f"{still.name} (best of {still.best_of})" if still.best_of > 1 else still.name
            for still in self.sweep.created_stills
        )
        return f"{self.stills} to be made from text first: {listed}"

    def _elements_text(self) -> str:
        new = self.sweep.unregistered_elements
        known = len(self.sweep.pictured_elements) - len(new)
        parts = []
        if new:
            price = "price not documented" if self._unpriced else usd_text(self.element_usd or 0.0)
            listed = "; ".join(map(str, new))
            parts.append(f"{len(new)} to register ({listed}; {price})")
        parts += [f"{known} known already"] if known else []
        return ", ".join(parts)

    def _cap_text(self) -> str:
        if self.blocks_in_cap == self.blocks:
            return "everything fits"
        if self.done and not self.blocks_in_cap:
            return "reached; raise it to continue"
        counted = f"{self.blocks_in_cap} of {self.blocks} blocks fit"
        return f"{counted} (a block is one repeat of a still's variants)"

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
            "elements_to_register": [element.name for element in self.sweep.unregistered_elements],
            "element_usd": self.element_usd,
            "unsupported": [
                {
                    "setting": item.setting,
                    "value": item.value,
                    "says": item.reason,
                    "blocking": item.blocking,
                    "trials": count,
                }
                for item, count in self.unsupported
            ],
            "findings": [{"about": about, **finding.to_json()} for about, finding in self.findings],
        }

    def __str__(self) -> str:
        return "\n".join(f"{label:>13}  {escape_line(text)}" for label, text in self.lines())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape_html(label)}</th>"
            f"<td style='text-align:left'>{escape_html(text)}</td></tr>"
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

    done: ids of takes in the run folder. reused: ids of takes that an earlier run bought.
    spent_usd: what the run folder has cost so far; it counts against the cap.
    """
    backend = open_backend(sweep.backend)
    try:
        trials = sweep.trials()
        paid = done | reused
        takes = sweep.takes()
        remaining = [(trial, take) for trial, take in takes if take.id not in paid]
        quotes = {trial.index: backend.quote(trial.shot) for trial in trials}
        picture_quotes = [
            backend.quote(trial.shot) for trial, take in sweep.still_takes() if take.id not in paid
        ]
        costs = [*picture_quotes, *(quotes[trial.index] for trial, _ in remaining)]
        blocks: dict[tuple[int, str], float] = {}
        for trial, take in remaining:
            block = block_of(take)
            blocks[block] = blocks.get(block, 0.0) + quotes[trial.index].high_usd
        cap = math.inf if sweep.cap_usd is None else sweep.cap_usd
        before_usd = spent_usd + sum(quote.high_usd for quote in picture_quotes)
        after_block_usd = list(accumulate(blocks.values(), initial=before_usd))[1:]
        done_count = sum(take.id in done for _, take in takes)
        capabilities = backend.capabilities
        registration_usd = (capabilities.element_usd or 0.0) * len(sweep.unregistered_elements)
        concurrency = min(capabilities.concurrency, len(remaining))
        parallel = 1 if capabilities.renders_locally else max(1, concurrency)
        return Plan(
            sweep=sweep,
            origin=backend.origin,
            trials=len(trials),
            takes=len(takes),
            done=done_count,
            reused=len(takes) - len(remaining) - done_count,
            blocks=len(blocks),
            blocks_in_cap=sum(usd <= cap + _ROUNDING_USD for usd in after_block_usd),
            low_usd=sum(quote.low_usd for quote in costs) + registration_usd,
            high_usd=sum(quote.high_usd for quote in costs) + registration_usd,
            seconds=sum(quote.seconds for quote in costs) / parallel,
            bytes=sum(quote.bytes for quote in costs),
            quotes=tuple(quotes[trial.index] for trial in trials),
            basis="; ".join(dict.fromkeys(quote.basis for quote in costs if quote.basis)),
            simulated=capabilities.simulated,
            unsupported=(
                *_unsupported(backend, trials, sweep.unregistered_elements),
                *_unsupported_for_stills(backend, sweep),
            ),
            findings=shot_findings(
                _without_placeholder(trial.shot, sweep.placeholders) for trial in trials
            ),
            stills=len(picture_quotes),
            element_usd=capabilities.element_usd,
        )
    finally:
        backend.close()


def _unsupported_for_stills(backend: Backend, sweep: Sweep) -> Iterator[tuple[Unsupported, int]]:
    """Each unsupported setting of a created still, with the number of trials that use the still."""
    for still in sweep.created_stills:
        trials = sum(trial.factors["still"] == still.name for trial in sweep.trials())
        for item in unsupported(backend, still.shot):
            yield replace(item, setting=f"still {still.name}: {item.setting}"), trials


def _without_placeholder(shot: Shot, placeholders: Collection[Still]) -> Shot:
    """The shot; without its still if that is a placeholder, which preflight cannot check."""
    return replace(shot, still=None) if shot.still in placeholders else shot


def _unsupported_element(backend: Backend, element: Element) -> tuple[Unsupported, ...]:
    """Why the backend cannot register an element; empty if it can."""
    if backend.capabilities.registers_elements:
        return element_library(backend).limits(element)
    reason = "this backend cannot register elements from pictures; give an id"
    return (Unsupported(f"elements.{element.name}", "pictures", reason, blocking=True),)


def _unsupported(
    backend: Backend, trials: tuple[Trial, ...], new_elements: tuple[Element, ...]
) -> tuple[tuple[Unsupported, int], ...]:
    """Each unsupported setting with the number of trials that use it, blocking ones first."""
    counts: dict[Unsupported, int] = {}
    for trial in trials:
        for item in unsupported(backend, trial.shot):
            counts[item] = counts.get(item, 0) + 1
    for element in new_elements:
        citing = sum(any(name == element.name for name, _ in one.shot.elements) for one in trials)
        counts |= dict.fromkeys(_unsupported_element(backend, element), citing)
    return tuple(sorted(counts.items(), key=lambda pair: not pair[0].blocking))
