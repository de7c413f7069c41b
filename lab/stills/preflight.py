"""Check a still before anything is paid: the still caps the motion."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.files import file_name, make_writable_folder
from lab.findings import Finding, worst_first
from lab.media import write_image
from lab.stills.card import card, overlay
from lab.stills.checks import (
    Check,
    amount,
    composition,
    frame,
    history,
    quality,
    ratio,
    room,
    room_to_move,
    size,
)
from lab.stills.look import Box, Look, look
from lab.stills.needs import Needs
from lab.stills.still import Still
from lab.units import escape_line, frame_size


@dataclass(frozen=True, repr=False)
class Preflight:
    """Everything that was checked about a still, and the facts it rests on.

    aspect_ratio: the ratio of publication, "" when none was named.
    """

    still: Still
    checks: tuple[Check, ...]
    look: Look = field(compare=False)
    aspect_ratio: str = ""
    needs: Needs = field(default_factory=Needs)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The remarks, worst first; empty when there is nothing to say."""
        return worst_first(check.finding for check in self.checks if check.finding is not None)

    @property
    def frame(self) -> tuple[float, float, float, float]:
        """Left, top, width and height of the frame of publication, as shares of the still."""
        return frame(self.still, self.look.subject, self.aspect_ratio or None)

    @property
    def room(self) -> Box | None:
        """Room beside the subject in that frame; None when no subject is seen."""
        return room(self.still, self.aspect_ratio or None)

    def __repr__(self) -> str:
        kinds = ", ".join(finding.kind for finding in self.findings) or "no findings"
        return f"Preflight({self.still.name!r}: {kinds})"

    def __str__(self) -> str:
        size = f"{self.still.width_px}x{self.still.height_px} px"
        quiet = "" if self.findings else ", no findings"
        lines = [f"{escape_line(str(self.still.path))}: {size}{quiet}"]
        for finding in self.findings:
            measured = ""
            if finding.value is not None and finding.limit is not None:
                value, limit = (amount(x, finding.unit) for x in (finding.value, finding.limit))
                measured = f" [{value}, limit {limit.split()[0]}]"
            lines.append(f"  {finding.severity}: {finding.says}{measured}; {finding.fix}")
        skipped: dict[str, list[str]] = {}
        for check in self.checks:
            if check.skipped:
                skipped.setdefault(check.skipped, []).append(check.what)
        lines += [
            f"  not checked: {', '.join(names)}, because {why}" for why, names in skipped.items()
        ]
        not_asked = [] if self.aspect_ratio else ["the ratio (--ratio)"]
        if not any(check.what.startswith("pixels for") for check in self.checks):
            not_asked.append("pixels for a tier (--resolution)")
        lines += [f"  not asked for: {', '.join(not_asked)}"] if not_asked else []
        lines += [f"  history: {step}" for step in self.still.history]
        return "\n".join(lines)

    def overlay(self) -> NDArray[np.uint8]:
        """The still with what was seen drawn on it; `lab.stills.card` says what the marks mean."""
        return overlay(self.still, self.look, self.frame, self.room, self.needs)

    def save_overlay(self, folder: str | Path) -> Path:
        """Write `overlay` as a PNG file into a folder, created if missing; returns its path."""
        ending = f"-{self.still.sha256[:8]}-preflight.png"
        path = make_writable_folder(Path(folder)) / file_name(self.still.path.stem, ending)
        write_image(path, self.overlay())
        return path

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            **self.still.to_json(),
            "findings": [finding.to_json() for finding in self.findings],
            "checks": [
                {
                    "what": check.what,
                    "status": check.status,
                    "value": check.value,
                    "limit": check.limit,
                    "unit": check.unit,
                    "not_checked_because": check.skipped,
                }
                for check in self.checks
            ],
        }

    def _repr_html_(self) -> str:
        return card(self.still, self.checks, self.overlay())


def preflight(
    still: Still | str | Path,
    *,
    aspect_ratio: str | None = None,
    resolution: str | None = None,
    needs: Needs | None = None,
) -> Preflight:
    """Check a still, or the one at a path; `_repr_html_` shows it as a picture card in notebooks.

    aspect_ratio and resolution: what the clip will be published in; without them the checks that
    need them are left out, and a name that does not exist raises InputError. needs: what the motion
    asks of the still, as `Prompt.needs` says. Checks of the subject say "not checked, because" when
    its mask's weights cannot be had.
    """
    frame_size(aspect_ratio or "16:9", resolution or "720p")  # refuses names that do not exist
    asked = needs or Needs()
    still = Still.of(still)
    seen = look(still)
    checks = [
        *size(still, seen, aspect_ratio, resolution, asked),
        *quality(seen),
        *composition(seen),
        *ratio(still, aspect_ratio),
        *room_to_move(still, seen, asked, aspect_ratio),
        *history(still),
    ]
    return Preflight(still, tuple(checks), seen, aspect_ratio or "", asked)


def room_findings(
    still: Still, needs: Needs, *, aspect_ratio: str | None = None
) -> tuple[Finding, ...]:
    """Only the remarks on what a motion asks of the still: room in its way, and a subject.

    aspect_ratio: the frame that the still is cut to first; its own when None.
    """
    checks = room_to_move(still, look(still), needs, aspect_ratio)
    return tuple(check.finding for check in checks if check.finding is not None)
