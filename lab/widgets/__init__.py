"""Panels for notebooks: forms over public calls, tables of takes, and the player."""

from lab.widgets.player import Player
from lab.widgets.prompt_panel import PromptPanel
from lab.widgets.results_panel import ResultsPanel
from lab.widgets.still_panel import StillPanel
from lab.widgets.sweep_panel import SweepPanel

__all__ = ["Player", "PromptPanel", "ResultsPanel", "StillPanel", "SweepPanel"]
