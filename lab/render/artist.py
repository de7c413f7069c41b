"""Draw the frames."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.media.prefetch import prefetch
from lab.render.ambient import AmbientField
from lab.render.camera import CameraPose, camera_path
from lab.render.defects import Defects
from lab.render.motion import Motion
from lab.render.scene import GROUND_NEARNESS, SUBJECT_NEARNESS, Scene, composite
from lab.vision import grid

_NEARNESS = {"ground": GROUND_NEARNESS, "subject": SUBJECT_NEARNESS}


@dataclass(frozen=True, eq=False)
class RenderedFrame:
    """One frame and the truth about it.

    rgb: (height, width, 3) uint8, defects included. camera: the true pose. `flow()` is the true
    motion of the surfaces to the next frame, before defects; steam has none.
    """

    index: int
    rgb: NDArray[np.uint8]
    camera: CameraPose
    subject_alpha: NDArray[np.uint8]
    _artist: "_Artist"

    def flow(self) -> NDArray[np.float32]:
        """(height, width, 2) float32: the surface at (x, y) is at (x, y) + flow in the next frame.

        Computed when asked for. Raises IndexError for the last frame, which has no next one.
        """
        return self._artist.flow(self.index, self.subject_alpha)


def render(
    scene: Scene,
    motion: Motion,
    *,
    frames: int,
    fps: float,
    seed: int = 0,
    defects: Defects | None = None,
) -> Iterator[RenderedFrame]:
    """Draw a clip frame by frame; the first frame is the still. Same arguments, same pixels."""
    artist = _Artist(scene, motion, frames, fps, seed)
    # Drawing the next frame and spoiling this one take about as long; they overlap.
    with closing(prefetch(artist.draw(index) for index in range(frames))) as drawn:
        for index, (rgb, alpha) in enumerate(drawn):
            if defects is not None:
                rgb = defects.applied(rgb, alpha, index=index, frames=frames, fps=fps, seed=seed)
            yield RenderedFrame(index, rgb, artist.path[index], alpha, artist)


class _Artist:
    """Knows where every layer is at every moment."""

    def __init__(self, scene: Scene, motion: Motion, frames: int, fps: float, seed: int) -> None:
        self.scene = scene
        self.fps = fps
        self.path = camera_path(motion, frames=frames, fps=fps, seed=seed)
        self.ambient = AmbientField(scene, motion.ambient, seed)

    def draw(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Pixels of a frame, and the subject's alpha in it."""
        ground = self._layer(self.scene.ground, "ground", index)
        subject = self._layer(self.scene.subject, "subject", index)
        rgb = composite(ground, subject)
        matrix = self._pose_matrix("subject", index)
        return self.ambient.veil(rgb, matrix, index / self.fps), subject[..., 3]

    def flow(self, index: int, subject_alpha: NDArray[np.uint8]) -> NDArray[np.float32]:
        if index + 1 >= len(self.path):
            raise IndexError("the last frame has no next frame")
        ground, subject = (self._layer_flow(layer, index) for layer in ("ground", "subject"))
        return np.where((subject_alpha > 127)[..., None], subject, ground)

    def _pose_matrix(self, layer: str, index: int) -> NDArray[np.float64]:
        scene = self.scene
        return self.path[index].layer_matrix(scene.width_px, scene.height_px, _NEARNESS[layer])

    def _canvas_matrix(self, layer: str, index: int) -> NDArray[np.float64]:
        """(3, 3) from canvas to frame."""
        shift = np.eye(3)
        shift[:2, 2] = -self.scene.frame_left, -self.scene.frame_top
        matrix: NDArray[np.float64] = self._pose_matrix(layer, index) @ shift
        return matrix

    def _layer(self, canvas: NDArray[np.uint8], layer: str, index: int) -> NDArray[np.uint8]:
        matrix = self._canvas_matrix(layer, index)
        size = (self.scene.width_px, self.scene.height_px)
        if not self.ambient.moves(layer):
            placed: NDArray[np.uint8] = cv2.warpAffine(
                canvas, matrix[:2], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
            )
            return placed
        where = self._canvas_points(matrix)
        moved = where + self._sampled(layer, where, index)
        shown: NDArray[np.uint8] = cv2.remap(
            canvas, moved, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        return shown

    def _canvas_points(self, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
        """Where each frame pixel lies on the canvas, (height, width, 2) float32."""
        back = np.linalg.inv(matrix).astype(np.float32)
        points = grid(self.scene.height_px, self.scene.width_px)
        return points @ back[:2, :2].T + back[:2, 2]

    def _sampled(self, layer: str, where: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """Ambient displacement at canvas points, at a frame's moment."""
        field = self.ambient.displacement(layer, index / self.fps)
        found: NDArray[np.float32] = cv2.remap(
            field, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        return found

    def _layer_flow(self, layer: str, index: int) -> NDArray[np.float32]:
        here, there = (self._canvas_matrix(layer, step) for step in (index, index + 1))
        place = self._canvas_points(here)
        if self.ambient.moves(layer):
            # The surface point seen here, then the canvas place that shows it one frame later.
            point = place + self._sampled(layer, place, index)
            place = point
            for _ in range(3):
                place = point - self._sampled(layer, place, index + 1)
        forward = there.astype(np.float32)
        landed = place @ forward[:2, :2].T + forward[:2, 2]
        return (landed - grid(self.scene.height_px, self.scene.width_px)).astype(np.float32)
