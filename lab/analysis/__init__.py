"""Loads runs into tables, ranks and summarises takes, draws figures and suggests the next sweep."""

from lab.analysis.advice import Advice, suggest_next
from lab.analysis.comparing import Comparison, compare
from lab.analysis.compliance import Compliance, Outcome, by_term, clip_compliance, compliance
from lab.analysis.figures import by_factor, metric_against_motion, timelines
from lab.analysis.loading import load
from lab.analysis.matched_motion import MotionLine
from lab.analysis.parts import parts
from lab.analysis.ranking import RankedTake, Ranking, best_and_worst, describe_levels
from lab.analysis.results import LoadedRun, Results
from lab.analysis.shot_verdict import ShotVerdict, judge_shot
from lab.analysis.suggestion import Suggestion

__all__ = [
    "Advice",
    "Comparison",
    "Compliance",
    "LoadedRun",
    "MotionLine",
    "Outcome",
    "RankedTake",
    "Ranking",
    "Results",
    "ShotVerdict",
    "Suggestion",
    "best_and_worst",
    "by_factor",
    "by_term",
    "clip_compliance",
    "compare",
    "compliance",
    "describe_levels",
    "judge_shot",
    "load",
    "metric_against_motion",
    "parts",
    "suggest_next",
    "timelines",
]
