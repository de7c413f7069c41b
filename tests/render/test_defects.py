"""Defects have the strength that was requested."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from skimage.color import rgb2lab

from lab.render import Defects, Motion, Scene, render
from lab.vision import dense_flow

STILL = Motion()


def _frames(
    scene: Scene, defects: Defects | None, *, frames: int, seed: int = 0
) -> list[np.ndarray]:
    rendered = render(scene, STILL, frames=frames, fps=24, seed=seed, defects=defects)
    return [frame.rgb for frame in rendered]


@pytest.fixture(scope="module")
def grey_scene(scene_of: Callable[..., Scene]) -> Scene:
    """A mid-grey background without a subject."""
    grey = np.full((240, 320, 3), 128, np.uint8)
    return scene_of(grey, grey, radius_px=0)


@pytest.fixture(scope="module")
def scene(photo: np.ndarray, scene_of: Callable[..., Scene]) -> Scene:
    """A grey disc in front of a photograph."""
    return scene_of(photo, np.full_like(photo, 128))


@pytest.mark.parametrize("flicker_dn", [2.0, 6.0])
def test_flicker_has_the_requested_strength(flicker_dn: float, grey_scene: Scene) -> None:
    """On a constant grey frame, the rms change of brightness is flicker_dn code values."""
    pixels = np.stack(_frames(grey_scene, Defects(flicker_dn=flicker_dn), frames=120))[1:, ::4, ::4]
    change = pixels.astype(float) - 128
    assert np.sqrt((change**2).mean()) == pytest.approx(flicker_dn, rel=0.15)


def test_half_of_the_flicker_is_global(grey_scene: Scene) -> None:
    """The frame's mean and the deviations from it have about the same power."""
    pixels = np.stack(_frames(grey_scene, Defects(flicker_dn=6), frames=120))[1:, ::4, ::4, 0]
    change = pixels.astype(float) - 128
    means = change.mean(axis=(1, 2))
    patches = change - means[:, None, None]
    assert (means**2).mean() / (change**2).mean() == pytest.approx(0.5, abs=0.15)
    assert (patches**2).mean() / (change**2).mean() == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("drift_de", [4.0, 10.0])
def test_drift_moves_the_subjects_colour_and_nothing_else(
    drift_de: float, seed: int, scene: Scene
) -> None:
    """At the last frame the subject's colour is off by drift_de; the background is unchanged."""
    first, *others = render(
        scene, STILL, frames=9, fps=24, seed=seed, defects=Defects(drift_de=drift_de)
    )
    subject, background = first.subject_alpha == 255, first.subject_alpha == 0

    def shift_de(rgb: np.ndarray) -> float:
        before, after = (rgb2lab(image)[subject].mean(axis=0) for image in (first.rgb, rgb))
        return float(np.hypot(*(after - before)[1:]))

    assert shift_de(others[-1].rgb) == pytest.approx(drift_de, rel=0.15)
    assert shift_de(others[3].rgb) == pytest.approx(drift_de / 2, rel=0.2)
    assert all(np.array_equal(frame.rgb[background], first.rgb[background]) for frame in others)
    lightness = [rgb2lab(rgb)[subject, 0].mean() for rgb in (first.rgb, others[-1].rgb)]
    assert lightness[0] == pytest.approx(lightness[1], abs=1)


@pytest.mark.parametrize("warp_permille", [2.0, 5.0])
def test_warp_has_the_requested_strength(
    warp_permille: float, texture: np.ndarray, scene_of: Callable[..., Scene]
) -> None:
    """The rms displacement is warp_permille thousandths of the diagonal."""
    flat = scene_of(texture, texture, radius_px=0)
    clean, *warped = (
        cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        for rgb in _frames(flat, Defects(warp_permille=warp_permille), frames=25)
    )
    power = [(dense_flow(rgb, clean) ** 2).sum(axis=2).mean() for rgb in warped[::3]]
    expected_px = warp_permille / 1000 * np.hypot(320, 240)
    assert np.sqrt(np.mean(power)) == pytest.approx(expected_px, rel=0.2)


@pytest.mark.parametrize(
    "defects",
    [Defects(flicker_dn=8), Defects(drift_de=8), Defects(warp_permille=8), Defects(8, 8, 8)],
    ids=["flicker", "drift", "warp", "all"],
)
def test_the_first_frame_stays_clean(defects: Defects, scene: Scene) -> None:
    """Later frames have the defects; the seed determines them."""
    clean = _frames(scene, None, frames=3)
    one, same, other = (_frames(scene, defects, frames=3, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one[0], clean[0])
    assert not np.array_equal(one[2], clean[2])
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[2], other[2])


def test_no_defect_is_a_clean_clip(scene: Scene) -> None:
    """All strengths at zero change no pixel."""
    assert Defects().is_clean
    assert not Defects(drift_de=0.5).is_clean
    for clean, same in zip(
        _frames(scene, None, frames=3), _frames(scene, Defects(), frames=3), strict=True
    ):
        assert np.array_equal(clean, same)


def test_drift_without_a_subject_changes_nothing(grey_scene: Scene) -> None:
    """Drift affects the subject only."""
    first, *others = _frames(grey_scene, Defects(drift_de=10), frames=4)
    assert all(np.array_equal(first, rgb) for rgb in others)
