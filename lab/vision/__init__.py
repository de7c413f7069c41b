"""Seeing: masks, tracks and features, optical flow, the camera's motion, pinned weights."""

from lab.vision.borders import Borders, find_borders
from lab.vision.camera import FOLLOWS_PX, apply_affine, fit_affine, fit_similarity, grid
from lab.vision.embedding import embed, feature_map
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
from lab.vision.local_correlation import local_correlation, structure_agreement
from lab.vision.region_track import LIKENESS_WINDOW_PX, Placement, RegionTrack
from lab.vision.robust import biweight, robust_bound
from lab.vision.subject import SubjectMask, subject_mask
from lab.vision.weights import WEIGHTS, Weight, weight_path

__all__ = [
    "FOLLOWS_PX",
    "LIKENESS_WINDOW_PX",
    "WEIGHTS",
    "Borders",
    "FlowPair",
    "Keypoints",
    "Placement",
    "RegionTrack",
    "SubjectMask",
    "Weight",
    "apply_affine",
    "backward_warp",
    "biweight",
    "consistent",
    "dense_flow",
    "embed",
    "enlarged",
    "feature_map",
    "find_borders",
    "find_keypoints",
    "fit_affine",
    "fit_similarity",
    "flow_both_ways",
    "gradients",
    "grid",
    "least_eigenvalue",
    "length",
    "local_correlation",
    "masked_mean",
    "robust_bound",
    "similarity",
    "structure_agreement",
    "subject_mask",
    "weight_path",
]
