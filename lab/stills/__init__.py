"""The input images: opening them, framing them, and checking them before anything is paid."""

from lab.stills.checks import Check
from lab.stills.duplicates import near_duplicates
from lab.stills.fit import fit
from lab.stills.framing import Crop, crop_to_ratio, framing
from lab.stills.needs import Needs
from lab.stills.preflight import Preflight, preflight, room_findings
from lab.stills.still import Still, StillJson

__all__ = [
    "Check",
    "Crop",
    "Needs",
    "Preflight",
    "Still",
    "StillJson",
    "crop_to_ratio",
    "fit",
    "framing",
    "near_duplicates",
    "preflight",
    "room_findings",
]
