"""Tidy tables from a run, one per grain, and pictures of them."""

from lab.analysis.figures import by_factor, motion_against, timelines
from lab.analysis.matched import MotionLine
from lab.analysis.parts import parts
from lab.analysis.results import Results, load
from lab.analysis.verdicts import Ranking, Verdict, best_and_worst

__all__ = [
    "MotionLine",
    "Ranking",
    "Results",
    "Verdict",
    "best_and_worst",
    "by_factor",
    "load",
    "motion_against",
    "parts",
    "timelines",
]
