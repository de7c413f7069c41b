"""The deterministic artist: a still and a camera move become frames whose motion is known.

Feeds the offline backend, calibration and tests. Two layers at two depths, the subject before the
ground, are moved by one camera; what the subject uncovers is filled in. No model, no randomness
beyond the seed.
"""

from lab.render.artist import RenderedFrame, render
from lab.render.camera import CameraPose, camera_path
from lab.render.defects import Defects
from lab.render.motion import Motion
from lab.render.scene import GROUND_NEARNESS, SUBJECT_NEARNESS, Scene

__all__ = [
    "GROUND_NEARNESS",
    "SUBJECT_NEARNESS",
    "CameraPose",
    "Defects",
    "Motion",
    "RenderedFrame",
    "Scene",
    "camera_path",
    "render",
]
