"""Open untrusted still images within fixed size limits, and write images."""

import hashlib
import io
import struct
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageCms, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from lab.errors import StillError
from lab.files import atomic_write, open_input_file

MAX_IMAGE_BYTES = 100_000_000
MAX_IMAGE_PIXELS = 100_000_000
MIN_SIDE_PX = 64
FORMATS = ("JPEG", "PNG", "WEBP")
_HISTORY_KEY = "i2v-lab history"  # PNG text chunk that holds the edit history
_MAX_STEPS = 20
_STEP_CHARS = 300
_PROFILE_CHARS = 60
_PROFILE_LEVELS = 18  # of each channel, at which a colour profile is tried


@dataclass(frozen=True)
class DecodedImage:
    """An image ready for use, with the conversions that were applied.

    rgb: (height, width, 3) uint8, upright, opaque, sRGB.
    changes: one clause per conversion ("alpha composited onto white").
    history: earlier edits, one clause each, as `write_image` recorded them in the file.
    sha256: the hash of the file's bytes, in hex.
    """

    rgb: NDArray[np.uint8]
    changes: tuple[str, ...]
    history: tuple[str, ...]
    sha256: str


def open_image(path: Path) -> DecodedImage:
    """Open a JPEG, PNG or WebP file.

    Raises StillError, in one line, for a file that is missing, unreadable, of another format,
    broken, larger than 100 MB or 100 megapixels, or with a side under 64 px.
    """
    path = Path(path)
    with open_input_file(path, StillError, MAX_IMAGE_BYTES) as file:
        data = file.read()
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str) -> DecodedImage:
    """Decode image bytes. `name` appears in messages only. Raises StillError like `open_image`."""
    try:
        with warnings.catch_warnings():
            # The size limit is checked below, before any pixel is decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # about EXIF fields that are not used
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            width, height = image.size
            if width * height > MAX_IMAGE_PIXELS:
                raise StillError(
                    f"{name}: {width}x{height} px is too large; at most "
                    f"{MAX_IMAGE_PIXELS // 1_000_000} megapixels"
                )
            if min(width, height) < MIN_SIDE_PX:
                raise StillError(
                    f"{name}: {width}x{height} px is too small; each side needs {MIN_SIDE_PX} px"
                )
            image.load()
            return _upright_opaque_rgb(image, hashlib.sha256(data).hexdigest())
    except Image.DecompressionBombError:
        raise StillError(
            f"{name}: too many pixels; at most {MAX_IMAGE_PIXELS // 1_000_000} megapixels"
        ) from None
    except UnidentifiedImageError:
        raise StillError(f"{name}: not an image; accepted are JPEG, PNG and WebP") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise StillError(f"{name}: broken image ({error}); save it again") from error


def _upright_opaque_rgb(image: Image.Image, sha256: str) -> DecodedImage:
    changes: list[str] = []
    history = _history(image)
    profile = image.info.get("icc_profile")
    if image.getexif().get(0x0112, 1) != 1:
        image = ImageOps.exif_transpose(image)
        changes.append("rotated upright as EXIF says")
    if getattr(image, "n_frames", 1) > 1:
        changes.append("first of several frames used")
    if image.mode in ("I;16", "I;16B", "I", "F"):
        wide = np.asarray(image, dtype=np.float64)
        image = Image.fromarray(np.clip(wide / 257, 0, 255).astype(np.uint8))
        changes.append("16 bits reduced to 8")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
        changes.append("alpha composited onto white")
    elif image.mode not in ("RGB", "L", "P"):
        changes.append(f"{image.mode} converted to RGB")
    if image.mode in ("RGBA", "P"):
        image = image.convert("RGB")
    if profile:
        image, change = _in_srgb(image, profile)
        changes += filter(None, [change])
    return DecodedImage(np.asarray(image.convert("RGB")), tuple(changes), history, sha256)


def _in_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
    """The image without its colour profile, as it is shown, and what was done to it.

    A profile that changes no code by more than 1 is sRGB by another name.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = _printable_step(ImageCms.getProfileDescription(source))[:_PROFILE_CHARS]
        to_srgb = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            image.mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
        if _changes_nothing(to_srgb, image.mode):
            return image, ""
        converted = ImageCms.applyTransform(image, to_srgb)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image, "colour profile ignored, because it is damaged or of another kind of image"
    assert converted is not None  # it would be None only if the image were changed in place
    return converted, f"colours converted from {name or 'their profile'} to sRGB"


def _changes_nothing(to_srgb: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """True for a conversion that moves none of the codes spread over all colours by more than 1."""
    if mode not in ("L", "RGB"):
        return False
    levels = np.linspace(0, 255, _PROFILE_LEVELS).round().astype(np.uint8)
    channels = len(mode)
    codes = np.stack(np.meshgrid(*[levels] * channels), axis=-1).reshape(1, -1, channels)
    before = Image.fromarray(codes if channels == 3 else codes[..., 0])
    after = ImageCms.applyTransform(before, to_srgb)
    assert after is not None
    moved = np.asarray(ImageChops.difference(before.convert("RGB"), after))
    return int(moved.max()) <= 1


def _history(image: Image.Image) -> tuple[str, ...]:
    """The steps that `write_image` recorded; empty if the text cannot come from `write_image`."""
    text = getattr(image, "text", {}).get(_HISTORY_KEY, "") if image.format == "PNG" else ""
    steps = [" ".join(step.split()) for step in str(text).split("\n") if step.strip()]
    valid = all(len(step) <= _STEP_CHARS and step.isprintable() for step in steps)
    return tuple(steps) if valid and len(steps) <= _MAX_STEPS else ()


def _printable_step(step: str) -> str:
    """A step in the form that `_history` accepts, whatever characters its file names contain."""
    line = " ".join(step.split())
    return "".join(letter if letter.isprintable() else "?" for letter in line)[:_STEP_CHARS]


def write_image(
    path: Path, rgb: NDArray[np.uint8], quality: int = 92, *, history: Sequence[str] = ()
) -> None:
    """Write an RGB array atomically in the format of the suffix: .jpg, .png or .webp.

    history: one line per edit of the image. Only PNG files store it, and only the last 20 lines.
    """
    info = PngInfo()
    if history:
        steps = [_printable_step(step) for step in history[-_MAX_STEPS:]]
        info.add_itxt(_HISTORY_KEY, "\n".join(steps))
    writers: dict[str, Callable[[Image.Image, Path], None]] = {
        ".jpg": lambda image, part: image.save(part, "JPEG", quality=quality),
        ".png": lambda image, part: image.save(part, "PNG", pnginfo=info),
        ".webp": lambda image, part: image.save(part, "WEBP", quality=quality),
    }
    save = writers[Path(path).suffix.lower()]
    with atomic_write(path) as part:
        save(Image.fromarray(rgb), part)
