"""Where the subject of a picture is."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lab.media import open_image
from lab.vision import subject_mask
from lab.vision.subject import _inferred


@pytest.mark.usefixtures("subject_weights")
def test_the_cup_is_the_subject(photo: np.ndarray) -> None:
    """On the sample photograph the mask is measured and lies on the cup and its saucer."""
    mask = subject_mask(photo)
    assert mask.measured
    assert mask.note == ""
    assert mask.alpha.shape == photo.shape[:2]
    assert mask.alpha.dtype == np.float32
    assert 0 <= mask.alpha.min() <= mask.alpha.max() <= 1
    assert 0.2 < mask.area < 0.7
    assert mask.alpha[180, 300] > 0.9
    corners = [mask.alpha[y, x] for y in (5, -5) for x in (5, -5)]
    assert max(corners) < 0.1


@pytest.mark.usefixtures("subject_weights")
def test_a_picture_without_a_subject_gets_a_centre_prior() -> None:
    """A plain gradient has no dominant subject, and the mask says so."""
    ramp = np.tile(np.linspace(90, 160, 300).astype(np.uint8), (200, 1))
    mask = subject_mask(np.dstack([ramp] * 3))
    assert (mask.source, mask.note) == ("centre prior", "no dominant subject seen")


@pytest.mark.usefixtures("subject_weights")
def test_masks_are_the_same_in_every_thread(stills_dir: Path) -> None:
    """Several threads asking at once get the masks that each would get alone."""
    pictures = [open_image(stills_dir / f"{name}.jpg").rgb for name in ("coffee", "cat", "rocket")]
    alone = [subject_mask(picture) for picture in pictures]
    _inferred.cache_clear()
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(subject_mask, pictures))
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.alpha, other.alpha)


@pytest.mark.usefixtures("subject_weights")
def test_a_kept_mask_is_the_same_and_its_own(photo: np.ndarray) -> None:
    """Asked again, the network's answer is the one kept; spoiling a mask spoils no later one."""
    _inferred.cache_clear()
    seen, other = subject_mask(photo), subject_mask(photo[:, ::-1])
    expected = seen.alpha.copy()
    seen.alpha[:] = 0
    assert np.array_equal(subject_mask(photo).alpha, expected)
    assert not np.array_equal(other.alpha, expected)
    assert _inferred.cache_info().hits == 1


@pytest.mark.usefixtures("offline")
def test_without_weights_there_is_a_centre_prior_and_a_reason(photo: np.ndarray) -> None:
    """Where weights cannot be had, the mask is a soft ellipse in the middle and says why."""
    mask = subject_mask(photo)
    assert mask.source == "centre prior"
    assert not mask.measured
    assert "I2VLAB_FETCH_WEIGHTS" in mask.note
    assert "\n" not in mask.note
    assert mask.alpha[200, 300] > 0.99
    assert mask.alpha[:, :20].max() < 0.01
    assert np.allclose(mask.alpha, mask.alpha[::-1, ::-1], atol=1e-5)
    assert mask.area == pytest.approx(np.pi * 0.3**2, rel=0.02)
