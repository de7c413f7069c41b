"""Tests metrics on clips with known defects and on rendered camera moves."""

from lab.calibration.agreement import (
    RatedMaterial,
    describe_agreement,
    load_agreement,
)
from lab.calibration.calibrate import calibrate
from lab.calibration.card import Card, load_card
from lab.calibration.coverage import describe_coverage
from lab.calibration.defects import DEFECTS, Defect
from lab.calibration.figures import confusion, detection_curves
from lab.calibration.known_moves import KnownMoves, load_known_moves
from lab.calibration.moves import Moves, calibrate_moves, load_moves
from lab.calibration.nuisances import NUISANCES, Nuisance
from lab.calibration.probes import inject_defect

__all__ = [
    "DEFECTS",
    "NUISANCES",
    "Card",
    "Defect",
    "KnownMoves",
    "Moves",
    "Nuisance",
    "RatedMaterial",
    "calibrate",
    "calibrate_moves",
    "confusion",
    "describe_agreement",
    "describe_coverage",
    "detection_curves",
    "inject_defect",
    "load_agreement",
    "load_card",
    "load_known_moves",
    "load_moves",
]
