"""The input images: opening them, framing them, and checking them before anything is paid."""

from lab.stills.framing import Crop, crop_to_ratio, framing
from lab.stills.needs import Needs
from lab.stills.preflight import preflight
from lab.stills.still import Still

__all__ = ["Crop", "Needs", "Still", "crop_to_ratio", "framing", "preflight"]
