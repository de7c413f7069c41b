"""Opening untrusted images, and writing images."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from lab.errors import StillError
from lab.media import open_image, write_image
from lab.media.images import decode_image
from tests.tiers import examples

ORIENTATION = 0x0112


def _png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and contains no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))


def _truncated_png(path: Path, photo: np.ndarray) -> None:
    write_image(path, photo)
    path.write_bytes(path.read_bytes()[:20_000])


HOSTILE: dict[str, tuple[Callable[[Path, np.ndarray], None], str]] = {
    "truncated": (_truncated_png, "broken image"),
    "text": (lambda path, _: path.write_text("not a picture"), "not an image"),
    "empty": (lambda path, _: path.touch(), "not an image"),
    "folder": (lambda path, _: path.mkdir(), "is a folder"),
    "missing": (lambda path, _: None, "no such file"),
    "below a file": (lambda path, _: path.touch(), "cannot be read|no such file"),
    "one pixel": (lambda path, _: Image.new("RGB", (1, 1)).save(path), "too small.*64 px"),
    "400 megapixels": (
        lambda path, _: path.write_bytes(_png_header(20_000, 20_000)),
        "at most 100 megapixels",
    ),
    "121 megapixels": (
        lambda path, _: path.write_bytes(_png_header(11_000, 11_000)),
        "11000x11000 px.*at most 100 megapixels",
    ),
    "tiff": (lambda path, photo: Image.fromarray(photo).save(path, "TIFF"), "not an image"),
    "svg": (lambda path, _: path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>"), "JPEG"),
    "header only": (lambda path, _: path.write_bytes(_png_header(100, 100)), "broken image"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_unusable_file_is_refused(kind: str, tmp_path: Path, photo: np.ndarray) -> None:
    """One line names the file and says what is wrong with it."""
    make, message = HOSTILE[kind]
    path = tmp_path / "still.png"
    make(path, photo)
    if kind == "below a file":
        path = path / "inside.png"
    with pytest.raises(StillError, match=message) as refused:
        open_image(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    """A file over 100 MB is refused by its size."""
    path = tmp_path / "still.png"
    with path.open("wb") as file:
        file.truncate(100_000_001)
    with pytest.raises(StillError, match=r"100\.0 MB is too large; at most 100\.0 MB"):
        open_image(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_accepted_formats_are_preserved(suffix: str, tmp_path: Path, photo: np.ndarray) -> None:
    """A JPEG, PNG or WebP is read back without changes."""
    write_image(tmp_path / f"a{suffix}", photo)
    opened = open_image(tmp_path / f"a{suffix}")
    assert opened.rgb.shape == photo.shape
    assert opened.rgb.dtype == np.uint8
    assert opened.changes == ()
    assert np.abs(opened.rgb.astype(int) - photo).mean() < (0.01 if suffix == ".png" else 4)


def test_content_determines_the_format(tmp_path: Path, photo: np.ndarray) -> None:
    """A JPEG named .png opens."""
    write_image(tmp_path / "a.jpg", photo)
    (tmp_path / "a.jpg").rename(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png").rgb.shape == photo.shape


@pytest.mark.parametrize(
    ("orientation", "store"),
    [
        (3, lambda rgb: np.rot90(rgb, 2)),
        (6, lambda rgb: np.rot90(rgb, 1)),
        (8, lambda rgb: np.rot90(rgb, -1)),
        (2, lambda rgb: rgb[:, ::-1]),
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_exif_orientation_is_applied(
    orientation: int,
    store: Callable[[np.ndarray], np.ndarray],
    suffix: str,
    tmp_path: Path,
    photo: np.ndarray,
) -> None:
    """An image stored rotated or mirrored opens upright, and the change is reported."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.ascontiguousarray(store(photo))).save(path, exif=exif, lossless=True)
    opened = open_image(path)
    assert np.array_equal(opened.rgb, photo)
    assert opened.changes == ("rotated upright as EXIF says",)


def test_transparency_becomes_white(tmp_path: Path, photo: np.ndarray) -> None:
    """Transparent pixels become white; half transparent ones are mixed with white."""
    alpha = np.full(photo.shape[:2], 255, np.uint8)
    alpha[:100], alpha[100:200] = 0, 128
    Image.fromarray(np.dstack([photo, alpha])).save(tmp_path / "a.png")
    opened = open_image(tmp_path / "a.png")
    assert (opened.rgb[:100] == 255).all()
    half = photo[100:200].astype(float) * 128 / 255 + 255 * 127 / 255
    assert np.abs(opened.rgb[100:200] - half).max() <= 1.5
    assert np.array_equal(opened.rgb[200:], photo[200:])
    assert opened.changes == ("alpha composited onto white",)


def test_a_palette_with_transparency_becomes_white(tmp_path: Path) -> None:
    """A transparent palette colour becomes white too."""
    image = Image.new("P", (80, 80), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.save(tmp_path / "a.png", transparency=1)
    opened = open_image(tmp_path / "a.png")
    assert (opened.rgb == 255).all()
    assert opened.changes == ("alpha composited onto white",)


def test_cmyk_is_converted(tmp_path: Path, photo: np.ndarray) -> None:
    """A CMYK JPEG opens as RGB with similar colours, and the change is reported."""
    Image.fromarray(photo).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    opened = open_image(tmp_path / "a.jpg")
    assert opened.changes == ("CMYK converted to RGB",)
    assert np.abs(opened.rgb.astype(int) - photo).mean() < 4


def test_sixteen_bits_keep_their_brightness(tmp_path: Path) -> None:
    """A 16-bit grey PNG opens in 8 bits with the same brightness, and the change is reported."""
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (80, 1))
    Image.fromarray(ramp).save(tmp_path / "a.png")
    opened = open_image(tmp_path / "a.png")
    assert opened.changes == ("16 bits reduced to 8",)
    assert np.abs(opened.rgb[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_an_animation_gives_its_first_frame(tmp_path: Path, photo: np.ndarray) -> None:
    """The change is reported."""
    first, second = Image.fromarray(photo), Image.fromarray(255 - photo)
    first.save(tmp_path / "a.png", save_all=True, append_images=[second])
    opened = open_image(tmp_path / "a.png")
    assert np.array_equal(opened.rgb, photo)
    assert opened.changes == ("first of several frames used",)


def _small(kind: str) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010E] = "a description"
    buffer = io.BytesIO()
    ramp = np.add.outer(np.arange(80), np.arange(100)).astype(np.uint8)
    Image.fromarray(np.dstack([ramp, ramp.T[:80, :80].repeat(2, 1)[:, :100], ramp])).save(
        buffer, kind, exif=exif
    )
    return buffer.getvalue()


SMALL = {kind: _small(kind) for kind in ("JPEG", "PNG", "WEBP")}


@settings(max_examples=examples(400))
@given(
    kind=st.sampled_from(sorted(SMALL)),
    damage=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6),
    fraction=st.floats(0.1, 1),
)
def test_damaged_bytes_are_decoded_or_refused(
    kind: str, damage: list[tuple[int, int]], fraction: float
) -> None:
    """Damaged bytes, EXIF included, give an image or an error of one line."""
    content = bytearray(SMALL[kind])
    for position, value in damage:
        content[position % len(content)] = value
    message = ""
    sides = (80, 100)
    try:
        sides = decode_image(bytes(content[: int(len(content) * fraction)]), "x.img").rgb.shape[:2]
    except StillError as refused:
        message = str(refused)
    assert min(sides) >= 64
    assert message == "" or message.startswith("x.img: ")
    assert "\n" not in message


@pytest.mark.parametrize("header", [b"XX\x00*", b"MM\x00\xb0"])
def test_broken_exif_is_refused_in_one_line(header: bytes, tmp_path: Path) -> None:
    """An image with invalid EXIF raises StillError."""
    path = tmp_path / "a.webp"
    path.write_bytes(SMALL["WEBP"].replace(b"MM\x00*", header))
    with pytest.raises(StillError, match="broken image"):
        open_image(path)


def test_a_failed_write_leaves_no_file(tmp_path: Path, photo: np.ndarray) -> None:
    """An array that cannot be encoded leaves no file and no temporary file."""
    with pytest.raises(TypeError):
        write_image(tmp_path / "a.png", photo[..., :2].astype(np.float64))
    assert list(tmp_path.iterdir()) == []


def test_a_history_is_stored_within_bounds(tmp_path: Path, photo: np.ndarray) -> None:
    """PNG stores the last twenty steps as printable lines; other formats store none."""
    steps = [f"step {number}" for number in range(25)]
    write_image(tmp_path / "a.png", photo, history=[*steps, "two\nlines\x07" + "n" * 400])
    *earlier, last = open_image(tmp_path / "a.png").history
    assert earlier == steps[-19:]
    assert last.startswith("two lines?nnn")
    assert len(last) == 300
    write_image(tmp_path / "a.jpg", photo, history=steps)
    assert open_image(tmp_path / "a.jpg").history == ()


@pytest.mark.parametrize("text", ["bell\x07", "n" * 301, "\n".join("abcdefghijklmnopqrstu")])
def test_an_invalid_history_is_ignored(tmp_path: Path, photo: np.ndarray, text: str) -> None:
    """Unprintable characters, a long line or many lines: the image opens without its history."""
    info = PngInfo()
    info.add_itxt("i2v-lab history", text)
    Image.fromarray(photo).save(tmp_path / "a.png", pnginfo=info)
    opened = open_image(tmp_path / "a.png")
    assert opened.history == ()
    assert np.array_equal(opened.rgb, photo)


def _profile(gamma: float, red: tuple[float, float, float]) -> bytes:
    """An ICC profile with sRGB's green, blue and white, another red and a curve of that gamma."""

    def number(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def place(xyz: tuple[float, float, float]) -> bytes:
        return b"XYZ " + bytes(4) + b"".join(map(number, xyz))

    name = b"Test colours"
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name + bytes(79),
        b"wtpt": place((0.9642, 1.0, 0.8249)),
        b"rXYZ": place(red),
        b"gXYZ": place((0.3851, 0.7169, 0.0971)),
        b"bXYZ": place((0.1431, 0.0606, 0.7141)),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    begin = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        content += bytes(-len(content) % 4)
        table += tag + struct.pack(">II", begin + len(body), len(content))
        body += content
    white = b"".join(map(number, (0.9642, 1.0, 0.8249)))
    header = struct.pack(">I4xI4s4s4s", begin + len(body), 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + white
    return header.ljust(128, b"\0") + table + body


SRGB_RED = (0.4361, 0.2225, 0.0139)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_an_embedded_colour_profile_is_converted(
    suffix: str, tmp_path: Path, photo: np.ndarray
) -> None:
    """Codes of another curve become those of sRGB, and the change is named."""
    light = np.where(
        photo <= 0.04045 * 255, photo / 255 / 12.92, ((photo / 255 + 0.055) / 1.055) ** 2.4
    )
    stored = Image.fromarray(np.round(255 * light ** (1 / 1.8)).astype(np.uint8))
    path = tmp_path / f"a{suffix}"
    stored.save(path, icc_profile=_profile(1.8, SRGB_RED), quality=100)
    opened = open_image(path)
    assert opened.changes == ("colours converted from Test colours to sRGB",)
    assert np.abs(opened.rgb.astype(int) - photo).mean() < 3


def test_another_red_is_another_colour(tmp_path: Path) -> None:
    """A wider red is redder than any red of sRGB; grey stays grey."""
    pixels = np.full((80, 120, 3), 128, np.uint8)
    pixels[:, 60:] = (180, 60, 60)
    path = tmp_path / "a.png"
    wide = _profile(2.2, (0.5151, 0.2412, 0.0011))  # Display P3's red; the white is off for it
    Image.fromarray(pixels).save(path, icc_profile=wide)
    rgb = open_image(path).rgb.astype(int)
    assert rgb[40, 90, 0] > 190
    assert rgb[40, 90, 1] < 60


@pytest.mark.parametrize("profile", [b"damaged", bytes(200), b""])
def test_a_damaged_profile_is_ignored_and_named(
    profile: bytes, tmp_path: Path, photo: np.ndarray
) -> None:
    """The pixels stay as they are."""
    path = tmp_path / "a.png"
    Image.fromarray(photo).save(path, icc_profile=profile)
    opened = open_image(path)
    assert np.array_equal(opened.rgb, photo)
    assert [change for change in opened.changes if "profile ignored" in change] == list(
        opened.changes
    )
    assert bool(opened.changes) == bool(profile)


def test_a_profile_that_is_srgb_changes_nothing(tmp_path: Path, photo: np.ndarray) -> None:
    """Most cameras embed sRGB itself."""
    path = tmp_path / "a.png"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(photo).save(path, icc_profile=profile)
    opened = open_image(path)
    assert np.array_equal(opened.rgb, photo)
    assert opened.changes == ()
