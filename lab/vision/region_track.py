"""Follows a region of the still, its subject or its ground, through a clip."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.vision.camera import fit_similarity
from lab.vision.flow import FlowPair, flow_both_ways
from lab.vision.keypoints import Keypoints, find_keypoints, similarity
from lab.vision.local_correlation import structure_agreement

Transform = NDArray[np.float64]

LIKENESS_WINDOW_PX = 21
_FOLLOWED = 0.85
"""Likeness from which a carried placement is taken without a search: moving subjects that do not
change are more alike, except in a turn."""
_EXACT = 0.97
"""Likeness from which a carried placement is not refined: a scale that lags a little costs more."""
_SURE = 0.6
"""Agreement of a placement that was searched: below it, the carried one is kept."""
_MIN_VISIBLE = 0.05
_FULLY_VISIBLE = 0.7
_MIN_FIT_PX = 60
_CORE_EROSION_PX = 9
_REFINEMENTS = 3
_LEAST_GAIN = 0.01  # of agreement; finer differences are left to the dense flow
_MIN_CORE = 0.3  # of the region's area
_FOLLOWED_SHARE = 0.5  # of the region, by the flow: less and its place is not known
_SEARCH_EVERY = 4  # changed frames: the search is slow, and a region that changed stays changed
_SEARCH_SCALES = (0.6, 0.75, 0.9, 1.0, 1.15, 1.4, 1.75)
_SEARCH_REDUCTION = 4
_MIN_TEMPLATE_PX = 12
_MIN_TEMPLATE_SIDE_PX = 5


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a region of the still is in a frame.

    still: luma of the still, (h, w) uint8. transform: (2, 3) similarity from the still's pixels to
    the frame's. registered: the frame on the still's pixels, (h, w, 3) uint8, with repeated edges.
    inside: (h, w) bool, the pixels of the still that are inside the frame. visible: the share of
    the region that is inside, 0..1. likeness: of the visible region's structure with the still's, 0
    (nothing in common) to 1. continuity: the least share of the region that the flow followed in
    any step since it was last like the still, 0..1.
    """

    still: NDArray[np.uint8]
    transform: Transform
    registered: NDArray[np.uint8]
    inside: NDArray[np.bool_]
    visible: float
    likeness: float
    continuity: float

    @property
    def followed(self) -> bool:
        """True where what is visible of the region is still like the still."""
        return self.likeness >= _FOLLOWED

    @property
    def agreement(self) -> float:
        """The likeness as evidence of the place, 0..1: a sliver at the edge is alike by chance."""
        return self.likeness * min(1.0, self.visible + 1 - _FULLY_VISIBLE)

    @property
    def confidence(self) -> float:
        """How surely this is the place of the region, whether it changed or not, 0..1."""
        return max(self.agreement, self.continuity) * min(1.0, self.visible / _FULLY_VISIBLE)

    @cached_property
    def residual(self) -> FlowPair:
        """Flow from the still to the registered frame: what the similarity does not explain."""
        registered = cv2.cvtColor(self.registered, cv2.COLOR_RGB2GRAY)
        return flow_both_ways(self.still, registered, far=False)


class RegionTrack:
    """Follows one region: `carry` it along each flow field, `locate` it in a frame.

    The transform of the last located frame is carried on by the flow within the region. Where the
    frame then agrees badly with the still, the region is searched: by keypoints of the region and
    of the whole picture, then by a template at several sizes. The best agreement wins. So a subject
    that leaves and returns is found again, and one that becomes another is followed by its motion.
    """

    def __init__(
        self,
        rgb: NDArray[np.uint8],
        region: NDArray[np.bool_],
        keypoints: Keypoints,
        *,
        whole: bool,
    ) -> None:
        """rgb: the still, (h, w, 3) uint8. region: its pixels, (h, w). keypoints: of the still.

        whole: whether the region is one thing, which a template can find; a ground is not.
        """
        self._rgb = rgb
        self._grey: NDArray[np.uint8] = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        self._region = region
        self._keypoints = keypoints
        self._whole = whole
        # The flow of the eroded mask has less of its surroundings in it; that of the whole mask has
        # more pixels. A ground is too large for that to matter.
        self._masks = (region, _core(region)) if whole else (region,)
        self._carried: tuple[Transform, ...] = ()
        self._changed_frames = 0
        self._continuity = 1.0  # the first frame is the still, or meant to be

    @property
    def transform(self) -> Transform | None:
        """The (2, 3) similarity from the still to the newest frame; None before the first one."""
        return self._carried[0] if self._carried else None

    def carry(self, flow: FlowPair) -> None:
        """Move the region along the flow from one frame to a later one."""
        moved = [
            _carried(transform, mask, flow)
            for transform, mask in zip(self._carried, self._masks, strict=False)
        ]
        self._carried = tuple(transform for transform, _ in moved)
        self._continuity = min((self._continuity, *(share for _, share in moved)))

    def locate(self, rgb: NDArray[np.uint8], *, search: bool = True) -> Placement:
        """Find the region in a frame (height, width, 3) uint8.

        Without search the carried placement is taken as it is, if there is one.
        """
        placed = None
        if self._carried:
            first, *others = self._carried
            placed = self._place(rgb, first)
            if not placed.followed:
                placed = self._best(rgb, others, placed)
        if placed is None or (search and not placed.followed):
            placed = self._searched(rgb, placed)
        elif search and placed.likeness < _EXACT:
            placed = self._refined(rgb, placed)
        self._carried = (placed.transform,) * len(self._masks)
        self._continuity = placed.continuity
        if placed.followed:
            self._changed_frames = 0
        return placed

    def _searched(self, rgb: NDArray[np.uint8], carried: Placement | None) -> Placement:
        """The carried placement, or a better one that is found in the frame."""
        lost = carried is None or (self._whole and self._continuity < _FOLLOWED_SHARE)
        due = self._changed_frames % _SEARCH_EVERY == 0
        self._changed_frames += 1
        if carried is None:
            carried = self._place(rgb, self._centred(rgb))
        if lost or due:
            carried = self._refined(rgb, carried)
        if carried.followed or not (lost or due):
            return carried
        by_keypoints = list(self._by_keypoints(rgb))
        # Keypoints of the whole picture find its ground, which a subject leaves.
        known = self._best(rgb, by_keypoints if lost else by_keypoints[:1], carried)
        best = self._best(rgb, by_keypoints, known)
        if best.agreement < _SURE and self._whole:
            best = self._best(rgb, self._by_template(rgb), best)
        # Of many places in a frame, one agrees a little by chance.
        found = best if best.agreement >= _SURE else known
        return carried if found is carried else self._refined(rgb, found)

    def _best(
        self, rgb: NDArray[np.uint8], transforms: Iterable[Transform], best: Placement
    ) -> Placement:
        """The placement with the best agreement."""
        for transform in transforms:
            placed = self._place(rgb, transform)
            if placed.agreement > best.agreement:
                best = placed
        return best

    def _place(self, rgb: NDArray[np.uint8], transform: Transform) -> Placement:
        height, width = self._grey.shape
        size = (width, height)
        registered: NDArray[np.uint8] = cv2.warpAffine(
            rgb,
            transform,
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        area = np.full(rgb.shape[:2], 255, np.uint8)
        nearest = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        inside: NDArray[np.bool_] = cv2.warpAffine(area, transform, size, flags=nearest) > 0
        seen = self._region & inside
        visible = float(seen.sum()) / max(int(self._region.sum()), 1)
        likeness = 0.0
        if visible >= _MIN_VISIBLE:
            grey = cv2.cvtColor(registered, cv2.COLOR_RGB2GRAY)
            likeness = structure_agreement(self._grey, grey, seen, window_px=LIKENESS_WINDOW_PX)
        continuity = 1.0 if likeness >= _FOLLOWED else self._continuity
        return Placement(self._grey, transform, registered, inside, visible, likeness, continuity)

    def _refined(self, rgb: NDArray[np.uint8], placed: Placement) -> Placement:
        """The placement moved by the similarity of its residual flow, while that agrees better."""
        for _ in range(_REFINEMENTS):
            flow = placed.residual
            valid = flow.forward_valid & self._region
            residual = fit_similarity(flow.forward, valid) if valid.sum() >= _MIN_FIT_PX else None
            if residual is None:
                break
            refined = self._place(rgb, _composed(placed.transform, _displaced(residual)))
            if refined.agreement <= placed.agreement + _LEAST_GAIN:
                break
            placed = refined
        return placed

    def _by_keypoints(self, rgb: NDArray[np.uint8]) -> Iterator[Transform]:
        """The similarity of the region's keypoints, then that of the whole picture's."""
        found = find_keypoints(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
        for known in (self._keypoints.on(self._region), self._keypoints):
            transform = similarity(known, found)
            if transform is not None:
                yield transform

    def _by_template(self, rgb: NDArray[np.uint8]) -> Iterator[Transform]:
        """The best match of the region at several sizes, in CIELAB at reduced size."""
        left, top, width, height = cv2.boundingRect(self._region.astype(np.uint8))
        box = np.s_[top : top + height, left : left + width]
        frame = _reduced_lab(
            rgb, rgb.shape[1] / _SEARCH_REDUCTION, rgb.shape[0] / _SEARCH_REDUCTION
        )
        best, transform = -1.0, None
        for scale in _SEARCH_SCALES:
            size = (width * scale / _SEARCH_REDUCTION, height * scale / _SEARCH_REDUCTION)
            if min(size) < _MIN_TEMPLATE_SIDE_PX or (
                size[0] >= frame.shape[1] or size[1] >= frame.shape[0]
            ):
                continue
            template = _reduced_lab(self._rgb[box], *size)
            mask = cv2.resize(
                self._region[box].astype(np.float32),
                template.shape[1::-1],
                interpolation=cv2.INTER_AREA,
            )
            mask = (mask > 0.5).astype(np.float32)
            if mask.sum() < _MIN_TEMPLATE_PX:
                continue
            match = cv2.matchTemplate(
                frame, template, cv2.TM_CCOEFF_NORMED, mask=cv2.merge([mask] * 3)
            )
            # A template or a frame without any contrast gives no number.
            _, value, _, (x, y) = cv2.minMaxLoc(np.where(np.isfinite(match), match, -1))
            if value > best:
                shift_x, shift_y = (place * _SEARCH_REDUCTION for place in (x, y))
                best = value
                transform = np.array(
                    [[scale, 0, shift_x - scale * left], [0, scale, shift_y - scale * top]]
                )
        if transform is not None:
            yield transform

    def _centred(self, rgb: NDArray[np.uint8]) -> Transform:
        """The still scaled to fill the frame: what a model does with a still of another ratio."""
        height, width = rgb.shape[:2]
        still_height, still_width = self._grey.shape
        scale = max(width / still_width, height / still_height)
        return np.array(
            [
                [scale, 0, (width - scale * still_width) / 2],
                [0, scale, (height - scale * still_height) / 2],
            ]
        )


def _core(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without its edge; the mask itself if little would be left."""
    square = np.ones((_CORE_EROSION_PX, _CORE_EROSION_PX), np.uint8)
    eroded: NDArray[np.bool_] = cv2.erode(region.astype(np.uint8), square) > 0
    return eroded if eroded.sum() > _MIN_CORE * region.sum() else region


def _carried(
    transform: Transform, mask: NDArray[np.bool_], flow: FlowPair
) -> tuple[Transform, float]:
    """A transform from the still to a frame, carried on to the next frame.

    Also returns the share of the region whose flow is consistent, 0..1.
    """
    height, width = flow.forward_valid.shape
    nearest = cv2.INTER_NEAREST
    placed = cv2.warpAffine(mask.astype(np.uint8), transform, (width, height), flags=nearest) > 0
    valid = flow.forward_valid & placed
    share = float(valid.sum()) / max(int(placed.sum()), 1)
    moved = fit_similarity(flow.forward, valid) if valid.sum() >= _MIN_FIT_PX else None
    if moved is None:
        moved = fit_similarity(flow.forward, flow.forward_valid)
    carried = transform if moved is None else _composed(_displaced(moved), transform)
    return carried, share


def _displaced(flow_matrix: Transform) -> Transform:
    """The (2, 3) matrix that moves a pixel, from the one that gives its flow."""
    return flow_matrix + np.eye(2, 3)


def _composed(after: Transform, before: Transform) -> Transform:
    """One (2, 3) matrix that applies `before` and then `after`."""
    composed: Transform = np.column_stack(
        [after[:, :2] @ before[:, :2], after[:, :2] @ before[:, 2] + after[:, 2]]
    )
    return composed


def _reduced_lab(rgb: NDArray[np.uint8], width: float, height: float) -> NDArray[np.float32]:
    size = (max(1, int(width)), max(1, int(height)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab: NDArray[np.float32] = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    return lab
