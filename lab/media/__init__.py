"""Read and write images and video clips; no other room opens their bytes.

Pixels are RGB uint8 arrays of shape (height, width, 3). Inside this room, time is pts x time base.
Public times are seconds, counted from the clip's first frame.
"""

from lab.media.colours import srgb_light
from lab.media.decode import Frame, frames
from lab.media.encode import write_clip
from lab.media.images import DecodedImage, open_image, write_image
from lab.media.probe import ClipFacts, probe
from lab.media.proxy import data_uri, poster_jpeg, write_proxy
from lab.media.sheet import contact_sheet

__all__ = [
    "ClipFacts",
    "DecodedImage",
    "Frame",
    "contact_sheet",
    "data_uri",
    "frames",
    "open_image",
    "poster_jpeg",
    "probe",
    "srgb_light",
    "write_clip",
    "write_image",
    "write_proxy",
]
