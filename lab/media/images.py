"""Open still images that a stranger may have made, within stated bounds."""

import io
import struct
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from lab.errors import StillError
from lab.files import atomic_write, open_input_file

MAX_IMAGE_BYTES = 100_000_000
MAX_IMAGE_PIXELS = 100_000_000
MIN_SIDE_PX = 64
FORMATS = ("JPEG", "PNG", "WEBP")
_HISTORY_KEY = "i2v-lab history"
_MAX_STEPS = 20
_STEP_CHARS = 300


@dataclass(frozen=True)
class OpenedImage:
    """An image as it will be used, and what had to be changed to get there.

    rgb: (height, width, 3) uint8, upright, opaque.
    changes: one clause for each change ("rotated upright as EXIF says", "alpha laid on white").
    history: what was done to the picture before, as far as the file says so in our own words.
    """

    rgb: NDArray[np.uint8]
    changes: tuple[str, ...]
    history: tuple[str, ...] = ()


def open_image(path: Path) -> OpenedImage:
    """Open a JPEG, PNG or WebP file.

    Raises StillError, in one line, for a file that is absent, unreadable, of another kind, broken,
    larger than 100 MB or 100 megapixels, or with a side under 64 px.
    """
    path = Path(path)
    with open_input_file(path, StillError, MAX_IMAGE_BYTES) as file:
        data = file.read()
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str) -> OpenedImage:
    """Decode image bytes; `name` is only used in messages. Raises StillError as `open_image`."""
    try:
        with warnings.catch_warnings():
            # Our own bound is checked below, before any pixel is decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # remarks on EXIF nobody here reads
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
            return _upright_opaque_rgb(image)
    except Image.DecompressionBombError:
        raise StillError(
            f"{name}: too many pixels; at most {MAX_IMAGE_PIXELS // 1_000_000} megapixels"
        ) from None
    except UnidentifiedImageError:
        raise StillError(f"{name}: not an image; accepted are JPEG, PNG and WebP") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise StillError(f"{name}: broken image ({error}); save it again") from error


def _upright_opaque_rgb(image: Image.Image) -> OpenedImage:
    changes: list[str] = []
    history = _history(image)
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
        changes.append("alpha laid on white")
    elif image.mode not in ("RGB", "L", "P"):
        changes.append(f"{image.mode} converted to RGB")
    return OpenedImage(np.asarray(image.convert("RGB")), tuple(changes), history)


def _history(image: Image.Image) -> tuple[str, ...]:
    """The steps written by `write_image`; nothing for a text that is not of that form."""
    text = getattr(image, "text", {}).get(_HISTORY_KEY, "") if image.format == "PNG" else ""
    steps = [" ".join(step.split()) for step in str(text).split("\n") if step.strip()]
    plain = all(len(step) <= _STEP_CHARS and step.isprintable() for step in steps)
    return tuple(steps) if plain and len(steps) <= _MAX_STEPS else ()


def _plain(step: str) -> str:
    """A step as `_history` takes it back, whatever a file's name brought into it."""
    line = " ".join(step.split())
    return "".join(letter if letter.isprintable() else "?" for letter in line)[:_STEP_CHARS]


def write_image(
    path: Path, rgb: NDArray[np.uint8], quality: int = 92, *, history: Sequence[str] = ()
) -> None:
    """Write an RGB array as the kind its suffix names (.jpg, .png, .webp), whole or not at all.

    history: what was done to the picture, a line a step, the last twenty; kept in PNG files only.
    """
    told = PngInfo()
    if history:
        told.add_itxt(_HISTORY_KEY, "\n".join(_plain(step) for step in history[-_MAX_STEPS:]))
    kinds: dict[str, Callable[[Image.Image, Path], None]] = {
        ".jpg": lambda image, part: image.save(part, "JPEG", quality=quality),
        ".png": lambda image, part: image.save(part, "PNG", pnginfo=told),
        ".webp": lambda image, part: image.save(part, "WEBP", quality=quality),
    }
    save = kinds[Path(path).suffix.lower()]
    with atomic_write(path) as part:
        save(Image.fromarray(rgb), part)
