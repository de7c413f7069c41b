"""What is checked of a still: each check a number, its limit, and the remark beyond it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from lab.findings import Finding, Severity
from lab.stills.framing import crop_to_ratio, framing
from lab.stills.look import CUT_CONTACT, Box, Look, Subject, look
from lab.stills.needs import Needs
from lab.stills.still import Still
from lab.units import RATIOS, frame_size

MIN_SIDE_PX = 300  # what image-to-video services accept at least
# Set with the fifteen photographs of docs/preflight.md in view; it has what others gave, too.
SHARP = 0.75  # clean photographs .85 to .99, blurred by 2 to 5 px .17 to .59
FINE = 0.3  # clean photographs .38 to .75, enlarged twice .16 to .22
GRAIN_DN = 4.0  # clean photographs .3 to 2.5, with grain of 12 code values 7.1 to 8.5
BLOCKS = 1.45  # clean photographs 1.01 to 1.31, JPEG at quality 12 mostly 1.7 to 3.6
BLACK = 0.25  # clean photographs .00 to .16, where black fur or a black helmet is the subject
WHITE = 0.05  # clean photographs .00 to .034, where a white swan is
BUSY_EDGES = 0.065  # measured: calm grounds .00 to .058, undergrowth .076 to .145
SMALL_SUBJECT = 0.02
LARGE_SUBJECT = 0.9
HEADROOM = 0.015
SECOND_SUBJECT = 0.3
LOW_RESOLUTION = 1.3
CROP_LOSS = 0.3
CROP_CUT = 0.03


Status = Literal["fine", "note", "warning", "error", "not checked"]


@dataclass(frozen=True)
class Check:
    """One thing looked at. what: in words. value and limit in unit, None where nothing is measured.

    finding: the remark, None where all is well. skipped: why it could not be checked.
    """

    what: str
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    finding: Finding | None = None
    skipped: str = ""

    @property
    def status(self) -> Status:
        """The finding's severity, "fine", or "not checked"."""
        if self.skipped:
            return "not checked"
        return "fine" if self.finding is None else self.finding.severity


def amount(value: float, unit: str) -> str:
    """A measured value as people read it: shares in percent, other units behind the number."""
    if unit.startswith("share "):
        return f"{100 * value:.3g}% {unit.removeprefix('share ')}"
    return f"{value:g} {unit}".strip()


def room(still: Still, aspect_ratio: str | None = None) -> Box | None:
    """Room beside the subject in the frame of a ratio, as shares of that frame's sides; below 0
    where the frame cuts the subject. None when no subject is seen.
    """
    subject = look(still).subject
    if subject is None:
        return None
    left, top, width, height = frame(still, subject, aspect_ratio)
    box = subject.box
    return Box(
        left=(box.left - left) / width,
        right=(left + width - (1 - box.right)) / width,
        above=(box.above - top) / height,
        below=(top + height - (1 - box.below)) / height,
    )


def _measured(
    what: str,
    value: float,
    unit: str,
    *,
    most: float = math.inf,
    least: float = -math.inf,
    kind: str,
    says: str,
    fix: str,
    severity: Severity = "warning",
    digits: int = 3,
) -> Check:
    """A check that speaks when its value is beyond the most, or short of the least."""
    value = round(value, digits)
    limit = least if math.isinf(most) else most
    wrong = not least <= value <= most
    found = Finding(kind, severity, says, fix, value, limit, unit) if wrong else None
    return Check(what, value, limit, unit, found)


def size(
    still: Still, seen: Look, aspect_ratio: str | None, resolution: str | None, needs: Needs
) -> Iterator[Check]:
    """Pixels: what services refuse, and what the tier of publication needs."""
    short = min(still.width_px, still.height_px)
    yield _measured(
        "shorter side",
        short,
        "px",
        least=MIN_SIDE_PX,
        kind="too_small",
        says=f"the shorter side is {short} px and services refuse under {MIN_SIDE_PX} px",
        fix="take a larger still",
        severity="error",
    )
    if resolution is None:
        return
    ratio = aspect_ratio or "16:9"
    wanted = frame_size(ratio, resolution)[0] * needs.closer
    crop = crop_to_ratio(still.width_px, still.height_px, RATIOS[ratio])
    closer = f" of which the camera comes {needs.closer:.1f}x closer" if needs.closer > 1 else ""
    yield _measured(
        f"pixels for {resolution}",
        wanted / crop.width,
        "x",
        most=LOW_RESOLUTION,
        kind="low_resolution",
        says=f"a {resolution} frame{closer} needs {wanted / crop.width:.1f}x the pixels a side "
        "that the still has",
        fix="take a larger still or a lower resolution",
        digits=2,
    )


def quality(seen: Look) -> Iterator[Check]:
    """How the picture was taken and kept: detail, grain, blocks, clipping."""
    yield _measured(
        "sharpness",
        seen.sharp,
        "share of detail",
        least=SHARP,
        kind="soft",
        says="the still is soft and soft detail turns to mush in motion",
        fix="take a sharper still",
    )
    yield _measured(
        "detail for its size",
        seen.fine,
        "share of detail",
        least=FINE,
        kind="enlarged",
        says="the still holds no more detail than one of two thirds its size: it was enlarged or "
        "is out of focus",
        fix="take the original instead of an enlarged copy",
    )
    yield _measured(
        "grain",
        seen.noise_dn,
        "code values",
        most=GRAIN_DN,
        kind="noisy",
        says=f"grain of {seen.noise_dn:.1f} code values boils when it moves",
        fix="take a cleaner still, or reduce it before use",
        digits=2,
    )
    yield _measured(
        "JPEG blocks",
        seen.blocking,
        "x",
        most=BLOCKS,
        kind="blocky",
        says="the still shows the blocks of strong JPEG compression, which crawl in motion",
        fix="take the original file, saved at a higher quality",
        digits=2,
    )
    yield _measured(
        "blown highlights",
        seen.white,
        f"share of the {seen.white_in}",
        most=WHITE,
        kind="overexposed",
        says=f"{seen.white:.0%} of the {seen.white_in} is plain white and has nothing to move",
        fix="take a still with a shorter exposure",
    )
    yield _measured(
        "blocked shadows",
        seen.black,
        f"share of the {seen.black_in}",
        most=BLACK,
        kind="underexposed",
        says=f"{seen.black:.0%} of the {seen.black_in} is plain black and has nothing to move",
        fix="take a still with a longer exposure",
        severity="note",
    )


def composition(seen: Look) -> Iterator[Check]:
    """The subject: found or not, cut, its size, headroom, company, and the ground behind it."""
    if seen.subject is None:
        yield from _unseen(seen)
    else:
        yield from _seen(seen.subject)


def _unseen(seen: Look) -> Iterator[Check]:
    """No subject stands out, or it was not looked for: then nothing about it is checked."""
    if seen.looked:
        finding = Finding(
            "no_subject",
            "warning",
            "no dominant subject is seen",
            "take a still with one clear subject",
        )
        yield Check("subject", finding=finding)
        return
    finding = Finding(
        "subject_not_checked",
        "note",
        f"subject and clutter not checked, because {seen.unseen}",
        "run `lab weights` with a connection",
    )
    yield Check("subject", finding=finding, skipped=seen.unseen)
    for what in ("subject at the edge", "subject's size", "headroom", "subjects", "clutter"):
        yield Check(what, skipped=seen.unseen)


def _seen(subject: Subject) -> Iterator[Check]:
    yield Check("subject", round(subject.area, 2), None, "share of the picture")
    cut = {side: share for side, share in subject.touching.items() if share > CUT_CONTACT}
    yield _measured(
        "subject at the edge",
        max(subject.touching.values()),
        "share of the edge",
        most=CUT_CONTACT,
        kind="subject_cut",
        says=f"the subject is cut at the {' and '.join(cut)} edge",
        fix="take a still with room around the subject",
    )
    yield _measured(
        "subject's size",
        subject.area,
        "share of the picture",
        least=SMALL_SUBJECT,
        kind="subject_small",
        says=f"the subject fills only {subject.area:.1%} of the still",
        fix="go closer, or crop around it where the pixels allow",
        severity="note",
    )
    box = subject.box
    filled = (1 - box.left - box.right) * (1 - box.above - box.below)
    yield _measured(
        "subject fills the frame",
        filled,
        "share of the picture",
        most=LARGE_SUBJECT,
        kind="subject_large",
        says=f"the subject spans {filled:.0%} of the still and has nowhere to go",
        fix="take a wider still, or extend the canvas (fit, mode extend)",
        severity="note",
        digits=2,
    )
    if "top" not in cut:
        yield _measured(
            "headroom",
            subject.box.above,
            "share of the height",
            least=HEADROOM,
            kind="headroom",
            says="the subject ends right below the upper edge",
            fix="take a still with a little room above the subject",
            severity="note",
        )
    second = subject.parts[1] if len(subject.parts) > 1 else 0.0
    alike = sum(part > SECOND_SUBJECT for part in subject.parts)
    yield _measured(
        "subjects",
        second,
        "share of the largest",
        most=SECOND_SUBJECT,
        kind="several_subjects",
        says=f"{alike} separate subjects are seen, and the model may mix them up",
        fix="take a still with one subject, or name in the prompt which one acts",
        digits=2,
    )
    yield _measured(
        "clutter",
        subject.clutter,
        "share of edges",
        most=BUSY_EDGES,
        kind="busy",
        says="the ground behind the subject is busy and busy grounds get mangled",
        fix="take a still with a calmer ground",
    )


def ratio(still: Still, aspect_ratio: str | None) -> Iterator[Check]:
    """What the ratio of publication cuts away, and whether that is the subject."""
    if aspect_ratio is None:
        return
    crop = crop_to_ratio(still.width_px, still.height_px, RATIOS[aspect_ratio])
    lost = 1 - crop.width * crop.height / (still.width_px * still.height_px)
    yield _measured(
        f"lost to {aspect_ratio}",
        lost,
        "share of the picture",
        most=CROP_LOSS,
        kind="cropped",
        says=f"{aspect_ratio} cuts away {lost:.0%} of the still",
        fix=f"take a still framed for {aspect_ratio}, or extend the canvas (fit, mode extend)",
    )
    beside = room(still, aspect_ratio)
    if beside is None:
        return
    # What the still itself cuts is another check's; here only what the frame cuts beyond that.
    sides = {
        "left": beside.left,
        "right": beside.right,
        "top": beside.above,
        "bottom": beside.below,
    }
    worst = max(0.0, -min(sides.values()))
    named = " and ".join(side for side, share in sides.items() if -share > CROP_CUT)
    yield _measured(
        f"subject in {aspect_ratio}",
        worst,
        "share of the frame",
        most=CROP_CUT,
        kind="ratio_cuts_subject",
        says=f"a {aspect_ratio} frame cuts the subject at the {named}",
        fix="extend the canvas (fit, mode extend), or publish in another ratio",
    )


def room_to_move(
    still: Still, seen: Look, needs: Needs, aspect_ratio: str | None
) -> tuple[Check, ...]:
    wanted = {name: getattr(needs, name) for name in Box.__dataclass_fields__}
    wanted = {side: share for side, share in wanted.items() if share > 0}
    if not wanted and not needs.subject:
        return ()
    if not seen.looked:
        return (Check("room to move", skipped=seen.unseen),)
    beside = room(still, aspect_ratio)
    if beside is None:
        if not needs.subject:
            return ()
        finding = Finding(
            "needs_subject",
            "warning",
            "the motion needs a clear subject and none is seen",
            "take a still with one clear subject, or a motion that needs none, such as a pan",
        )
        return (Check("subject to move about", finding=finding),)
    return tuple(_beside(side, share, beside) for side, share in wanted.items())


def _beside(side: str, wanted: float, there: Box) -> Check:
    free = max(0.0, getattr(there, side))
    where = {"left": "left of", "right": "right of"}.get(side, side)
    return _measured(
        f"room {where} the subject",
        round(free, 2),
        "share of the frame",
        least=round(wanted, 2),
        kind="no_room",
        says=f"the motion needs {wanted:.0%} of the frame free {where} the subject and there is "
        f"{free:.0%}",
        fix="ask for less motion or the other direction, or extend the canvas that way (fit, mode "
        "extend, with the prompt)",
    )


def history(still: Still) -> Iterator[Check]:
    """What had to be changed to use the file, and what was made up before."""
    for change in still.changes:
        fix = "save it that way, so that every tool sees the same"
        finding = Finding("changed", "note", f"converted when it is read: {change}", fix)
        yield Check("file", finding=finding)
    for step in still.history:
        if step.endswith("made up") or step.startswith("enlarged"):
            finding = Finding(
                "fitted", "note", f"this still is no longer as taken: {step}", "look at it"
            )
            yield Check("history", finding=finding)


def frame(
    still: Still, subject: Subject | None, aspect_ratio: str | None
) -> tuple[float, float, float, float]:
    """The frame's left, top, width and height as shares of the still."""
    if aspect_ratio is None:
        return 0.0, 0.0, 1.0, 1.0
    if subject is None:
        crop = crop_to_ratio(still.width_px, still.height_px, RATIOS[aspect_ratio])
        height, width = still.height_px, still.width_px
    else:
        height, width = subject.alpha.shape
        # The kept mask may be a pixel off the still's own ratio, which the frame must not be.
        scale = Fraction(width, height) / Fraction(still.width_px, still.height_px)
        crop = framing((subject.alpha / 255).astype(np.float32), RATIOS[aspect_ratio] * scale)
    return crop.left / width, crop.top / height, crop.width / width, crop.height / height
