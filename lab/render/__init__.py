"""Render a still and a camera move into frames with known motion.

The offline backend, calibration and the tests use it. One camera moves two layers at two depths:
the subject, and the background with the subject's area inpainted. There is no model, and no
randomness beyond the seed.
"""

from lab.render.camera import CameraPose, camera_path
from lab.render.defects import Defects
from lab.render.motion import Motion
from lab.render.renderer import RenderedFrame, render
from lab.render.scene import BACKGROUND_INVERSE_DEPTH, SUBJECT_INVERSE_DEPTH, Scene

__all__ = [
    "BACKGROUND_INVERSE_DEPTH",
    "SUBJECT_INVERSE_DEPTH",
    "CameraPose",
    "Defects",
    "Motion",
    "RenderedFrame",
    "Scene",
    "camera_path",
    "render",
]
