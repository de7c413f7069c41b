"""The report's sections, in page order. A section is one file and one line here."""

from collections.abc import Callable

from lab.report.blocks import Section
from lab.report.sections.asked import asked
from lab.report.sections.camera import camera
from lab.report.sections.created import created
from lab.report.sections.definitions import definitions
from lab.report.sections.factors import factors
from lab.report.sections.findings import findings
from lab.report.sections.history import history
from lab.report.sections.player import player
from lab.report.sections.provenance import provenance
from lab.report.sections.scores import scores
from lab.report.sections.timelines import timelines
from lab.report.sections.trials import trials
from lab.report.sections.unmade import unmade
from lab.report.sections.validity import validity
from lab.report.sections.verdicts import verdicts
from lab.report.source import Source

SECTIONS: tuple[Callable[[Source], Section | None], ...] = (
    asked,
    verdicts,
    trials,
    player,
    scores,
    factors,
    camera,
    timelines,
    created,
    unmade,
    findings,
    definitions,
    validity,
    provenance,
    history,
)

HELD: tuple[Callable[[Source], Section | None], ...] = (
    asked,
    verdicts,
    trials,
    scores,
    factors,
    camera,
    created,
    provenance,
)
"""The sections that say what came of takes: `lab verify` draws them again from the facts."""

__all__ = ["HELD", "SECTIONS"]
