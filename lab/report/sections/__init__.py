"""The sections of a report in page order. Each is one module and one entry of SECTIONS."""

from collections.abc import Callable

from lab.report.blocks import Section
from lab.report.context import ReportContext
from lab.report.sections.camera import camera
from lab.report.sections.created_stills import created_stills
from lab.report.sections.definitions import definitions
from lab.report.sections.factors import factors
from lab.report.sections.findings import findings
from lab.report.sections.ledger_events import ledger_events
from lab.report.sections.missing_clips import missing_clips
from lab.report.sections.overview import overview
from lab.report.sections.player import player
from lab.report.sections.provenance import provenance
from lab.report.sections.ranking import ranking
from lab.report.sections.scores import scores
from lab.report.sections.timelines import timelines
from lab.report.sections.trials import trials
from lab.report.sections.validity import validity

SECTIONS: tuple[Callable[[ReportContext], Section | None], ...] = (
    overview,
    ranking,
    trials,
    player,
    scores,
    factors,
    camera,
    timelines,
    created_stills,
    missing_clips,
    findings,
    definitions,
    validity,
    provenance,
    ledger_events,
)

VERIFIED_SECTIONS: tuple[Callable[[ReportContext], Section | None], ...] = (
    overview,
    ranking,
    trials,
    scores,
    factors,
    camera,
    created_stills,
    provenance,
)
"""Sections with values that come from the takes. `lab verify` builds them again from the facts."""

__all__ = ["SECTIONS", "VERIFIED_SECTIONS"]
