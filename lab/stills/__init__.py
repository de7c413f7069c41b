"""The input images: opening them, framing them, and checking them before anything is paid."""

from lab.stills.framing import Crop, crop_to_ratio
from lab.stills.preflight import preflight
from lab.stills.still import Still

__all__ = ["Crop", "Still", "crop_to_ratio", "preflight"]
