"""Where the camera is in every frame, and what that does to a layer at some depth."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.render.motion import Motion

# The farthest a move may go in one clip, in the units of CameraRates; long clips approach it.
_FARTHEST = {
    "pan": 0.2,
    "tilt": 0.2,
    "roll": 20.0,
    "zoom": 0.6,
    "dolly": 0.4,
    "truck": 0.2,
    "crane": 0.25,
}
# Frequencies in Hz of a hand that holds a camera, and how much of the sway each carries.
_SWAY_HZ = np.array([0.23, 0.51, 0.87, 1.43])
_SWAY_SHARE = np.array([0.6, 0.5, 0.4, 0.25])


@dataclass(frozen=True)
class CameraPose:
    """Where the camera is, relative to the first frame, in the units of `CameraRates` x seconds.

    pan, truck in frame widths; tilt, crane in frame heights; roll in degrees; zoom a natural
    logarithm; dolly a share of the distance to the subject.
    """

    pan: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    zoom: float = 0.0
    dolly: float = 0.0
    truck: float = 0.0
    crane: float = 0.0

    def layer_matrix(self, width_px: int, height_px: int, nearness: float) -> NDArray[np.float64]:
        """The (3, 3) map from a layer's place in the first frame to its place in this one.

        nearness: the subject's distance divided by the layer's; 1 for the subject, 0 at infinity.
        Pixels, origin at the top left corner.
        """
        scale = math.exp(self.zoom) / (1 - self.dolly * nearness)
        angle = math.radians(-self.roll)
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        shift_x = -(self.pan + self.truck * nearness) * width_px
        shift_y = (self.tilt + self.crane * nearness) * height_px
        cx, cy = (width_px - 1) / 2, (height_px - 1) / 2
        turn = np.array([[cos, -sin, cx], [sin, cos, cy], [0, 0, 1]])
        place = np.array([[1, 0, shift_x - cx], [0, 1, shift_y - cy], [0, 0, 1]])
        matrix: NDArray[np.float64] = turn @ place
        return matrix


def camera_path(motion: Motion, *, frames: int, fps: float, seed: int) -> tuple[CameraPose, ...]:
    """One pose a frame; the first is always at rest. The seed only matters for handheld sway."""
    length_s = max(frames - 1, 1) / fps
    asked_s = motion.pace.amplitude * length_s
    reach = {
        name: farthest * math.tanh(getattr(motion.rates, name) * asked_s / farthest)
        for name, farthest in _FARTHEST.items()
    }
    sway = _sway(motion.rates.shake * motion.pace.amplitude, frames, fps, seed)
    path = []
    for index in range(frames):
        done = _eased(index / max(frames - 1, 1), motion.pace.easing)
        pose = {name: amount * done for name, amount in reach.items()}
        pose["pan"] += sway[index, 0]
        pose["tilt"] += sway[index, 1]
        pose["roll"] += math.degrees(sway[index, 2])
        path.append(CameraPose(**pose))
    return tuple(path)


def _eased(share: float, easing: str) -> float:
    if easing == "linear":
        return share
    if easing == "rush":
        return 1 - (1 - share) ** 2
    return share * share * (3 - 2 * share)


def _sway(amplitude: float, frames: int, fps: float, seed: int) -> NDArray[np.float64]:
    """(frames, 3) smooth sway of pan, tilt, roll, at rest in the first frame."""
    time_s = np.arange(frames)[:, None, None] / fps
    phase = np.random.default_rng([seed, 1]).uniform(0, 2 * math.pi, (1, 3, len(_SWAY_HZ)))
    waves = np.sin(2 * math.pi * _SWAY_HZ * time_s + phase) - np.sin(phase)
    axes = np.array([0.7, 1.0, 0.5])
    sway: NDArray[np.float64] = amplitude * axes * (waves * _SWAY_SHARE).sum(axis=2)
    return sway
