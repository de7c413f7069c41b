"""Seeing: the subject's mask and identity, optical flow, the camera's motion, pinned weights."""

from lab.vision.camera import apply_affine, fit_affine, fit_similarity, grid
from lab.vision.embedding import embed
from lab.vision.flow import (
    FlowPair,
    backward_warp,
    consistent,
    dense_flow,
    enlarged,
    flow_both_ways,
    length,
    masked_mean,
)
from lab.vision.gradients import gradients, least_eigenvalue
from lab.vision.keypoints import Keypoints, find_keypoints, similarity
from lab.vision.robust import biweight, robust_bound
from lab.vision.subject import SubjectMask, subject_mask
from lab.vision.weights import WEIGHTS, Weight, weight_path

__all__ = [
    "WEIGHTS",
    "FlowPair",
    "Keypoints",
    "SubjectMask",
    "Weight",
    "apply_affine",
    "backward_warp",
    "biweight",
    "consistent",
    "dense_flow",
    "embed",
    "enlarged",
    "find_keypoints",
    "fit_affine",
    "fit_similarity",
    "flow_both_ways",
    "gradients",
    "grid",
    "least_eigenvalue",
    "length",
    "masked_mean",
    "robust_bound",
    "similarity",
    "subject_mask",
    "weight_path",
]
