"""The only room that opens image or video bytes.

Pixels are RGB uint8 arrays of shape (height, width, 3). Time is pts x time base inside; seconds
appear only at the edge, counted from the clip's first frame.
"""

from lab.media.decode import Frame, frames
from lab.media.encode import write_clip
from lab.media.images import OpenedImage, open_image, write_image
from lab.media.probe import ClipFacts, probe
from lab.media.proxy import data_uri, poster_jpeg, write_proxy
from lab.media.sheet import contact_sheet

__all__ = [
    "ClipFacts",
    "Frame",
    "OpenedImage",
    "contact_sheet",
    "data_uri",
    "frames",
    "open_image",
    "poster_jpeg",
    "probe",
    "write_clip",
    "write_image",
    "write_proxy",
]
