"""Where and when a score comes from: the worst moments of a clip, with frame, time and place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the frame, 0..1."""

_GRID_SIDE = 12
_BRIGHT = 0.6  # of the brightest cell
_APART_S = 0.5


@dataclass(frozen=True)
class Worst:
    """One of the worst moments of a score. value: in `unit`, of that moment; box: where."""

    name: str
    frame: int
    time_s: float
    value: float
    unit: str
    box: Box | None

    def to_json(self) -> dict[str, float | list[float] | None]:
        """Plain data."""
        return {
            "frame": self.frame,
            "time_s": self.time_s,
            "value": self.value,
            "box": None if self.box is None else list(self.box),
        }

    def __str__(self) -> str:
        place = "" if self.box is None else f", {where(self.box)}"
        return f"{self.value:.3g} {self.unit} at {self.time_s:.2f} s (frame {self.frame}){place}"


def explain(record: Mapping[str, Any], name: str, count: int = 3) -> tuple[Worst, ...]:
    """The worst moments of a headline or part, worst first, at least half a second apart.

    record: what `lab.score` yields. Empty where the clip has no value from moment to moment. Raises
    KeyError for a name that was not scored.
    """
    from lab.metrics import SPECS  # the table of metrics imports this module

    if name not in record["scores"]:
        raise KeyError(f"{name}: not scored; there are {', '.join(record['scores'])}")
    series = {
        int(frame): value
        for frame, value in record["series"].get(name, {}).items()
        if value is not None
    }
    boxes = record["boxes"].get(name.partition(".")[0], {})
    times = record["times_s"]
    found: list[Worst] = []
    for frame in sorted(series, key=lambda one: -abs(SPECS[name].flaw(series[one]))):
        if len(found) >= count:
            break
        if any(abs(times[frame] - worst.time_s) < _APART_S for worst in found):
            continue
        box = boxes.get(str(frame))
        unit = record["units"][name]
        found.append(
            Worst(name, frame, times[frame], series[frame], unit, tuple(box) if box else None)
        )
    return tuple(found)


def where(box: Box) -> str:
    """A box in words: "upper left", "middle", "nearly everywhere"."""
    left, top, right, bottom = box
    if (right - left) * (bottom - top) > 0.6:
        return "nearly everywhere"
    across = _third((left + right) / 2, ("left", "", "right"))
    down = _third((top + bottom) / 2, ("upper", "", "lower"))
    return " ".join(filter(None, (down, across))) or "middle"


def _third(share: float, names: tuple[str, str, str]) -> str:
    return names[min(2, int(share * 3))]


def brightest(values: NDArray[np.float32]) -> Box:
    """The box around the largest values of a field (h, w) and what adjoins them.

    Places without data are left out, unless there is none elsewhere.
    """
    height, width = values.shape
    side = max(1, min(height, width) // _GRID_SIDE)
    size = (max(1, width // side), max(1, height // side))
    known = np.isfinite(values)
    top, share = (
        cv2.resize(part.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        for part in (np.where(known, np.abs(values), 0), known)
    )
    cells = top / np.maximum(share, 1e-3)
    peak = np.unravel_index(int(np.argmax(np.where(share > 0, cells, -1))), cells.shape)
    bright = cells >= _BRIGHT * cells[peak]
    if known.any():
        bright &= share > 0
    _, labels = cv2.connectedComponents(bright.astype(np.uint8), connectivity=8)
    rows, columns = np.nonzero(labels == labels[peak])
    down, across = cells.shape
    return (
        round(float(columns.min() / across), 3),
        round(float(rows.min() / down), 3),
        round(float((columns.max() + 1) / across), 3),
        round(float((rows.max() + 1) / down), 3),
    )
