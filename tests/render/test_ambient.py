"""Ambient motion: leaves, water, clouds, cloth, hair and steam."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest

from lab.prompts.vocabulary import Ambient
from lab.render import Motion, Scene, render

KINDS = get_args(Ambient)
LAYER = {
    **{kind: "background" for kind in ("clouds", "ripple", "leaves")},
    **{kind: "subject" for kind in ("cloth", "hair")},
}


@pytest.fixture(scope="module")
def scene(photo: np.ndarray, texture: np.ndarray, scene_of: Callable[..., Scene]) -> Scene:
    """A disc of one photograph in front of another."""
    return scene_of(photo, texture)


def _frames(scene: Scene, *kinds: str, seed: int = 0) -> list[np.ndarray]:
    motion = Motion(ambient=kinds)  # type: ignore[arg-type]
    return [frame.rgb for frame in render(scene, motion, frames=5, fps=4, seed=seed)]


@pytest.mark.parametrize("kind", KINDS)
def test_ambient_motion_begins_at_rest(kind: str, scene: Scene) -> None:
    """The first frame is the still; later frames change."""
    clean = _frames(scene)[0].astype(int)
    moving = _frames(scene, kind)
    assert np.abs(moving[0] - clean).max() <= 1
    assert np.abs(moving[3] - clean).max() > 10


@pytest.mark.parametrize("kind", LAYER)
def test_ambient_motion_moves_its_own_layer_only(kind: str, scene: Scene) -> None:
    """Motion of the background leaves the subject unchanged, and the other way round."""
    alpha = next(iter(render(scene, Motion(), frames=1, fps=4))).subject_alpha
    moving_alpha, still_alpha = (255, 0) if LAYER[kind] == "subject" else (0, 255)
    clean = _frames(scene)[0].astype(int)
    change = np.max([np.abs(rgb - clean).max(axis=2) for rgb in _frames(scene, kind)[1:]], axis=0)
    # Cloth and hair move the subject's outline too, by at most two pixels.
    if moving_alpha == 255:
        y, x = np.mgrid[:240, :320]
        outside = np.hypot(x - 159.5, y - 119.5) > 60 + 6
        assert change[outside].max() <= 1
    else:
        assert change[alpha == still_alpha].max() <= 1
    assert change[alpha == moving_alpha].max() > 10


def test_steam_only_lightens(scene: Scene) -> None:
    """Steam makes the picture lighter above the subject and nothing darker."""
    clean = _frames(scene)[0].astype(int)
    for rgb in _frames(scene, "steam")[1:]:
        assert (rgb - clean).min() >= -1
    lightening = (rgb - clean).max(axis=2)
    assert lightening[40:110, 130:190].mean() > 5 * max(lightening[180:].mean(), 0.1)


def test_the_seed_determines_the_motion(scene: Scene) -> None:
    """Equal seeds give equal motion; another seed gives another."""
    one, same, other = (_frames(scene, "leaves", seed=seed)[-1] for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_several_kinds_combine(scene: Scene) -> None:
    """With leaves and hair, both layers move in one clip."""
    alpha = next(iter(render(scene, Motion(), frames=1, fps=4))).subject_alpha
    clean = _frames(scene)[0].astype(int)
    change = np.abs(_frames(scene, "leaves", "hair", "steam")[2] - clean).max(axis=2)
    assert change[alpha == 0].max() > 10
    assert change[alpha == 255].max() > 10
