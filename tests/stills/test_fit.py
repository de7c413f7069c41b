"""Stills brought into the ratio of publication."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.errors import InputError, StillError
from lab.media import write_image
from lab.stills import Needs, Still, fit, preflight
from lab.units import RATIOS, frame_size
from tests.tiers import examples

RATIO = st.sampled_from(sorted(RATIOS))
SIDE = st.integers(120, 400)


@pytest.fixture
def cup(tmp_path: Path, coffee: Still) -> Still:
    """The coffee in a folder of its own, so that nothing is written into data/."""
    copy = tmp_path / "coffee.jpg"
    copy.write_bytes(coffee.path.read_bytes())
    return Still.open(copy)


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SIDE, SIDE, RATIO, st.sampled_from(["crop", "extend"]))
def test_any_still_comes_to_any_ratio(
    offline: Path, tmp_path: Path, width: int, height: int, ratio: str, mode: str
) -> None:
    """The ratio is met to a pixel; cropping only takes away, extending keeps every pixel."""
    luck = np.random.default_rng(width * 1000 + height)
    small = luck.integers(0, 256, (height // 10 + 2, width // 10 + 2, 3), np.uint8)
    rgb = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    write_image(tmp_path / "any.png", rgb)
    target = tmp_path / "fitted.png"
    target.unlink(missing_ok=True)
    made = fit(Still.open(tmp_path / "any.png"), ratio, mode=mode, path=target)  # type: ignore[arg-type]
    wanted = RATIOS[ratio]
    across, down = made.width_px, made.height_px
    assert abs(across - down * wanted) <= max(1, wanted) or abs(down - across / wanted) <= max(
        1, 1 / wanted
    )
    if mode == "crop":
        assert across <= width
        assert down <= height
        assert across == width or down == height
    else:
        assert across >= width
        assert down >= height
        assert across == width or down == height
        places = np.lib.stride_tricks.sliding_window_view(made.rgb(), rgb.shape)
        assert any((place == rgb).all() for place in places.reshape(-1, *rgb.shape))
    assert made.history


@pytest.mark.usefixtures("subject_weights")
def test_a_crop_keeps_the_subject_whole_where_it_fits(tmp_path: Path, stills_dir: Path) -> None:
    """The flower stands right of the middle and is whole in a square; the rest is cut away."""
    flower = Still.open(stills_dir / "flower.jpg")
    moved = tmp_path / "flower.png"
    write_image(moved, flower.rgb()[:, :470])
    made = fit(Still.open(moved), "1:1", path=tmp_path / "square.png")
    kinds = {finding.kind for finding in preflight(made, aspect_ratio="1:1").findings}
    assert not kinds & {"subject_cut", "ratio_cuts_subject", "cropped"}
    assert "cuts away" not in made.history[-1]


@pytest.mark.usefixtures("subject_weights")
def test_a_crop_that_must_cut_the_subject_says_so_and_extending_helps(
    cup: Still, tmp_path: Path
) -> None:
    """The saucer is wider than 9:16 has room for: a share is named, and the other mode keeps it."""
    cut = fit(cup, "9:16", path=tmp_path / "cut.png")
    assert "of the subject; extending keeps it whole" in cut.history[-1]
    whole = fit(cup, "9:16", mode="extend", path=tmp_path / "whole.png")
    assert "63% made up" in whole.history[-1]
    found = {finding.kind: finding for finding in preflight(whole, aspect_ratio="9:16").findings}
    assert "ratio_cuts_subject" not in found
    assert "made up" in found["fitted"].says


def test_the_history_lives_in_the_file(cup: Still, offline: Path) -> None:
    """A fitted still opened anew knows where it came from, and fitting it again adds to that."""
    first = fit(cup, "1:1")
    assert first.path == cup.path.with_name("coffee_1x1.png")
    assert cup.sha256[:12] in first.history[0]
    assert Still.open(first.path).history == first.history
    assert Still.from_json(first.to_json()).history == first.history
    second = fit(first, "9:16")
    assert second.history[: len(first.history)] == first.history
    assert "coffee_1x1.png" in second.history[len(first.history)]


def test_the_same_call_gives_the_same_file_and_spares_others(cup: Still, offline: Path) -> None:
    """Called twice, the bytes are equal; a file that fit did not make here is not written over."""
    first = fit(cup, "1:1")
    assert fit(cup, "1:1").sha256 == first.sha256
    theirs = cup.path.with_name("coffee_9x16.png")
    write_image(theirs, cup.rgb())
    with pytest.raises(InputError, match="exists already"):
        fit(cup, "9:16")
    assert Still.open(theirs).history == ()


def test_nothing_is_enlarged_unless_asked(cup: Still, offline: Path, tmp_path: Path) -> None:
    """A small still keeps its pixels at a large tier; with upsample it is enlarged and says so."""
    kept = fit(cup, "16:9", resolution="1080p", path=tmp_path / "kept.png")
    assert (kept.width_px, kept.height_px) == (600, 338)
    assert "too few pixels for 1080p (1920x1080 px)" in kept.history
    large = fit(cup, "16:9", resolution="1080p", upsample=True, path=tmp_path / "large.png")
    assert (large.width_px, large.height_px) == frame_size("16:9", "1080p")
    assert any("enlarged, no detail gained" in step for step in large.history)
    assert "fitted" in {finding.kind for finding in preflight(large).findings}


def test_paths_and_new_folders_are_welcome(cup: Still, offline: Path, tmp_path: Path) -> None:
    """A path does for a still, and a folder that is not there yet is made."""
    made = fit(cup.path, "1:1", path=tmp_path / "new" / "deeper" / "square.png")
    assert made.path.is_file()
    assert preflight(str(made.path)).still == made


def test_a_large_still_is_reduced_to_its_tier(tmp_path: Path, offline: Path, cup: Still) -> None:
    """More pixels than the tier has are reduced, and the history has both sizes."""
    big = cv2.resize(cup.rgb(), (2400, 1600), interpolation=cv2.INTER_CUBIC)
    write_image(tmp_path / "big.png", big)
    made = fit(Still.open(tmp_path / "big.png"), "16:9", resolution="720p")
    assert (made.width_px, made.height_px) == (1280, 720)
    assert "reduced from 2400x1350 to 1280x720 px" in made.history[-2]


@pytest.mark.usefixtures("subject_weights")
def test_extending_makes_the_room_that_was_asked_for(tmp_path: Path, stills_dir: Path) -> None:
    """Also where the ratio alone would not: then the canvas grows in both directions."""
    flower = Still.open(stills_dir / "flower.jpg")
    for ratio in ("9:16", "16:9", "1:1"):
        needs = Needs(left=0.3, right=0.3, above=0.2)
        made = fit(
            flower,
            ratio,
            mode="extend",
            needs=needs,
            path=tmp_path / f"{ratio.replace(':', 'x')}.png",
        )
        kinds = {finding.kind for finding in preflight(made, needs=needs).findings}
        assert "no_room" not in kinds
        assert made.width_px >= flower.width_px
        assert made.height_px >= flower.height_px


@pytest.mark.usefixtures("subject_weights")
@pytest.mark.parametrize("mode", ["crop", "extend"])
def test_room_is_left_where_the_motion_goes(tmp_path: Path, stills_dir: Path, mode: str) -> None:
    """Asked for room on the right, the frame has more of it there than on the left."""
    flower = Still.open(stills_dir / "flower.jpg")
    ratio = "1:1" if mode == "crop" else "16:9"
    for side in ("left", "right"):
        needs = Needs(**{side: 0.25})
        made = fit(flower, ratio, mode=mode, needs=needs, path=tmp_path / f"{side}.png")  # type: ignore[arg-type]
        box = preflight(made).room
        assert box is not None
        assert getattr(box, side) > 0.1 + getattr(box, "left" if side == "right" else "right")


@pytest.mark.parametrize(
    ("ratio", "how", "said"),
    [
        ("9:17", {}, "accepted are 16:9, 9:16"),
        ("9:16", {"mode": "squash"}, "accepted: crop, extend"),
        ("9:16", {"resolution": "8k"}, "8k"),
        ("9:16", {"path": "a.jpg"}, "written as .png"),
    ],
)
def test_wrong_names_are_refused_in_one_line(
    cup: Still, ratio: str, how: dict[str, str], said: str
) -> None:
    """Ratio, mode, tier and file kind are checked before anything is written."""
    with pytest.raises(InputError, match=said):
        fit(cup, ratio, **how)  # type: ignore[arg-type]


def test_a_thin_still_is_extended_within_bounds(tmp_path: Path, offline: Path) -> None:
    """A strip of 64 by 640 px comes to 16:9 without a seam of another size."""
    strip = np.tile(np.linspace(0, 255, 640, dtype=np.uint8)[:, None, None], (1, 64, 3))
    write_image(tmp_path / "strip.png", strip)
    made = fit(Still.open(tmp_path / "strip.png"), "16:9", mode="extend")
    assert Fraction(made.width_px, made.height_px) == pytest.approx(Fraction(16, 9), rel=0.01)
    # A vertical ramp mirrored sideways is the same ramp.
    assert np.abs(made.rgb()[:, 0].astype(int) - made.rgb()[:, -1]).max() <= 2


def test_modes_lie_side_by_side_and_no_still_changes_under_its_owner(
    cup: Still, offline: Path
) -> None:
    """Cropped and extended are two files, and other needs do not write over what was made."""
    cut, whole = fit(cup, "1:1"), fit(cup, "1:1", mode="extend")
    assert Still.open(cut.path) == cut
    assert Still.open(whole.path) == whole
    with pytest.raises(InputError, match="holds another picture"):
        fit(cup, "1:1", needs=Needs(left=0.3))
    assert Still.open(cut.path) == cut


def test_a_place_that_cannot_be_written_is_one_line(cup: Still, offline: Path) -> None:
    """A file that stands where the folder should be is the caller's to put right, not a bug."""
    with pytest.raises(InputError, match=r"coffee\.jpg: cannot write here"):
        fit(cup, "9:16", path=cup.path / "a.png")


def test_a_result_nobody_could_open_is_not_written(tmp_path: Path, offline: Path) -> None:
    """A crop under 64 px a side is refused in one line, and no file is left behind."""
    write_image(tmp_path / "small.png", np.zeros((70, 90, 3), np.uint8))
    with pytest.raises(StillError, match="39x70 px and each side needs 64 px; extend it"):
        fit(Still.open(tmp_path / "small.png"), "9:16")
    assert [path.name for path in tmp_path.glob("*.png")] == ["small.png"]


def test_a_huge_extension_is_refused_unless_it_is_reduced(tmp_path: Path, offline: Path) -> None:
    """A wide strip becomes tens of megapixels in 9:16; at a tier it is made in the tier's size."""
    strip = np.tile(np.linspace(0, 255, 100, dtype=np.uint8)[:, None, None], (1, 5000, 3))
    write_image(tmp_path / "strip.png", strip)
    still = Still.open(tmp_path / "strip.png")
    with pytest.raises(StillError, match=r"5000x8889 px .* megapixels; name a resolution"):
        fit(still, "9:16", mode="extend")
    made = fit(still, "9:16", mode="extend", resolution="720p")
    assert (made.width_px, made.height_px) == (720, 1280)
    assert "reduced to 720x14 px; extended to 720x1280 px" in made.history[0]


@given(st.integers(500, 2000), st.integers(300, 2000), RATIO)
@settings(max_examples=examples(5), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_reduced_extension_has_its_tier_exactly(
    offline: Path, tmp_path: Path, width: int, height: int, ratio: str
) -> None:
    """Whatever the size, a still extended and reduced has the tier's width and height."""
    rgb = np.full((height * 2, width * 2, 3), 90, np.uint8)
    write_image(tmp_path / "any.png", rgb)
    (tmp_path / "fitted.png").unlink(missing_ok=True)
    still = Still.open(tmp_path / "any.png")
    made = fit(
        still,
        ratio,
        mode="extend",
        resolution="720p",
        upsample=True,
        path=tmp_path / "fitted.png",
    )
    assert (made.width_px, made.height_px) == frame_size(ratio, "720p")


@pytest.mark.parametrize("name", ["n" * 240, "bell\x07", "enlarged, made up"])
def test_a_strange_file_name_leaves_the_history_whole(
    cup: Still, offline: Path, tmp_path: Path, name: str
) -> None:
    """Neither its length nor its letters hide what was done, or feign it."""
    strange = cup.path.rename(cup.path.with_name(f"{name}.jpg"))
    whole = fit(Still.open(strange), "1:1", mode="extend", path=tmp_path / "whole.png")
    cut = fit(Still.open(strange), "1:1", path=tmp_path / "cut.png")
    assert "33% made up" in whole.history[0]
    assert "fitted" in {finding.kind for finding in preflight(whole).findings}
    assert cut.history
    assert "fitted" not in {finding.kind for finding in preflight(cut).findings}
