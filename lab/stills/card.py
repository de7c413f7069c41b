"""What preflight saw, as a picture and as a card for notebooks.

In the picture the ground is dimmed and the subject outlined in blue; what the frame of publication
cuts away is dark; an edge that cuts the subject has an orange bar; a dashed line shows where the
subject begins below the upper edge; beside it lies the room that the motion needs, green where it
is there and orange where the subject is in the way.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lab.media import data_uri, poster_jpeg
from lab.stills.checks import Check, amount
from lab.stills.look import CUT_CONTACT, Box, Look, Subject
from lab.stills.needs import Needs
from lab.stills.still import Still
from lab.units import escape_html

Shares = tuple[float, float, float, float]

_SIDE_PX = 360
_LONGEST_PX = 1280
# Of the palette of Okabe and Ito, which people of any colour vision tell apart.
_BLUE, _GREEN, _ORANGE = (86, 180, 233), (0, 158, 115), (230, 159, 0)
_MARKS = {"fine": "✓", "note": "i", "warning": "!", "error": "✗", "not checked": "–"}


def overlay(
    still: Still, seen: Look, frame: Shares, room: Box | None, needs: Needs
) -> NDArray[np.uint8]:
    """The still with what was seen drawn on it, (h, w, 3) uint8: its shorter side 360 px, or its
    longer one 1280 where that is less.

    frame: left, top, width and height of the frame of publication as shares of the still. room:
    what is free in it beside the subject, and needs: what should be.
    """
    rgb = still.rgb()
    scale = min(_SIDE_PX / min(rgb.shape[:2]), _LONGEST_PX / max(rgb.shape[:2]))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
    picture = cv2.resize(rgb, (width, height), interpolation=way)
    subject = seen.subject
    if subject is not None:
        alpha = cv2.resize(subject.alpha, (width, height), interpolation=cv2.INTER_LINEAR)
        dim = 0.45 + 0.55 * (alpha[..., None] / 255)
        picture = (picture * dim).round().astype(np.uint8)
        outline, _ = cv2.findContours(
            (alpha > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        picture = cv2.drawContours(picture, outline, -1, _BLUE, 2, cv2.LINE_AA)
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image, "RGBA")
    inside = _pixels(frame, width, height)
    _around(draw, inside, width, height)
    if subject is not None and room is not None:
        _needs(draw, inside, room, needs)
        left, right = subject.box.left * width, (1 - subject.box.right) * width
        _dashes(draw, left, right, subject.box.above * height)
        _cut_edges(draw, subject, width, height)
    return np.asarray(image)


def card(still: Still, checks: Sequence[Check], picture: NDArray[np.uint8]) -> str:
    """The overlay beside a table of every check, as HTML; everything in it is escaped."""
    name = escape_html(still.name)
    shown = data_uri(poster_jpeg(picture, _SIDE_PX * 2), ".jpg")
    rows = "".join(_row(check) for check in checks)
    history = "".join(f"<li>{escape_html(step)}</li>" for step in still.history)
    return (
        '<div class="mathjax_ignore" '
        'style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">'
        f'<figure style="margin:0"><img alt="still {name} with what preflight saw marked on it" '
        f'src="{shown}" style="max-width:360px;max-height:360px">'
        f"<figcaption>{name}, {still.width_px}x{still.height_px} px</figcaption>"
        + (f"<ul>{history}</ul>" if history else "")
        + '</figure><div style="flex:1 1 24em;min-width:0">'
        '<table><thead><tr><th></th><th style="text-align:left">check</th>'
        '<th style="text-align:right">measured</th><th style="text-align:right">limit</th>'
        '<th style="text-align:left">remark</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></div>"
    )


def _row(check: Check) -> str:
    measured = "" if check.value is None else amount(check.value, check.unit)
    limit = "" if check.limit is None else amount(check.limit, check.unit).split()[0]
    if check.skipped:
        said = f"not checked, because {check.skipped}"
    elif check.finding is None:
        said = ""
    else:
        said = f"{check.finding.says}; {check.finding.fix}"
    strong = "font-weight:bold" if check.status in ("warning", "error") else ""
    cells = (
        (_MARKS[check.status], f"text-align:center;{strong}"),
        (check.what, f"text-align:left;{strong}"),
        (measured, "text-align:right"),
        (limit, "text-align:right"),
        (said, "text-align:left"),
    )
    shown = "".join(f'<td style="{style}">{escape_html(text)}</td>' for text, style in cells)
    return f'<tr title="{escape_html(check.status)}">{shown}</tr>'


def _pixels(frame: Shares, width: int, height: int) -> Shares:
    """A frame in shares of the picture as left, top, right, bottom in pixels."""
    left, top, across, down = frame
    return left * width, top * height, (left + across) * width, (top + down) * height


def _around(draw: ImageDraw.ImageDraw, frame: Shares, width: int, height: int) -> None:
    """Darken what lies outside the frame of publication."""
    left, top, right, bottom = frame
    outside = ((0, 0, width, top), (0, bottom, width, height), (0, top, left, bottom))
    for area in (*outside, (right, top, width, bottom)):
        if area[2] - area[0] > 1 and area[3] - area[1] > 1:
            draw.rectangle(area, fill=(0, 0, 0, 170))
    draw.rectangle((left, top, right - 1, bottom - 1), outline=(255, 255, 255, 120))


def _needs(draw: ImageDraw.ImageDraw, frame: Shares, room: Box, needs: Needs) -> None:
    """The room that the motion needs beside the subject, and whether it is there."""
    left, top, right, bottom = frame
    width, height = right - left, bottom - top
    areas = {
        "left": (left, top, left + needs.left * width, bottom),
        "right": (right - needs.right * width, top, right, bottom),
        "above": (left, top, right, top + needs.above * height),
        "below": (left, bottom - needs.below * height, right, bottom),
    }
    for side, area in areas.items():
        wanted = getattr(needs, side)
        if wanted > 0:
            ink = _GREEN if getattr(room, side) >= wanted else _ORANGE
            draw.rectangle(area, fill=(*ink, 80), outline=(*ink, 255))


def _dashes(draw: ImageDraw.ImageDraw, left: float, right: float, y: float) -> None:
    for start in np.arange(left, right, 12):
        draw.line((start, y, min(start + 6, right), y), fill=(255, 255, 255, 255), width=2)


def _cut_edges(draw: ImageDraw.ImageDraw, subject: Subject, width: int, height: int) -> None:
    """A bar along every edge of the still that cuts the subject."""
    bars = {
        "left": (0, 0, 5, height),
        "right": (width - 6, 0, width, height),
        "top": (0, 0, width, 5),
    }
    for side, bar in bars.items():
        if subject.touching[side] > CUT_CONTACT:
            draw.rectangle(bar, fill=(*_ORANGE, 255))
