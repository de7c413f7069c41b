"""Render a clip frame by frame, with the true optical flow between the frames."""

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
from lab.render.scene import BACKGROUND_INVERSE_DEPTH, SUBJECT_INVERSE_DEPTH, Scene, composite
from lab.vision import grid

_INVERSE_DEPTH = {"background": BACKGROUND_INVERSE_DEPTH, "subject": SUBJECT_INVERSE_DEPTH}


@dataclass(frozen=True, eq=False)
class RenderedFrame:
    """One frame and its ground truth.

    rgb: (height, width, 3) uint8, defects included. camera: the true pose. subject_alpha: (height,
    width) uint8. `flow()` is the true motion of the surfaces to the next frame, without defects
    and without steam.
    """

    index: int
    rgb: NDArray[np.uint8]
    camera: CameraPose
    subject_alpha: NDArray[np.uint8]
    _renderer: "_Renderer"

    def flow(self) -> NDArray[np.float32]:
        """Compute the optical flow to the next frame: (height, width, 2) float32, in pixels.

        The surface at (x, y) is at (x, y) + flow in the next frame. Raises IndexError for the last
        frame.
        """
        return self._renderer.flow(self.index, self.subject_alpha)


def render(
    scene: Scene,
    motion: Motion,
    *,
    frames: int,
    fps: float,
    seed: int = 0,
    defects: Defects | None = None,
) -> Iterator[RenderedFrame]:
    """Render a clip frame by frame, beginning with the still.

    The same arguments give the same pixels.
    """
    renderer = _Renderer(scene, motion, frames, fps, seed)
    # Drawing and applying defects take about the same time, so a second thread draws ahead.
    with closing(prefetch(renderer.draw(index) for index in range(frames))) as clean:
        for index, (rgb, alpha) in enumerate(clean):
            if defects is not None:
                rgb = defects.apply(rgb, alpha, index=index, frames=frames, fps=fps, seed=seed)
            yield RenderedFrame(index, rgb, renderer.path[index], alpha, renderer)


class _Renderer:
    """Draws the layers at their positions in each frame."""

    def __init__(self, scene: Scene, motion: Motion, frames: int, fps: float, seed: int) -> None:
        self.scene = scene
        self.fps = fps
        self.path = camera_path(motion, frames=frames, fps=fps, seed=seed)
        self.ambient = AmbientField(scene, motion.ambient, seed)

    def draw(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Draw a clean frame; return its pixels and the subject's alpha."""
        background = self._layer(self.scene.background, "background", index)
        subject = self._layer(self.scene.subject, "subject", index)
        rgb = composite(background, subject)
        matrix = self._pose_transform("subject", index)
        return self.ambient.add_steam(rgb, matrix, index / self.fps), subject[..., 3]

    def flow(self, index: int, subject_alpha: NDArray[np.uint8]) -> NDArray[np.float32]:
        if index + 1 >= len(self.path):
            raise IndexError("the last frame has no next frame")
        background, subject = (
            self._layer_flow(layer, index) for layer in ("background", "subject")
        )
        return np.where((subject_alpha > 127)[..., None], subject, background)

    def _pose_transform(self, layer: str, index: int) -> NDArray[np.float64]:
        scene = self.scene
        return self.path[index].layer_transform(
            scene.width_px, scene.height_px, _INVERSE_DEPTH[layer]
        )

    def _canvas_transform(self, layer: str, index: int) -> NDArray[np.float64]:
        """The (3, 3) transform from canvas to frame coordinates."""
        shift = np.eye(3)
        shift[:2, 2] = -self.scene.frame_left, -self.scene.frame_top
        matrix: NDArray[np.float64] = self._pose_transform(layer, index) @ shift
        return matrix

    def _layer(self, canvas: NDArray[np.uint8], layer: str, index: int) -> NDArray[np.uint8]:
        matrix = self._canvas_transform(layer, index)
        size = (self.scene.width_px, self.scene.height_px)
        if not self.ambient.displaces(layer):
            warped: NDArray[np.uint8] = cv2.warpAffine(
                canvas, matrix[:2], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
            )
            return warped
        points = self._canvas_points(matrix)
        displaced = points + self._ambient_displacement(layer, points, index)
        remapped: NDArray[np.uint8] = cv2.remap(
            canvas, displaced, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        return remapped

    def _canvas_points(self, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
        """Canvas coordinates of each frame pixel, (height, width, 2) float32."""
        inverse = np.linalg.inv(matrix).astype(np.float32)
        points = grid(self.scene.height_px, self.scene.width_px)
        return points @ inverse[:2, :2].T + inverse[:2, 2]

    def _ambient_displacement(
        self, layer: str, points: NDArray[np.float32], index: int
    ) -> NDArray[np.float32]:
        """Ambient displacement at canvas points, at the time of a frame."""
        field = self.ambient.displacement(layer, index / self.fps)
        sampled: NDArray[np.float32] = cv2.remap(
            field, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        return sampled

    def _layer_flow(self, layer: str, index: int) -> NDArray[np.float32]:
        current, next_ = (self._canvas_transform(layer, n) for n in (index, index + 1))
        points = self._canvas_points(current)
        if self.ambient.displaces(layer):
            # `surface` = p + d(p): the point of the undisplaced layer that each pixel shows. The
            # next frame shows it at the canvas point q with q + d_next(q) = surface. A fixed-point
            # iteration finds q.
            surface = points + self._ambient_displacement(layer, points, index)
            points = surface
            for _ in range(3):
                points = surface - self._ambient_displacement(layer, points, index + 1)
        forward = next_.astype(np.float32)
        targets = points @ forward[:2, :2].T + forward[:2, 2]
        return (targets - grid(self.scene.height_px, self.scene.width_px)).astype(np.float32)
