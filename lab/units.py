"""Converts units and formats values: frames, pixels, bytes, seconds, dollars, escaped text."""

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
_CONTROL_CHARACTERS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls, without tab and line feed
    r"\u2028\u2029"  # line and paragraph separators
    r"\u202a-\u202e\u2066-\u206f"  # changes of text direction
    r"\ud800-\udfff]"  # surrogates: bytes of a file name that is not UTF-8
)


def frame_size(aspect_ratio: str, resolution: str) -> tuple[int, int]:
    """Width and height of a frame in pixels, both even. The resolution gives the short side.

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
    """The number of frames in a clip; at least one."""
    return max(1, round(duration_s * fps))


def diagonal_px(width_px: int, height_px: int) -> float:
    """The length of the frame's diagonal, to which motion is relative."""
    return math.hypot(width_px, height_px)


def number_text(value: float) -> str:
    """A measured value with three significant digits: 0.930, 12.0, 1200, 0."""
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(float(f"{value:.3g}"))))
    return f"{value:.2e}" if digits > 6 else f"{round(value, digits):.{max(digits, 0)}f}"


def bytes_text(count: float) -> str:
    """A size with a decimal unit: 512 B, 3.4 MB, 1.2 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.95:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def seconds_text(duration_s: float) -> str:
    """A duration: 0.4 s, 40 s, 3 min 20 s, 2 h 05 min."""
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
    """The text with control characters written as JSON escapes, except line feed and tab.

    The escapes keep a text from steering a terminal or changing its direction. JSON text keeps its
    meaning: a right-to-left override becomes \\u202e.
    """
    return _CONTROL_CHARACTERS.sub(lambda match: json.dumps(match[0])[1:-1], text)


def escape_line(text: str) -> str:
    """Like `escape_controls`, but line feeds and tabs are escaped too: the result is one line."""
    return escape_controls(text).replace("\n", "\\n").replace("\t", "\\t")


def escape_html(text: str) -> str:
    """The text with control characters escaped, then escaped for HTML and its attributes."""
    return html.escape(escape_controls(text))
