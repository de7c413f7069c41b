"""Conversions between the units of the names: seconds, frames, pixels, ratios, bytes, dollars."""

import html
import json
import math
import re
from fractions import Fraction

from lab.errors import InputError

RATIOS = {
    "16:9": Fraction(16, 9),
    "9:16": Fraction(9, 16),
    "1:1": Fraction(1, 1),
    "4:3": Fraction(4, 3),
    "3:4": Fraction(3, 4),
}
SHORT_SIDE_PX = {"720p": 720, "1080p": 1080, "4k": 2160}
_STEERING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, escape among them; not tab and line feed
    r"\u2028\u2029"  # other ends of a line
    r"\u202a-\u202e\u2066-\u206f"  # turn the direction of what follows
    r"\ud800-\udfff]"  # bytes of a file name that are no UTF-8, which nothing can print
)


def frame_size(aspect_ratio: str, resolution: str) -> tuple[int, int]:
    """Width and height in pixels, both even, of a frame: the short side is the tier's.

    >>> frame_size("16:9", "720p")
    (1280, 720)
    >>> frame_size("9:16", "1080p")
    (1080, 1920)
    """
    if aspect_ratio not in RATIOS:
        raise InputError(f"aspect_ratio {aspect_ratio!r}: accepted are {', '.join(RATIOS)}")
    if resolution not in SHORT_SIDE_PX:
        raise InputError(f"resolution {resolution!r}: accepted are {', '.join(SHORT_SIDE_PX)}")
    ratio, short = RATIOS[aspect_ratio], SHORT_SIDE_PX[resolution]
    long = 2 * round(short * max(ratio, 1 / ratio) / 2)
    return (long, short) if ratio >= 1 else (short, long)


def frame_count(duration_s: float, fps: float) -> int:
    """Frames in a clip of that length; at least one."""
    return max(1, round(duration_s * fps))


def diagonal_px(width_px: int, height_px: int) -> float:
    """Length of the frame's diagonal in pixels, the yardstick of every motion unit."""
    return math.hypot(width_px, height_px)


def number_text(value: float) -> str:
    """A measured value with three digits, zeros at the end included: 0.930, 12.0, 1200, 0."""
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(float(f"{value:.3g}"))))
    return f"{value:.2e}" if digits > 6 else f"{round(value, digits):.{max(digits, 0)}f}"


def bytes_text(count: float) -> str:
    """A size people read: 512 B, 3.4 MB, 1.2 GB (powers of 1000)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.95:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def seconds_text(duration_s: float) -> str:
    """A duration people read: 40 s, 3 min 20 s, 2 h 05 min."""
    total = round(duration_s)
    if duration_s < 1:
        return f"{duration_s:.1f} s" if duration_s > 0 else "0 s"
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"


def usd_text(low_usd: float, high_usd: float | None = None) -> str:
    """A price or a price interval: 0 USD, 8.40 USD, 8.40 to 11.20 USD."""
    if high_usd is None or math.isclose(low_usd, high_usd):
        return "0 USD" if low_usd == 0 else f"{low_usd:.{2 if low_usd >= 0.01 else 4}f} USD"
    return f"{low_usd:.2f} to {high_usd:.2f} USD"


def escape_controls(text: str) -> str:
    """The text with every character that steers a terminal or turns a line written out.

    Written as in JSON (\\u202e for a right-to-left override), so that JSON stays the same data.
    Line feeds and tabs stay.
    """
    return _STEERING.sub(lambda found: json.dumps(found[0])[1:-1], text)


def escape_line(text: str) -> str:
    """Like `escape_controls`, but line feeds and tabs are escaped too: the result is one line."""
    return escape_controls(text).replace("\n", "\\n").replace("\t", "\\t")


def escape_html(text: str) -> str:
    """The visible text, escaped for HTML and its attributes."""
    return html.escape(escape_controls(text))
