"""Compute the camera's pose in each frame, and the transform of a layer at a given depth."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.render.motion import Motion

# Limit of each move within one clip, in the units of CameraPose. Long moves approach their limit
# smoothly, so that the subject stays in the frame.
_MAX_TRAVEL = {
    "pan": 0.2,
    "tilt": 0.2,
    "roll": 20.0,
    "zoom": 0.6,
    "dolly": 0.4,
    "truck": 0.2,
    "crane": 0.25,
}
# Frequencies of handheld sway in Hz, and the relative amplitude of each.
_SWAY_HZ = np.array([0.23, 0.51, 0.87, 1.43])
_SWAY_WEIGHT = np.array([0.6, 0.5, 0.4, 0.25])


@dataclass(frozen=True)
class CameraPose:
    """The camera's pose relative to the first frame.

    pan, truck: frame widths. tilt, crane: frame heights. roll: degrees. zoom: natural logarithm of
    the magnification. dolly: fraction of the distance to the subject.
    """

    pan: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    zoom: float = 0.0
    dolly: float = 0.0
    truck: float = 0.0
    crane: float = 0.0

    def layer_transform(
        self, width_px: int, height_px: int, inverse_depth: float
    ) -> NDArray[np.float64]:
        """The (3, 3) transform of a layer from the first frame to this one, in pixels.

        inverse_depth: the subject's distance divided by the layer's: 1 for the subject, 0 at
        infinity. The origin is the top left corner.
        """
        scale = math.exp(self.zoom) / (1 - self.dolly * inverse_depth)
        angle = math.radians(-self.roll)
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        shift_x = -(self.pan + self.truck * inverse_depth) * width_px
        shift_y = (self.tilt + self.crane * inverse_depth) * height_px
        cx, cy = (width_px - 1) / 2, (height_px - 1) / 2
        rotation = np.array([[cos, -sin, cx], [sin, cos, cy], [0, 0, 1]])
        translation = np.array([[1, 0, shift_x - cx], [0, 1, shift_y - cy], [0, 0, 1]])
        matrix: NDArray[np.float64] = rotation @ translation
        return matrix


def camera_path(motion: Motion, *, frames: int, fps: float, seed: int) -> tuple[CameraPose, ...]:
    """One pose per frame; the first is the identity. The seed affects handheld sway only."""
    length_s = max(frames - 1, 1) / fps
    scaled_s = motion.pace.amplitude * length_s
    travel = {
        name: limit * math.tanh(getattr(motion.rates, name) * scaled_s / limit)
        for name, limit in _MAX_TRAVEL.items()
    }
    sway = _sway(motion.rates.shake * motion.pace.amplitude, frames, fps, seed)
    path = []
    for index in range(frames):
        progress = _ease(index / max(frames - 1, 1), motion.pace.easing)
        pose = {name: amount * progress for name, amount in travel.items()}
        pose["pan"] += sway[index, 0]
        pose["tilt"] += sway[index, 1]
        pose["roll"] += math.degrees(sway[index, 2])
        path.append(CameraPose(**pose))
    return tuple(path)


def _ease(progress: float, easing: str) -> float:
    if easing == "linear":
        return progress
    if easing == "rush":
        return 1 - (1 - progress) ** 2
    return progress * progress * (3 - 2 * progress)


def _sway(amplitude: float, frames: int, fps: float, seed: int) -> NDArray[np.float64]:
    """Smooth sway of pan, tilt and roll, (frames, 3), zero in the first frame."""
    time_s = np.arange(frames)[:, None, None] / fps
    phase = np.random.default_rng([seed, 1]).uniform(0, 2 * math.pi, (1, 3, len(_SWAY_HZ)))
    waves = np.sin(2 * math.pi * _SWAY_HZ * time_s + phase) - np.sin(phase)
    axis_amplitudes = np.array([0.7, 1.0, 0.5])
    sway: NDArray[np.float64] = amplitude * axis_amplitudes * (waves * _SWAY_WEIGHT).sum(axis=2)
    return sway
