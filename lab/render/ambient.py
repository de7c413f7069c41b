"""Animate single parts of the scene: clouds, ripples, leaves, cloth, hair and steam.

Each kind except steam is a displacement field on one layer of the canvas. It is smooth in space and
time, and zero in the first frame. Steam is a translucent overlay without optical flow.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.prompts.vocabulary import Ambient
from lab.render.scene import Scene

_COARSE = 8  # fields are smooth, so they are computed at an eighth of the resolution
_SUBJECT_KINDS = ("cloth", "hair")
# Amplitude and wavelength as fractions of the frame height, frequency in Hz.
_WAVES: dict[Ambient, tuple[float, float, float]] = {
    "ripple": (0.004, 0.10, 0.9),
    "cloth": (0.006, 0.35, 0.6),
    "hair": (0.006, 0.22, 0.7),
    "leaves": (0.005, 0.18, 0.5),
}
_CLOUD_SPEED = 0.012  # frame heights per second
_STEAM_SPEED = 0.10  # frame heights per second
_STEAM_DENSITY = 0.7  # opacity where noise and plume are 1


@dataclass(frozen=True, eq=False)
class AmbientField:
    """The ambient motion of a scene as a function of time."""

    scene: Scene
    kinds: tuple[Ambient, ...]
    seed: int

    def displaces(self, layer: str) -> bool:
        """True when any kind displaces this layer, "subject" or "background"."""
        return any(self._layer(kind) == layer for kind in self.kinds if kind != "steam")

    def displacement(self, layer: str, time_s: float) -> NDArray[np.float32]:
        """The displacement d of a layer in pixels, (canvas h, canvas w, 2) float32.

        The displaced layer shows at p what the layer has at p + d.
        """
        height, width = self.scene.background.shape[:2]
        total = np.zeros((*self._coarse_size, 2), np.float32)
        for kind_index, kind in enumerate(self.kinds):
            if kind == "steam" or self._layer(kind) != layer:
                continue
            weight = self._weights[kind]
            if kind == "clouds":
                total[..., 0] -= weight * (_CLOUD_SPEED * self.scene.height_px * time_s)
            else:
                total += weight[..., None] * self._wave(kind, time_s, kind_index)
        return cv2.resize(total, (width, height), interpolation=cv2.INTER_LINEAR)

    def add_steam(
        self, rgb: NDArray[np.uint8], matrix: NDArray[np.float64], time_s: float
    ) -> NDArray[np.uint8]:
        """Overlay steam on a frame. matrix: 3 x 3 transform of the subject layer."""
        if "steam" not in self.kinds:
            return rgb
        height, width = rgb.shape[:2]
        rise = _STEAM_SPEED * self.scene.height_px * time_s / _COARSE
        small = (-(-width // _COARSE), -(-height // _COARSE))
        drift = np.array([[1, 0, 0.15 * rise], [0, 1, rise]], np.float32)
        noise = cv2.warpAffine(
            self._noise,
            drift,
            small,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_WRAP,
        )
        shrink = np.diag([1 / _COARSE, 1 / _COARSE, 1])
        coarse_matrix = (shrink @ matrix @ np.linalg.inv(shrink))[:2]
        plume = cv2.warpAffine(self._plume, coarse_matrix, small, flags=cv2.INTER_LINEAR)
        # Fade in over the first second, because the still has no steam.
        density = _STEAM_DENSITY * min(1.0, time_s) * noise * plume
        opacity = cv2.resize(density, (width, height), interpolation=cv2.INTER_CUBIC)
        alpha = cv2.merge([np.clip(opacity * 255, 0, 255).astype(np.uint8)] * 3)
        light = cv2.multiply(255 - rgb, alpha, scale=1 / 255)
        lightened: NDArray[np.uint8] = cv2.add(rgb, light)
        return lightened

    @staticmethod
    def _layer(kind: Ambient) -> str:
        return "subject" if kind in _SUBJECT_KINDS else "background"

    @cached_property
    def _coarse_size(self) -> tuple[int, int]:
        height, width = self.scene.background.shape[:2]
        return -(-height // _COARSE), -(-width // _COARSE)

    @cached_property
    def _weights(self) -> dict[Ambient, NDArray[np.float32]]:
        """Spatial weight of each kind, (coarse h, coarse w) in 0..1."""
        height, width = self._coarse_size
        y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
        alpha = cv2.resize(
            self.scene.subject[..., 3].astype(np.float32) / 255,
            (width, height),
            interpolation=cv2.INTER_AREA,
        )
        inside = cv2.GaussianBlur(alpha, (0, 0), 2)
        rim = np.clip(4 * inside * (1 - inside), 0, 1)
        rows = np.nonzero(alpha.max(axis=1) > 0.5)[0]
        top, bottom = (rows[0] / height, rows[-1] / height) if rows.size else (0.2, 0.8)
        # 0 at the subject's top, 1 at its bottom
        subject_y = np.clip((y - top) / max(bottom - top, 0.05), 0, 1)
        everywhere = np.ones_like(alpha)
        return {
            "ripple": everywhere * np.clip((y - 0.4) * 4, 0, 1),
            "leaves": everywhere,
            "clouds": everywhere * np.clip((0.65 - y) * 4, 0, 1),
            "cloth": inside * np.clip((subject_y - 0.3) * 3, 0, 1),
            "hair": np.maximum(rim, 0.3 * inside) * np.clip((0.6 - subject_y) * 3, 0, 1),
        }

    def _wave(self, kind: Ambient, time_s: float, kind_index: int) -> NDArray[np.float32]:
        amplitude, wavelength, hertz = _WAVES[kind]
        unit = self.scene.height_px / _COARSE
        height, width = self._coarse_size
        y, x = np.mgrid[:height, :width].astype(np.float32) / (wavelength * unit) * 2 * math.pi
        phase = np.random.default_rng([self.seed, 2, kind_index]).uniform(0, 2 * math.pi, 4)
        temporal_phase = 2 * math.pi * hertz * time_s
        # Subtract the wave at time zero, so that the first frame has no displacement.
        wave_x = np.sin(x + 0.6 * y + phase[0] - temporal_phase) - np.sin(x + 0.6 * y + phase[0])
        wave_y = np.sin(0.7 * y - 0.4 * x + phase[1] - 1.3 * temporal_phase) - np.sin(
            0.7 * y - 0.4 * x + phase[1]
        )
        scale = amplitude * self.scene.height_px / math.sqrt(2)
        return (np.stack([wave_x, wave_y], axis=-1) * scale).astype(np.float32)

    @cached_property
    def _noise(self) -> NDArray[np.float32]:
        """A periodic noise texture in 0..1."""
        size = (
            max(32, self.scene.height_px // _COARSE * 2),
            max(32, self.scene.width_px // _COARSE),
        )
        white = np.random.default_rng([self.seed, 3]).standard_normal(size).astype(np.float32)
        total = np.zeros(size, np.float32)
        for weight, spread in ((1.0, size[1] / 14), (0.6, size[1] / 32)):
            tiled = np.tile(white, (3, 3))
            smooth = cv2.GaussianBlur(tiled, (0, 0), sigmaX=spread * 0.6, sigmaY=spread * 1.4)
            smooth = smooth[size[0] : 2 * size[0], size[1] : 2 * size[1]]
            total += weight * smooth / smooth.std()
        return np.clip(0.5 + 0.45 * total, 0, 1).astype(np.float32)

    @cached_property
    def _plume(self) -> NDArray[np.float32]:
        """The shape of the steam in 0..1: a column that widens above the subject's middle.

        In coordinates of the first frame.
        """
        scene = self.scene
        height, width = -(-scene.height_px // _COARSE), -(-scene.width_px // _COARSE)
        alpha = scene.subject[
            scene.frame_top : scene.frame_top + scene.height_px,
            scene.frame_left : scene.frame_left + scene.width_px,
            3,
        ]
        alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)
        rows, columns = np.nonzero(alpha > 127)
        if rows.size:
            root_y = float(np.percentile(rows, 45))
            root_x = float(columns[rows < root_y + 1].mean())
        else:
            root_x, root_y = width / 2, height / 2
        y, x = np.mgrid[:height, :width].astype(np.float32)
        above = np.clip((root_y - y) / height, 0, None)
        spread = (0.08 + 0.25 * above) * height
        column = np.exp(-(((x - root_x) / spread) ** 2))
        fade = np.clip((root_y + 0.06 * height - y) / (0.12 * height), 0, 1) * np.exp(-above / 0.35)
        return (column * fade).astype(np.float32)
