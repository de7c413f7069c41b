"""Rendered frames and their known motion."""

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import pytest

from lab.prompts import Prompt
from lab.prompts.vocabulary import CameraRates, Pace
from lab.render import Motion, Scene, render
from lab.stills import Crop
from lab.vision import SubjectMask, dense_flow

STEADY = Pace(amplitude=1.0, easing="linear")


@pytest.fixture(scope="module")
def scene(texture: np.ndarray, scene_of: Callable[..., Scene]) -> Scene:
    """A textured disc in front of a textured background."""
    return scene_of(texture, texture[::-1])


def _grey(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


def _layers(alpha: np.ndarray, margin: int = 15) -> dict[str, np.ndarray]:
    """Masks of the layers, away from their common border and from the frame's edge."""
    kernel = np.ones((2 * margin + 1,) * 2, np.uint8)
    subject = (alpha > 127).astype(np.uint8)
    interior = np.zeros(alpha.shape, bool)
    interior[margin:-margin, margin:-margin] = True
    return {
        "subject": (cv2.erode(subject, kernel) > 0) & interior,
        "background": (cv2.dilate(subject, kernel) == 0) & interior,
    }


def _parts(
    scene: Scene, rates: CameraRates, *, frames: int = 2, fps: float = 4
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Layer masks of the first frame, and its true flow to the next frame."""
    first, *_ = render(scene, Motion(rates, STEADY), frames=frames, fps=fps)
    return _layers(first.subject_alpha), first.flow()


@pytest.mark.parametrize("has_subject", [True, False], ids=["disc", "whole image"])
@pytest.mark.parametrize("ratio", ["16:9", "9:16"])
def test_the_first_frame_is_the_still(ratio: str, has_subject: bool, photo: np.ndarray) -> None:
    """Splitting into layers and compositing them gives the framed still back."""
    y, x = np.mgrid[:400, :600]
    inside = np.hypot(x - 320, y - 190) < 110
    alpha = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 3)
    mask = SubjectMask(alpha if has_subject else np.ones_like(alpha), "u2netp")
    scene = Scene.from_still(photo, mask, aspect_ratio=ratio, resolution="720p")
    motion = Motion.from_prompt(Prompt.of("push_in"))
    first = next(iter(render(scene, motion, frames=24, fps=24)))
    assert first.rgb.shape == ((720, 1280, 3) if ratio == "16:9" else (1280, 720, 3))
    size = scene.background.shape[1::-1]
    assert size[0] / size[1] == pytest.approx(600 / 400, rel=0.003)
    enlarged = cv2.resize(photo, size, interpolation=cv2.INTER_CUBIC)
    framed = Crop(scene.frame_left, scene.frame_top, scene.width_px, scene.height_px).of(enlarged)
    assert np.abs(first.rgb.astype(int) - framed).max() <= 2


def test_the_frame_is_centred_on_the_subject(photo: np.ndarray) -> None:
    """A subject at the side of a wide still is in the middle of a narrow frame."""
    alpha = np.zeros((400, 600), np.float32)
    alpha[150:250, 400:480] = 1
    scene = Scene.from_still(
        photo, SubjectMask(alpha, "u2netp"), aspect_ratio="9:16", resolution="720p"
    )
    rendered_alpha = next(iter(render(scene, Motion(), frames=1, fps=24))).subject_alpha
    columns = np.nonzero(rendered_alpha.max(axis=0) > 127)[0]
    assert columns.mean() == pytest.approx(360, abs=6)


def test_the_same_arguments_give_the_same_pixels(scene: Scene) -> None:
    """A handheld clip with steam and leaves renders identically twice."""
    motion = Motion.from_prompt(Prompt.of("handheld_drift", ["steam_rises", "leaves_sway"]))
    one, other = (list(render(scene, motion, frames=6, fps=6, seed=5)) for _ in range(2))
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(one, other, strict=True))


def test_another_seed_gives_another_sway(scene: Scene) -> None:
    """With another seed, a handheld clip has the same first frame and another path."""
    motion = Motion.from_prompt(Prompt.of("handheld_drift"))
    one, other = (list(render(scene, motion, frames=6, fps=6, seed=seed)) for seed in (1, 2))
    assert np.array_equal(one[0].rgb, other[0].rgb)
    assert not np.array_equal(one[-1].rgb, other[-1].rgb)
    assert one[-1].camera != other[-1].camera


def test_a_lock_off_holds_still(scene: Scene) -> None:
    """Every frame of a lock-off equals the first one, and its true flow is zero."""
    motion = Motion.from_prompt(Prompt.of("lock_off", pace="fast"))
    first, *others = render(scene, motion, frames=5, fps=5, seed=9)
    assert all(np.array_equal(frame.rgb, first.rgb) for frame in others)
    assert np.abs(first.flow()).max() == 0


def test_a_pan_moves_the_picture_by_its_rate(scene: Scene) -> None:
    """A pan of 0.15 widths per second moves everything left by two pixels per frame at 24 fps."""
    rendered = list(render(scene, Motion(CameraRates(pan=0.15), STEADY), frames=5, fps=24))
    for frame, following in pairwise(rendered):
        measured = dense_flow(_grey(frame.rgb), _grey(following.rgb))
        for part in _layers(frame.subject_alpha).values():
            assert np.median(measured[part][:, 0]) == pytest.approx(-2, abs=0.1)
            assert np.median(measured[part][:, 1]) == pytest.approx(0, abs=0.1)
        assert frame.flow()[..., 0] == pytest.approx(-2, abs=0.05)


@pytest.mark.parametrize(
    "rates",
    [
        CameraRates(pan=0.15),
        CameraRates(tilt=-0.2),
        CameraRates(roll=20),
        CameraRates(zoom=0.3),
        CameraRates(dolly=0.3),
        CameraRates(truck=0.15, pan=-0.15),
        CameraRates(crane=0.2),
        CameraRates(shake=0.02),
    ],
    ids=lambda rates: "+".join(name for name, rate in rates.model_dump().items() if rate),
)
@pytest.mark.parametrize("ambient", [(), ("leaves", "cloth")], ids=["", "ambient"])
def test_the_true_flow_matches_the_measured_flow(
    rates: CameraRates, ambient: tuple[str, ...], scene: Scene
) -> None:
    """The true flow of each layer is what optical flow measures on the rendered pixels."""
    motion = Motion(rates, STEADY, ambient)  # type: ignore[arg-type]
    rendered = list(render(scene, motion, frames=4, fps=24, seed=1))
    for frame, following in pairwise(rendered):
        measured = dense_flow(_grey(frame.rgb), _grey(following.rgb))
        error = np.hypot(*np.moveaxis(measured - frame.flow(), -1, 0))
        for part in _layers(frame.subject_alpha).values():
            assert np.median(error[part]) < 0.25


def _growth(flow: np.ndarray, part: np.ndarray) -> float:
    """Relative growth of a part of the picture about the frame's centre."""
    y, x = np.nonzero(part)
    radius = np.stack([x - 159.5, y - 119.5], axis=1)
    return float((flow[part] * radius).sum() / (radius**2).sum())


def test_a_push_in_magnifies_near_layers_more(scene: Scene) -> None:
    """A push-in magnifies the subject more than the background; a zoom magnifies both alike."""
    parts, flow = _parts(scene, CameraRates(dolly=0.3))
    near, far = (_growth(flow, parts[layer]) for layer in ("subject", "background"))
    assert near > 1.8 * far > 0
    parts, flow = _parts(scene, CameraRates(zoom=0.3))
    near, far = (_growth(flow, parts[layer]) for layer in ("subject", "background"))
    assert near == pytest.approx(far, rel=0.01)


@pytest.mark.parametrize(("name", "sign"), [("orbit_right", 1), ("orbit_left", -1)])
def test_an_orbit_keeps_the_subject_and_moves_the_background(
    name: str, sign: int, scene: Scene
) -> None:
    """The subject stays in place while the background moves sideways."""
    motion = Motion.from_prompt(Prompt.of(name, pace="steady"))
    first, last = render(scene, motion, frames=2, fps=1)
    parts = _layers(first.subject_alpha)
    measured = dense_flow(_grey(first.rgb), _grey(last.rgb))
    assert np.abs(np.median(measured[parts["subject"]], axis=0)).max() < 0.1
    assert np.median(measured[parts["background"]][:, 0]) * sign > 3
    assert np.array_equal(first.subject_alpha, last.subject_alpha)


def test_the_subject_is_inpainted_from_its_surroundings(photo: np.ndarray) -> None:
    """The background layer shows no trace of the subject."""
    green = np.full_like(photo, (40, 160, 60))
    y, x = np.mgrid[:400, :600]
    inside = np.hypot(x - 300, y - 200) < 80
    green[inside] = (230, 20, 20)
    alpha = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.5)
    scene = Scene.from_still(
        green, SubjectMask(alpha, "u2netp"), aspect_ratio="16:9", resolution="720p"
    )
    assert np.abs(scene.background.astype(int) - (40, 160, 60)).max() < 25


def test_the_last_frame_has_no_next_one(scene: Scene) -> None:
    """The flow of the last frame raises IndexError."""
    (only,) = render(scene, Motion(), frames=1, fps=24)
    with pytest.raises(IndexError, match="no next frame"):
        only.flow()
