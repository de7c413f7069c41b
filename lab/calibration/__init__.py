"""Metrics against clips with known defects, camera moves against their signatures."""

from lab.calibration.calibrate import calibrate
from lab.calibration.card import Card, load_card
from lab.calibration.defects import DEFECTS, Defect
from lab.calibration.figures import confusion, detection_curves
from lab.calibration.moves import Moves, calibrate_moves, load_moves
from lab.calibration.nuisances import NUISANCES, Nuisance
from lab.calibration.probes import spoil
from lab.calibration.tried import in_words

__all__ = [
    "DEFECTS",
    "NUISANCES",
    "Card",
    "Defect",
    "Moves",
    "Nuisance",
    "calibrate",
    "calibrate_moves",
    "confusion",
    "detection_curves",
    "in_words",
    "load_card",
    "load_moves",
    "spoil",
]
