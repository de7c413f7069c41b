"""Tidy tables from a run, one per grain, and pictures of them."""

from lab.analysis.figures import by_factor, timelines
from lab.analysis.results import Results, load
from lab.analysis.verdicts import Verdict, best_and_worst

__all__ = ["Results", "Verdict", "best_and_worst", "by_factor", "load", "timelines"]
