"""Seeing: the subject's mask, optical flow, the camera's motion, and the pinned weights."""

from lab.vision.camera import apply_affine, fit_affine, grid
from lab.vision.flow import backward_warp, consistent, dense_flow, length, masked_mean
from lab.vision.subject import SubjectMask, subject_mask
from lab.vision.weights import WEIGHTS, Weight, weight_path

__all__ = [
    "WEIGHTS",
    "SubjectMask",
    "Weight",
    "apply_affine",
    "backward_warp",
    "consistent",
    "dense_flow",
    "fit_affine",
    "grid",
    "length",
    "masked_mean",
    "subject_mask",
    "weight_path",
]
