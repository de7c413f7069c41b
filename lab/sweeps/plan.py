"""What a sweep will cost in money, time and disk, and what stands against it; before it runs."""

import html
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from lab.backends import Backend, Unsupported, open_backend, unsupported
from lab.errors import BackendError, MoneyError
from lab.findings import Finding
from lab.prompts import lint
from lab.stills import preflight
from lab.sweeps.sweep import Sweep, Trial
from lab.units import bytes_text, seconds_text, usd_text


@dataclass(frozen=True)
class Plan:
    """The price of a sweep.

    takes: all of them; done: those that an earlier run already has, which cost nothing again.
    Money, seconds and bytes are for the rest. unsupported: what the backend cannot or will not do,
    with the number of trials concerned. findings: remarks by still and prompt.
    """

    sweep: Sweep
    trials: int
    takes: int
    done: int
    low_usd: float
    high_usd: float
    seconds: float
    bytes: int
    simulated: bool
    unsupported: tuple[tuple[Unsupported, int], ...]
    findings: tuple[tuple[str, Finding], ...]

    def check(self) -> None:
        """Raise BackendError where the backend cannot make a shot, MoneyError over budget."""
        blocking = [str(item) for item, _ in self.unsupported if item.blocking]
        if blocking:
            raise BackendError(f"backend {self.sweep.backend}: {'; '.join(blocking)}")
        budget = self.sweep.budget_usd
        if budget is not None and self.high_usd > budget:
            raise MoneyError(
                f"the plan may cost {usd_text(self.high_usd)} and the budget is {usd_text(budget)};"
                " raise the budget or drop levels or repeats"
            )

    def lines(self) -> list[tuple[str, str]]:
        """The plan as (label, text) pairs for people."""
        varied = ", ".join(f"{name} ({len(self.sweep.levels[name])})" for name in self.sweep.varied)
        budget = self.sweep.budget_usd
        lines = [
            ("sweep", self.sweep.name),
            ("question", self.sweep.question),
            ("backend", self.sweep.backend + (" (simulated clips)" if self.simulated else "")),
            ("varied", varied or "nothing"),
            ("takes", f"{self.trials} trials x {self.sweep.repeats} = {self.takes}"),
            ("already done", f"{self.done} of {self.takes}" if self.done else ""),
            ("price", usd_text(self.low_usd, self.high_usd)),
            ("budget", "" if budget is None else usd_text(budget)),
            ("time", f"about {seconds_text(self.seconds)} of work"),
            ("disk", f"about {bytes_text(self.bytes)}"),
        ]
        for item, count in self.unsupported:
            label = "cannot" if item.blocking else "ignored"
            lines.append((label, f"{item} ({count} of {self.trials} trials)"))
        lines += [(finding.severity, f"{what}: {finding.says}") for what, finding in self.findings]
        return [(label, text) for label, text in lines if text]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "sweep": self.sweep.name,
            "backend": self.sweep.backend,
            "trials": self.trials,
            "repeats": self.sweep.repeats,
            "takes": self.takes,
            "done": self.done,
            "low_usd": self.low_usd,
            "high_usd": self.high_usd,
            "budget_usd": self.sweep.budget_usd,
            "seconds": round(self.seconds, 1),
            "bytes": self.bytes,
            "simulated": self.simulated,
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
        return "\n".join(f"{label:>13}  {text}" for label, text in self.lines())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for label, text in self.lines()
        )
        return f"<table>{rows}</table>"


def plan(sweep: Sweep, *, done: Set[str] = frozenset()) -> Plan:
    """Price a sweep. `done` holds the ids of takes that need not be made again."""
    backend = open_backend(sweep.backend)
    try:
        trials = sweep.trials()
        wanted = [(trial, take) for trial, take in sweep.takes() if take.id not in done]
        quotes = {trial.index: backend.quote(trial.shot) for trial in trials}
        costs = [quotes[trial.index] for trial, _ in wanted]
        return Plan(
            sweep=sweep,
            trials=len(trials),
            takes=len(trials) * sweep.repeats,
            done=len(trials) * sweep.repeats - len(wanted),
            low_usd=sum(quote.low_usd for quote in costs),
            high_usd=sum(quote.high_usd for quote in costs),
            seconds=sum(quote.seconds for quote in costs),
            bytes=sum(quote.bytes for quote in costs),
            simulated=backend.capabilities.simulated,
            unsupported=_counted(backend, trials),
            findings=_findings(trials),
        )
    finally:
        backend.close()


def _counted(backend: Backend, trials: tuple[Trial, ...]) -> tuple[tuple[Unsupported, int], ...]:
    counts: dict[Unsupported, int] = {}
    for trial in trials:
        for item in unsupported(backend, trial.shot):
            counts[item] = counts.get(item, 0) + 1
    return tuple(sorted(counts.items(), key=lambda pair: not pair[0].blocking))


def _findings(trials: tuple[Trial, ...]) -> tuple[tuple[str, Finding], ...]:
    """Each remark once, however many trials it concerns."""
    found: dict[tuple[str, Finding], None] = {}
    for trial in trials:
        shot = trial.shot
        about_still = preflight(
            shot.still,
            aspect_ratio=shot.settings.aspect_ratio,
            resolution=shot.settings.resolution,
        )
        for finding in about_still:
            found[f"still {shot.still.name}", finding] = None
        for finding in lint(shot.prompt):
            found[f"prompt {shot.prompt.label!r}", finding] = None
    return tuple(found)
