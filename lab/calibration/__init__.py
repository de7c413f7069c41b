"""Every metric against clips with known defects, and the validity card that comes of it."""

from lab.calibration.calibrate import calibrate
from lab.calibration.card import Card, load_card
from lab.calibration.defects import DEFECTS, Defect
from lab.calibration.figures import detection_curves
from lab.calibration.nuisances import NUISANCES, Nuisance
from lab.calibration.probes import spoil

__all__ = [
    "DEFECTS",
    "NUISANCES",
    "Card",
    "Defect",
    "Nuisance",
    "calibrate",
    "detection_curves",
    "load_card",
    "spoil",
]
