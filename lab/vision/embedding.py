"""Features of the subject: one vector, or a map of them."""

import threading
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.vision.mobilenet import SIDE_PX
from lab.vision.weights import weight_path

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_GREY = 128
_MARGIN = 0.05
_one_at_a_time = threading.Lock()  # a network keeps its input and buffers in itself


def embed(rgb: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """The identity of the masked subject: a unit vector, (1280,) float32, all entries >= 0.

    rgb: (height, width, 3) uint8; alpha: (height, width) float32 in 0..1. The dot product of two of
    them is 1 for the same subject, about 0.98 after a change of light, place or compression, and
    about 0.5 for an unrelated one; thresholds belong to the caller, against benign edits of its own
    subject. The features that MobileNetV2 (Sandler et al., CVPR 2018) averages over the box around
    alpha > 0.5, the ground in it grey. `benchmarks/embeddings.py` is why it is this network.
    Raises WeightsError when its weights cannot be had, ValueError when alpha is nowhere above 0.5.
    """
    embedding, _ = _forward(_cut_out(rgb, alpha))
    vector: NDArray[np.float32] = embedding[0] / np.linalg.norm(embedding[0])
    return vector


def feature_map(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What MobileNetV2's last block sees in a picture, cell by cell.

    rgb: (h, w, 3) uint8. Returns (320, h / 32, w / 32) float32, rounded up, a unit vector in each
    cell. Raises WeightsError when the network's weights cannot be had.
    """
    _, features = _forward(rgb)
    cells = features[0]
    unit: NDArray[np.float32] = cells / np.maximum(
        np.linalg.norm(cells, axis=0, keepdims=True), 1e-6
    )
    return unit


def _forward(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both outputs of the network: the embedding and the features."""
    net = _network(weight_path("mobilenetv2"))
    pixels = (rgb.astype(np.float32) / 255 - _MEAN) / _STD
    with _one_at_a_time:
        net.setInput(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]))
        # OpenCV 5 wants every output of the file to be asked for.
        embedding, features = net.forward(["embedding", "features"])
        return embedding.copy(), features.copy()


@cache
def _network(path: Path) -> cv2.dnn.Net:
    return cv2.dnn.readNetFromONNX(str(path))


def _cut_out(rgb: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The subject before grey, (224, 224, 3) uint8."""
    box = _box(alpha)
    side = (SIDE_PX, SIDE_PX)
    share = cv2.resize(alpha[box], side, interpolation=cv2.INTER_AREA)[..., None]
    pixels = cv2.resize(rgb[box], side, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.rint(_GREY + share * (pixels - _GREY)).astype(np.uint8)


def _box(alpha: NDArray[np.float32]) -> tuple[slice, slice]:
    """Rows and columns of the subject, with a margin of a twentieth of its size."""
    inside: NDArray[np.bool_] = alpha > 0.5
    if not inside.any():
        raise ValueError("no subject to embed: alpha is nowhere above 0.5")
    return _span(inside, axis=1), _span(inside, axis=0)


def _span(inside: NDArray[np.bool_], axis: int) -> slice:
    places = np.flatnonzero(inside.any(axis=axis))
    first, end = int(places[0]), int(places[-1]) + 1
    margin = round((end - first) * _MARGIN)
    return slice(max(first - margin, 0), end + margin)
