"""A still is sent as pixels only: upright, opaque, cropped to the ratio, within the limits."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lab.backends.kling import pictures
from lab.backends.kling.pictures import EncodedPicture, PictureCache, sent_size
from lab.errors import StillError
from lab.stills import Still
from lab.vision import SubjectMask

MUCH = 50_000_000
Save = Callable[..., Still]


def _opened(picture: EncodedPicture) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(picture.base64, validate=True)))


@pytest.fixture
def saved(tmp_path: Path, photo: Any) -> Save:
    """A still of 16:9 from a photograph, saved in any mode and format."""

    def save(
        mode: str = "RGB", suffix: str = ".png", size: tuple[int, int] = (592, 333), **how: Any
    ) -> Still:
        image = Image.fromarray(photo).resize(size).convert(mode)
        path = tmp_path / f"still{suffix}"
        image.save(path, **how)
        return Still.open(path)

    return save


def test_the_pixels_are_those_of_the_still(saved: Save) -> None:
    """The PNG has exactly the pixels that the toolkit reads."""
    still = saved()
    picture = PictureCache().encode(still, "16:9", MUCH)
    assert _opened(picture).format == "PNG"
    assert np.array_equal(np.asarray(_opened(picture)), still.rgb())
    assert picture.notes == ("sent without its metadata",)


def test_no_metadata_is_sent(saved: Save) -> None:
    """Metadata such as the location of a photograph are removed."""
    exif = Image.Exif()
    exif[0x010F] = "secret camera"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 30.0)
    still = saved(suffix=".jpg", exif=exif, comment=b"secret comment")
    data = base64.b64decode(PictureCache().encode(still, "16:9", MUCH).base64)
    assert b"secret" not in data
    image = Image.open(io.BytesIO(data))
    assert not image.getexif()
    assert not image.info


def test_it_is_upright(saved: Save) -> None:
    """A photograph with an EXIF rotation is turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    still = saved(suffix=".jpg", size=(333, 592), exif=exif)
    picture = PictureCache().encode(still, "16:9", MUCH)
    assert _opened(picture).size == (592, 333)
    assert "rotated upright as EXIF says" in picture.notes


@pytest.mark.parametrize(
    ("mode", "suffix", "note"),
    [
        ("RGBA", ".png", ""),
        ("CMYK", ".jpg", "CMYK converted to RGB"),
        ("L", ".png", ""),
        ("RGB", ".webp", ""),
        ("P", ".png", ""),
    ],
)
def test_every_kind_of_file_becomes_rgb(saved: Save, mode: str, suffix: str, note: str) -> None:
    """Files that the service might reject or misread are sent as plain RGB."""
    picture = PictureCache().encode(saved(mode, suffix), "16:9", MUCH)
    image = _opened(picture)
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (592, 333))
    assert note in " ".join(picture.notes)


def test_transparency_becomes_white(tmp_path: Path) -> None:
    """A transparent picture becomes white, with a note."""
    path = tmp_path / "clear.png"
    Image.new("RGBA", (320, 320), (0, 0, 0, 0)).save(path)
    picture = PictureCache().encode(Still.open(path), "1:1", MUCH)
    assert np.asarray(_opened(picture)).min() == 255
    assert "alpha composited onto white" in picture.notes


@pytest.mark.parametrize("ratio", ["16:9", "9:16", "1:1"])
def test_it_is_cropped_to_the_ratio(coffee: Still, ratio: str) -> None:
    """The crop is as large as possible, has the predicted size, and has a note."""
    picture = PictureCache().encode(coffee, ratio, MUCH)
    width, height = map(int, ratio.split(":"))
    assert picture.width_px * height == picture.height_px * width
    assert (picture.width_px, picture.height_px) == sent_size(coffee, ratio)
    assert _opened(picture).size == sent_size(coffee, ratio)
    assert f"cropped from 600x400 to {picture.width_px}x{picture.height_px} px" in picture.notes[0]
    pixels = coffee.rgb()
    left, top = map(int, picture.notes[0].split(" at ")[1].split(" ")[0].split(","))
    part = pixels[top : top + picture.height_px, left : left + picture.width_px]
    assert np.array_equal(np.asarray(_opened(picture)), part)


def test_the_crop_contains_the_subject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Any
) -> None:
    """The crop contains the subject, also in a picture larger than the search size."""
    path = tmp_path / "wide.png"
    Image.fromarray(photo).resize((2400, 600)).save(path)

    def at_the_right(rgb: Any) -> Any:
        alpha = np.zeros(rgb.shape[:2], np.float32)
        alpha[:, -rgb.shape[1] // 8 :] = 1
        assert max(rgb.shape) == 1024
        return SubjectMask(alpha, "u2netp")

    monkeypatch.setattr(pictures, "subject_mask", at_the_right)
    picture = PictureCache().encode(Still.open(path), "1:1", MUCH)
    assert "600x600 px at 1800,0 around its subject" in picture.notes[0]


def test_too_large_for_a_png(saved: Save) -> None:
    """It is sent as a high-quality JPEG in full size."""
    picture = PictureCache().encode(saved(), "16:9", 150_000)
    assert (_opened(picture).format, _opened(picture).size) == ("JPEG", (592, 333))
    assert picture.notes[0].startswith("sent as JPEG")


@pytest.mark.parametrize("most", [60_000, 20_000, 5_000])
def test_too_large_for_a_jpeg(saved: Save, most: int) -> None:
    """Only if the JPEG is too large is it scaled down to fit."""
    picture = PictureCache().encode(saved(), "16:9", most)
    assert len(base64.b64decode(picture.base64)) <= most
    assert picture.width_px < 592
    assert picture.width_px / picture.height_px == pytest.approx(16 / 9, rel=0.03)
    assert "scaled down" in picture.notes[1]


class TestCache:
    """Many takes of one still share its encoded picture."""

    def test_it_is_encoded_once(self, saved: Save, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same picture is returned again."""
        keep, still = PictureCache(), saved()
        first = keep.encode(still, "16:9", MUCH)
        monkeypatch.setattr(pictures, "open_image", None)
        assert all(keep.encode(still, "16:9", MUCH) is first for _ in range(100))

    def test_the_cache_is_bounded(self, tmp_path: Path) -> None:
        """The cache is bounded by number and by size."""
        keep = PictureCache()
        for shade in range(12):
            path = tmp_path / f"{shade}.png"
            Image.new("RGB", (320, 320), (shade, 0, 0)).save(path)
            keep.encode(Still.open(path), "1:1", MUCH)
        assert len(keep._cache) == pictures._MAX_CACHED

    def test_large_ones_push_out_others(
        self, saved: Save, coffee: Still, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The latest picture always stays."""
        monkeypatch.setattr(pictures, "_MAX_CACHED_CHARS", 10)
        keep = PictureCache()
        keep.encode(coffee, "16:9", MUCH)
        keep.encode(saved(), "16:9", MUCH)
        assert len(keep._cache) == 1


def test_a_missing_file(saved: Save) -> None:
    """The message is one line that names the file."""
    still = saved()
    still.path.unlink()
    with pytest.raises(StillError, match=r"still\.png"):
        PictureCache().encode(still, "16:9", MUCH)
