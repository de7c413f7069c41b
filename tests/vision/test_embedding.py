"""Who the subject is, as a vector."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import WeightsError
from lab.media import open_image
from lab.vision import embed, feature_map, weight_path
from tests.tiers import examples

NAMES = ("astronaut", "cat", "coffee", "rocket")
STILLS = Path(__file__).parents[2] / "data" / "stills"


@pytest.fixture(autouse=True)
def identity_weights(request: pytest.FixtureRequest) -> None:
    """The network's weights; skips, with the reason, where a test needs them in vain."""
    if "offline" in request.fixturenames:
        return
    try:
        weight_path("mobilenetv2")
    except WeightsError as error:
        pytest.skip(str(error))


def _subject(name: str) -> tuple[np.ndarray, np.ndarray]:
    """A photograph at 300x300 and a disc in its middle, soft at the rim."""
    rgb = cv2.resize(open_image(STILLS / f"{name}.jpg").rgb, (300, 300))
    y, x = np.mgrid[:300, :300]
    alpha = np.clip((110 - np.hypot(x - 149.5, y - 149.5)) / 4 + 0.5, 0, 1)
    return rgb, alpha.astype(np.float32)


def _likeness(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> float:
    return float(embed(*one) @ embed(*other))


def test_an_identity_is_a_unit_vector() -> None:
    """1280 numbers, none negative, of length one; a subject is exactly like itself."""
    vector = embed(*_subject("coffee"))
    assert (vector.shape, vector.dtype) == ((1280,), np.float32)
    assert vector.min() >= 0
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(vector, embed(*_subject("coffee")))


@settings(max_examples=examples(12))
@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.floats(0.9, 1.1))
def test_light_changes_less_than_another_subject(name: str, other: str, gain: float) -> None:
    """A tenth more or less light stays the same subject; another subject is far away."""
    rgb, alpha = _subject(name)
    lit = np.clip(gain * rgb.astype(np.float32), 0, 255).astype(np.uint8)
    likeness = _likeness((rgb, alpha), (lit, alpha))
    assert likeness > 0.95
    if other != name:
        assert _likeness((rgb, alpha), _subject(other)) < likeness - 0.2


@pytest.mark.parametrize("name", NAMES)
def test_the_further_it_dissolves_the_less_it_is_itself(name: str) -> None:
    """Going over into another subject moves the identity away step by step."""
    rgb, alpha = _subject(name)
    other, _ = _subject(NAMES[NAMES.index(name) - 1])
    steps = [cv2.addWeighted(rgb, 1 - share, other, share, 0) for share in (0.2, 0.4, 0.6)]
    near, half, far = (_likeness((rgb, alpha), (step, alpha)) for step in steps)
    assert 1 > near > half > far


def test_the_ground_does_not_matter() -> None:
    """The same subject before another picture is the same to a hundredth."""
    rgb, alpha = _subject("coffee")
    share = alpha[..., None]
    moved = (rgb * share + _subject("rocket")[0] * (1 - share)).round().astype(np.uint8)
    assert _likeness((rgb, alpha), (moved, alpha)) > 0.99


def test_place_and_size_do_not_matter() -> None:
    """The same subject elsewhere in a larger picture is the same to a twentieth."""
    rgb, alpha = _subject("cat")
    room = ((180, 20), (10, 260))
    there = cv2.copyMakeBorder(rgb, *room[0], *room[1], cv2.BORDER_REPLICATE)
    place = np.pad(alpha, room)
    assert _likeness((rgb, alpha), (there, place)) > 0.999
    doubled = tuple(cv2.resize(each, None, fx=2, fy=2) for each in (rgb, alpha))
    assert _likeness((rgb, alpha), doubled) > 0.95


@pytest.mark.parametrize("where", [np.s_[:1, :1], np.s_[-1:, -1:], np.s_[:, :], np.s_[100:101, :]])
def test_any_subject_has_an_identity(where: tuple[slice, slice]) -> None:
    """One pixel in a corner, a line, or the whole picture: all can be embedded."""
    rgb, alpha = _subject("coffee")
    alpha[...] = 0
    alpha[where] = 1
    assert np.linalg.norm(embed(rgb, alpha)) == pytest.approx(1, abs=1e-6)


def test_no_subject_is_refused() -> None:
    """A mask that is nowhere above a half has no box, and that is said."""
    rgb, alpha = _subject("coffee")
    with pytest.raises(ValueError, match=r"nowhere above 0\.5"):
        embed(rgb, alpha / 2)


def test_a_map_has_a_unit_vector_in_each_cell() -> None:
    """The map follows the picture: another picture in its right half changes only that side."""
    rgb, _ = _subject("coffee")
    rgb = np.ascontiguousarray(rgb[:192, :320])
    changed = rgb.copy()
    changed[:, 160:] = 255 - changed[:, 160:]
    one, other = feature_map(rgb), feature_map(changed)
    assert one.shape == (320, 6, 10)
    assert np.linalg.norm(one, axis=0) == pytest.approx(1, abs=1e-4)
    distance = 1 - (one * other).sum(axis=0)
    assert distance[:, 8:].mean() > 5 * distance[:, :2].mean()


def test_identities_are_the_same_in_every_thread() -> None:
    """Several threads asking at once get the vectors that each would get alone."""
    subjects = [_subject(name) for name in NAMES * 3]
    alone = [embed(*subject) for subject in subjects]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda subject: embed(*subject), subjects))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_the_network_computes_what_torch_computes() -> None:
    """On one picture the first features are those of the published model run by torch 2.13."""
    picture = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    net = cv2.dnn.readNetFromONNX(str(weight_path("mobilenetv2")))
    net.setInput(picture)
    features = net.forward(["embedding", "features"])[0][0]
    assert features[:6] == pytest.approx([0.583246, 0.104643, 0.007556, 0, 0, 0.296570], abs=1e-4)
    assert features.sum() == pytest.approx(342.6093, abs=0.01)
    assert (features.argmax(), features.max()) == (557, pytest.approx(3.372296, abs=1e-4))


@pytest.mark.usefixtures("offline")
def test_without_weights_the_reason_is_raised() -> None:
    """Where weights cannot be had there is no identity, and one line says why."""
    with pytest.raises(WeightsError, match=r"weights mobilenetv2: .*I2VLAB_FETCH_WEIGHTS") as said:
        embed(*_subject("coffee"))
    assert "\n" not in str(said.value)
