"""Checks of a still before anything is paid."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from lab.findings import Finding
from lab.media import write_image
from lab.stills import Still, preflight
from lab.stills.preflight import clutter
from lab.vision import SubjectMask


def _kinds(findings: Iterable[Finding]) -> set[str]:
    return {finding.kind for finding in findings}


def _still(path: Path, rgb: np.ndarray) -> Still:
    write_image(path, rgb)
    return Still.open(path)


@pytest.mark.usefixtures("subject_weights")
def test_a_good_still_is_not_warned_of(coffee: Still) -> None:
    """A sharp photograph with room around a clear subject has no finding in its own frame."""
    assert preflight(coffee, aspect_ratio="16:9") == ()


@pytest.mark.usefixtures("subject_weights")
def test_a_subject_cut_by_the_frame_is_reported(stills_dir: Path) -> None:
    """The cat fills its frame, and the finding says at which edges."""
    found = {finding.kind: finding for finding in preflight(Still.open(stills_dir / "cat.jpg"))}
    cut = found["subject_cut"]
    assert cut.severity == "warning"
    assert "top" in cut.says
    assert cut.value is not None
    assert cut.limit is not None
    assert cut.value > cut.limit
    assert "soft" not in found


def test_a_soft_still_is_reported(stills_dir: Path) -> None:
    """The blurred copy of the cat is soft; the sharp one is not."""
    soft = preflight(Still.open(stills_dir / "cat_soft.jpg"))
    finding = next(finding for finding in soft if finding.kind == "soft")
    assert finding.value is not None
    assert finding.limit is not None
    assert finding.value > finding.limit
    assert "soft" not in _kinds(preflight(Still.open(stills_dir / "cat.jpg")))


def test_a_small_still_is_reported_where_it_is_enlarged(coffee: Still) -> None:
    """A 600x400 still is too small for 1080p, and only for a resolution that was named."""
    found = preflight(coffee, aspect_ratio="16:9", resolution="1080p")
    upscaled = next(finding for finding in found if finding.kind == "upscaled")
    assert upscaled.value == pytest.approx(1920 / 600, abs=0.01)
    assert "1080p" in upscaled.says
    assert "upscaled" not in _kinds(preflight(coffee))


def test_a_large_still_is_not_reported_as_small(tmp_path: Path, photo: np.ndarray) -> None:
    """A still with a frame's own pixels is not enlarged."""
    large = cv2.resize(photo, (1920, 1280), interpolation=cv2.INTER_CUBIC)
    found = preflight(_still(tmp_path / "a.jpg", large), aspect_ratio="16:9", resolution="1080p")
    assert "upscaled" not in _kinds(found)


def test_a_ratio_that_cuts_much_away_is_reported(coffee: Still) -> None:
    """A landscape still loses most of itself in a portrait frame, and little in a wide one."""
    cropped = next(
        finding for finding in preflight(coffee, aspect_ratio="9:16") if finding.kind == "cropped"
    )
    assert cropped.value == pytest.approx(1 - 225 / 600, abs=0.01)
    assert "cropped" not in _kinds(preflight(coffee, aspect_ratio="16:9"))


def test_what_services_refuse_is_an_error_and_comes_first(
    tmp_path: Path, photo: np.ndarray
) -> None:
    """A still under 300 px is an error, and errors stand before warnings and notes."""
    small = _still(tmp_path / "a.png", photo[:200, :280])
    found = preflight(small, aspect_ratio="9:16", resolution="4k")
    assert found[0].kind == "too_small"
    assert found[0].severity == "error"
    order = [("error", "warning", "note").index(finding.severity) for finding in found]
    assert order == sorted(order)


def test_what_was_changed_on_opening_is_told(tmp_path: Path, photo: np.ndarray) -> None:
    """A still with transparency is used on white, and preflight says so."""
    alpha = np.full((*photo.shape[:2], 1), 200, np.uint8)
    write_image(tmp_path / "a.png", np.concatenate([photo, alpha], axis=2))
    found = preflight(Still.open(tmp_path / "a.png"))
    assert any("alpha laid on white" in str(finding) for finding in found)


@pytest.mark.usefixtures("offline")
def test_without_weights_the_subject_is_not_checked_and_that_is_said(stills_dir: Path) -> None:
    """Where the mask's weights cannot be had, one note says what was not checked and why."""
    found = preflight(Still.open(stills_dir / "cat.jpg"))
    assert _kinds(found) == {"subject_not_checked"}
    assert found[0].severity == "note"
    assert "I2VLAB_FETCH_WEIGHTS" in found[0].says


@pytest.mark.usefixtures("subject_weights")
def test_a_still_without_a_subject_is_reported(tmp_path: Path) -> None:
    """A plain gradient has no dominant subject."""
    ramp = np.tile(np.linspace(90, 160, 600).astype(np.uint8), (400, 1))
    found = preflight(_still(tmp_path / "a.png", np.dstack([ramp] * 3)))
    assert "no_subject" in _kinds(found)


def test_clutter_is_counted_outside_the_subject_only() -> None:
    """A busy ground counts as clutter, the same detail inside the subject does not."""
    luck = np.random.default_rng(0).integers(0, 255, (30, 40), np.uint8)
    busy = cv2.resize(luck, (400, 300), interpolation=cv2.INTER_NEAREST)
    subject = np.zeros((300, 400), np.float32)
    subject[60:240, 80:320] = 1
    mask = SubjectMask(subject, "u2netp")
    outside = np.dstack([np.where(subject > 0.5, 128, busy).astype(np.uint8)] * 3)
    inside = np.dstack([np.where(subject > 0.5, busy, 128).astype(np.uint8)] * 3)
    assert clutter(outside, mask) > 0.06
    assert clutter(inside, mask) < 0.02


def test_a_finding_reads_as_one_line_and_as_plain_data(coffee: Still) -> None:
    """A finding says what is wrong and what to do, to people and to programs."""
    upscaled = preflight(coffee, resolution="4k")[0]
    assert str(upscaled) == f"warning: {upscaled.says}; {upscaled.fix}"
    assert upscaled.to_json() == {
        "kind": "upscaled",
        "severity": "warning",
        "says": upscaled.says,
        "fix": upscaled.fix,
        "value": 6.4,
        "limit": 1.3,
        "unit": "x",
    }
