"""Checks of a still before anything is paid."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from lab.findings import Finding
from lab.media import write_image
from lab.stills import Needs, Preflight, Still, preflight, room_findings
from lab.stills.look import clutter
from lab.vision import SubjectMask, subject_mask

EXPOSURE = {"overexposed", "underexposed"}


def _kinds(found: Preflight | Iterable[Finding]) -> set[str]:
    findings = found.findings if isinstance(found, Preflight) else found
    return {finding.kind for finding in findings}


def _still(path: Path, rgb: np.ndarray) -> Still:
    write_image(path, rgb)
    return Still.open(path)


@pytest.mark.usefixtures("subject_weights")
def test_a_good_still_is_not_warned_of(coffee: Still) -> None:
    """A sharp photograph with room around a clear subject has no finding in its own frame."""
    assert preflight(coffee).findings == ()
    # Its saucer is a little taller than a wide frame, and that is all there is to say.
    assert _kinds(preflight(coffee, aspect_ratio="16:9")) == {"ratio_cuts_subject"}


@pytest.mark.usefixtures("subject_weights")
def test_a_subject_cut_by_the_frame_is_reported(stills_dir: Path) -> None:
    """The cat fills its frame, and the finding says at which edges."""
    found = {
        finding.kind: finding for finding in preflight(Still.open(stills_dir / "cat.jpg")).findings
    }
    cut = found["subject_cut"]
    assert cut.severity == "warning"
    assert "top" in cut.says
    assert cut.value is not None
    assert cut.limit is not None
    assert cut.value > cut.limit
    assert "soft" not in found


def test_a_soft_still_is_reported(stills_dir: Path) -> None:
    """The blurred copy of the cat is soft; the sharp one is not."""
    soft = preflight(Still.open(stills_dir / "cat_soft.jpg")).findings
    finding = next(finding for finding in soft if finding.kind == "soft")
    assert finding.value is not None
    assert finding.limit is not None
    assert finding.value < finding.limit
    assert "soft" not in _kinds(preflight(Still.open(stills_dir / "cat.jpg")))


def test_a_small_still_is_reported_where_it_is_enlarged(coffee: Still) -> None:
    """A 600x400 still is too small for 1080p, and only for a resolution that was named."""
    found = preflight(coffee, aspect_ratio="16:9", resolution="1080p").findings
    small = next(finding for finding in found if finding.kind == "low_resolution")
    assert small.value == pytest.approx(1920 / 600, abs=0.01)
    assert "1080p" in small.says
    assert "low_resolution" not in _kinds(preflight(coffee))


def test_a_camera_that_comes_closer_needs_more_pixels(tmp_path: Path, photo: np.ndarray) -> None:
    """Enough for the tier as it stands is too little when the camera comes twice as close."""
    large = _still(tmp_path / "a.jpg", cv2.resize(photo, (1280, 853)))
    assert "low_resolution" not in _kinds(preflight(large, resolution="720p"))
    found = preflight(large, resolution="720p", needs=Needs(closer=2.0))
    (finding,) = [one for one in found.findings if one.kind == "low_resolution"]
    assert finding.value == pytest.approx(2, abs=0.01)
    assert "2.0x closer" in finding.says


def test_a_large_still_is_not_reported_as_small(tmp_path: Path, photo: np.ndarray) -> None:
    """A still with a frame's own pixels is not enlarged."""
    large = cv2.resize(photo, (1920, 1280), interpolation=cv2.INTER_CUBIC)
    found = preflight(_still(tmp_path / "a.jpg", large), aspect_ratio="16:9", resolution="1080p")
    assert "low_resolution" not in _kinds(found)


def test_a_ratio_that_cuts_much_away_is_reported(coffee: Still) -> None:
    """A landscape still loses most of itself in a portrait frame, and little in a wide one."""
    cropped = next(
        finding
        for finding in preflight(coffee, aspect_ratio="9:16").findings
        if finding.kind == "cropped"
    )
    assert cropped.value == pytest.approx(1 - 225 / 600, abs=0.01)
    assert "cropped" not in _kinds(preflight(coffee, aspect_ratio="16:9"))


def test_what_services_refuse_is_an_error_and_comes_first(
    tmp_path: Path, photo: np.ndarray
) -> None:
    """A still under 300 px is an error, and errors stand before warnings and notes."""
    small = _still(tmp_path / "a.png", photo[:200, :280])
    found = preflight(small, aspect_ratio="9:16", resolution="4k").findings
    assert found[0].kind == "too_small"
    assert found[0].severity == "error"
    order = [("error", "warning", "note").index(finding.severity) for finding in found]
    assert order == sorted(order)


def test_what_was_changed_on_opening_is_told(tmp_path: Path, photo: np.ndarray) -> None:
    """A still with transparency is used on white, and preflight says so."""
    alpha = np.full((*photo.shape[:2], 1), 200, np.uint8)
    write_image(tmp_path / "a.png", np.concatenate([photo, alpha], axis=2))
    found = preflight(Still.open(tmp_path / "a.png"))
    assert any("alpha composited onto white" in str(finding) for finding in found.findings)


@pytest.mark.usefixtures("offline")
def test_without_weights_the_subject_is_not_checked_and_that_is_said(stills_dir: Path) -> None:
    """Where the mask's weights cannot be had, one note says what was not checked and why."""
    found = preflight(Still.open(stills_dir / "cat.jpg"), needs=Needs(left=0.2, subject=True))
    assert _kinds(found) == {"subject_not_checked"}
    assert found.findings[0].severity == "note"
    assert "I2VLAB_FETCH_WEIGHTS" in found.findings[0].says
    skipped = {check.what for check in found.checks if check.status == "not checked"}
    assert {"subject", "subject at the edge", "headroom", "clutter", "room to move"} <= skipped
    assert found.room is None
    assert "not checked, because" in found._repr_html_()


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


@pytest.mark.usefixtures("subject_weights")
def test_room_is_asked_for_where_the_motion_goes(stills_dir: Path) -> None:
    """The flower has a quarter of the frame beside it, not a half; the finding names the side."""
    flower = Still.open(stills_dir / "flower.jpg")
    assert room_findings(flower, Needs(left=0.2, right=0.2, subject=True)) == ()
    (finding,) = room_findings(flower, Needs(left=0.2, right=0.5))
    assert (finding.kind, finding.severity, finding.limit) == ("no_room", "warning", 0.5)
    assert "right of the subject" in finding.says
    assert finding.value == pytest.approx(0.3, abs=0.05)
    # The narrower the frame, the less room there is beside the subject.
    (narrow, *_) = room_findings(flower, Needs(left=0.2), aspect_ratio="9:16")
    assert narrow.value == 0


@pytest.mark.usefixtures("subject_weights")
def test_a_motion_about_a_subject_needs_one(tmp_path: Path) -> None:
    """An orbit about nothing is warned of; a pan over nothing is fine."""
    ramp = np.tile(np.linspace(90, 160, 600).astype(np.uint8), (400, 1))
    empty = _still(tmp_path / "a.png", np.dstack([ramp] * 3))
    assert _kinds(room_findings(empty, Needs(subject=True, left=0.1))) == {"needs_subject"}
    assert room_findings(empty, Needs(left=0.1)) == ()


@pytest.mark.usefixtures("subject_weights")
def test_the_card_shows_every_check_and_escapes_what_it_is_told(
    tmp_path: Path, photo: np.ndarray
) -> None:
    """All checks are listed with their numbers, passed or not; a hostile name stays text."""
    still = _still(tmp_path / "<img src=x onerror=alert(1)>.png", photo)
    found = preflight(still, aspect_ratio="9:16", resolution="720p", needs=Needs(left=0.1))
    page = found._repr_html_()
    assert "<img src=x" not in page
    assert page.count("<tr") == len(found.checks) + 1
    for what in ("sharpness", "grain", "JPEG blocks", "headroom", "clutter", "room left of"):
        assert what in page
    picture = found.overlay()
    assert picture.dtype == np.uint8
    assert min(picture.shape[:2]) == 360
    # What 9:16 cuts away is darkened, so the marked picture's sides are darker than its middle.
    assert picture[:, :20].mean() < 0.5 * picture[:, 270].mean()
    plain = found.to_json()
    assert [check["what"] for check in plain["checks"]] == [check.what for check in found.checks]


@pytest.mark.usefixtures("subject_weights")
@pytest.mark.parametrize("ground", [0, 255])
def test_a_studio_ground_is_no_mistake(tmp_path: Path, stills_dir: Path, ground: int) -> None:
    """A flower before plain white or black is well exposed; its own petals blown out are not."""
    rgb = Still.open(stills_dir / "flower.jpg").rgb()
    share = subject_mask(rgb).alpha[..., None]
    before = (rgb * share + ground * (1 - share)).astype(np.uint8)
    assert not _kinds(preflight(_still(tmp_path / "a.png", before))) & EXPOSURE
    blown = np.clip(before * 2.0, 0, 255).astype(np.uint8)
    assert "overexposed" in _kinds(preflight(_still(tmp_path / "b.png", blown)))


def test_the_marked_picture_of_a_strip_is_bounded(tmp_path: Path, offline: Path) -> None:
    """A strip is not enlarged until its short side fills the card."""
    strip = _still(tmp_path / "a.png", np.zeros((64, 4000, 3), np.uint8))
    assert preflight(strip).overlay().shape == (20, 1280, 3)


@pytest.mark.parametrize("size", [(64, 64), (64, 3000), (1200, 64)])
@pytest.mark.parametrize("value", [0, 128, 255, None])
def test_any_picture_is_checked(
    offline: Path, tmp_path: Path, size: tuple[int, int], value: int | None
) -> None:
    """The smallest, strips, one colour, pure noise: every check has a number or a reason."""
    if value is None:
        rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    else:
        rgb = np.full((*size, 3), value, np.uint8)
    found = preflight(_still(tmp_path / "a.png", rgb), aspect_ratio="9:16", resolution="4k")
    for check in found.checks:
        assert check.skipped or check.finding or check.value is not None
        assert check.value is None or np.isfinite(check.value)
    assert found.overlay().shape[2] == 3


def test_a_finding_reads_as_one_line_and_as_plain_data(coffee: Still) -> None:
    """A finding says what is wrong and what to do, to people and to programs."""
    small = preflight(coffee, resolution="4k").findings[0]
    assert str(small) == f"warning: {small.says}; {small.fix}"
    assert small.to_json() == {
        "kind": "low_resolution",
        "severity": "warning",
        "says": small.says,
        "fix": small.fix,
        "value": 6.4,
        "limit": 1.3,
        "unit": "x",
        "rewrite": "",
    }
