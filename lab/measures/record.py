"""The typed record of everything that was measured on one clip, and its JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NotRequired, Self, TypedDict, final

from lab.metrics import LITERATURE, SPECS, ClipScores, Measured, MetricSpec, Score
from lab.metrics.explain import Box

SCHEMA_VERSION = 3
"""Schema 3 adds the confidence of each number. Schema 2 has one table of numbers. Schema 1 had no
version field and a table for each of value, unit, version and reason."""

_DIGITS = 9
"""Further digits depend on the order in which a processor adds."""
_HEADLINES = {name.partition(".")[0] for name in SPECS}


class _ClipJson(TypedDict):
    """The fields about the clip and its frames that both forms of a record have."""

    clip: str
    clip_sha256: str
    still: str | None
    simulated: bool
    width_px: int
    height_px: int
    fps: float
    frames: int
    duration_s: float
    series: dict[str, dict[str, float | None]]
    boxes: dict[str, dict[str, list[float]]]
    times_s: list[float]
    damage: str


@final
class ClipRecord(_ClipJson):
    """The record of a clip that `lab.score` yields. heatmaps: paths of films, if asked for."""

    scores: dict[str, float | None]
    reasons: dict[str, str]
    units: dict[str, str]
    versions: dict[str, int]
    confidence: dict[str, float]
    notes: list[str]
    heatmaps: NotRequired[list[str]]


class NumberJson(TypedDict):
    """A number as it is stored."""

    value: float | None
    unit: str
    version: int
    reason: str
    confidence: float | None


class MeasureJson(_ClipJson):
    """The record of a clip as it is stored."""

    schema: int
    numbers: dict[str, NumberJson]
    notes: dict[str, str]


@dataclass(frozen=True)
class Number:
    """One measured number, in `unit`. A value of NaN has a reason.

    version: the version of the metric's definition. confidence: how far the value can be believed
    on this clip, 0..1; NaN where nothing says.
    """

    value: float
    unit: str
    version: int
    reason: str = ""
    confidence: float = math.nan


@dataclass(frozen=True)
class Measure:
    """Everything that was measured on one clip.

    clip, still: the paths that were given; still is None when there was none. frames, duration_s:
    of the decoded video. numbers: by name of headline or part metric. series: by name, values by
    frame index; a frame may have no value, and NaN means no data. boxes: by headline metric and
    frame, the region that most of the value comes from. times_s: presentation time of each frame.
    notes: remarks by metric. damage: what is wrong with the file, "" for a sound one.
    """

    clip: str
    clip_sha256: str
    still: str | None
    simulated: bool
    width_px: int
    height_px: int
    fps: float
    frames: int
    duration_s: float
    numbers: Mapping[str, Number]
    series: Mapping[str, Mapping[int, float]]
    boxes: Mapping[str, Mapping[int, Box]]
    times_s: tuple[float, ...]
    notes: Mapping[str, str]
    damage: str

    @classmethod
    def from_scores(cls, scores: ClipScores) -> Self:
        """The record of scores that this version of i2v-lab computed."""
        facts = scores.clip.facts
        return cls(
            clip=str(scores.clip.path),
            clip_sha256=scores.clip.sha256,
            still=None if scores.still is None else str(scores.still.path),
            simulated=scores.clip.simulated,
            width_px=facts.width_px,
            height_px=facts.height_px,
            fps=facts.fps,
            frames=scores.frames,
            duration_s=round(scores.duration_s, 6),
            numbers={score.name: _number(SPECS[score.name], score) for score in scores.scores},
            series={
                name: {frame: _rounded(value) for frame, value in values.items()}
                for name, values in scores.series.items()
            },
            boxes=scores.boxes,
            times_s=tuple(round(time_s, 6) for time_s in scores.times_s),
            notes=scores.notes,
            damage=scores.damage,
        )

    def updated(self, newer: "Measure") -> "Measure":
        """This record updated with a newer one of the same clip.

        If the newer one decoded other frames, it replaces this one completely.
        """
        if self.times_s != newer.times_s:
            return newer
        measured = newer.numbers.keys()
        headlines = {name.partition(".")[0] for name in measured}
        older = {name: number for name, number in self.numbers.items() if name in SPECS}
        return replace(
            newer,
            numbers=older | dict(newer.numbers),
            series={k: v for k, v in self.series.items() if k in older.keys() - measured}
            | dict(newer.series),
            boxes={k: v for k, v in self.boxes.items() if k not in headlines} | dict(newer.boxes),
            notes={k: v for k, v in self.notes.items() if k in _HEADLINES - headlines}
            | dict(newer.notes),
        )

    def with_published(self, published: Measured) -> "Measure":
        """This record with the metrics that papers report, beside our own."""
        numbers = {score.name: _number(LITERATURE[score.name], score) for score in published.scores}
        notes = {**self.notes, "literature": published.note} if published.note else self.notes
        return replace(self, numbers={**self.numbers, **numbers}, notes=notes)

    def record(self) -> ClipRecord:
        """The plain data that `lab.score` yields. NaN becomes None."""
        return {
            **self._facts(),  # type: ignore[typeddict-item]  # it holds no optional key
            "scores": {name: _plain(number.value) for name, number in self.numbers.items()},
            "reasons": {name: n.reason for name, n in self.numbers.items() if n.reason},
            "units": {name: number.unit for name, number in self.numbers.items()},
            "versions": {name: number.version for name, number in self.numbers.items()},
            "confidence": {
                name: number.confidence
                for name, number in self.numbers.items()
                if not math.isnan(number.confidence)
            },
            "notes": [note for note in (self.damage, *self.notes.values()) if note],
        }

    def to_json(self) -> MeasureJson:
        """The plain data that is stored. NaN becomes None."""
        return {
            "schema": SCHEMA_VERSION,
            **self._facts(),
            "numbers": {
                name: {
                    "value": _plain(number.value),
                    "unit": number.unit,
                    "version": number.version,
                    "reason": number.reason,
                    "confidence": _plain(number.confidence),
                }
                for name, number in self.numbers.items()
            },
            "notes": dict(self.notes),
        }

    def _facts(self) -> _ClipJson:
        return {
            "clip": self.clip,
            "clip_sha256": self.clip_sha256,
            "still": self.still,
            "simulated": self.simulated,
            "width_px": self.width_px,
            "height_px": self.height_px,
            "fps": self.fps,
            "frames": self.frames,
            "duration_s": self.duration_s,
            "series": {
                name: {str(frame): _plain(value) for frame, value in values.items()}
                for name, values in self.series.items()
            },
            "boxes": {
                name: {str(frame): list(box) for frame, box in boxes.items()}
                for name, boxes in self.boxes.items()
            },
            "times_s": list(self.times_s),
            "damage": self.damage,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote, in this or an older schema.

        Raises ValueError, TypeError, KeyError, AttributeError or OverflowError for anything else.
        """
        schema = data.get("schema", 1)
        if not (isinstance(schema, int) and 1 <= schema <= SCHEMA_VERSION):
            raise ValueError(f"schema {schema!r}, and this i2v-lab reads 1 to {SCHEMA_VERSION}")
        if schema == 1:
            data = _from_schema_1(data)
        measure = cls(
            clip=str(data["clip"]),
            clip_sha256=str(data["clip_sha256"]),
            still=None if data["still"] is None else str(data["still"]),
            simulated=bool(data["simulated"]),
            width_px=int(data["width_px"]),
            height_px=int(data["height_px"]),
            fps=float(data["fps"]),
            frames=int(data["frames"]),
            duration_s=float(data["duration_s"]),
            numbers={
                str(name): Number(
                    _value(one["value"]),
                    str(one["unit"]),
                    int(one["version"]),
                    str(one["reason"]),
                    _value(one.get("confidence")),
                )
                for name, one in data["numbers"].items()
            },
            series={
                str(name): {int(frame): _value(value) for frame, value in values.items()}
                for name, values in data["series"].items()
            },
            boxes={
                str(name): {int(frame): _box(box) for frame, box in boxes.items()}
                for name, boxes in data["boxes"].items()
            },
            times_s=tuple(float(time_s) for time_s in data["times_s"]),
            notes={str(name): str(note) for name, note in data["notes"].items()},
            damage=str(data["damage"]),
        )
        measure._check()
        return measure

    def _check(self) -> None:
        """Raise ValueError for a record that no measurement produces."""
        for name, number in self.numbers.items():
            if math.isnan(number.value) and not number.reason:
                raise ValueError(f"{name} has neither a value nor a reason")
        for by_frame in (*self.series.values(), *self.boxes.values()):
            if any(not 0 <= frame < len(self.times_s) for frame in by_frame):
                raise ValueError("a series goes beyond the clip's frames")


def _number(spec: MetricSpec, score: Score) -> Number:
    """A score with the unit and version of its definition."""
    confidence = round(score.confidence, 3)  # NaN stays NaN
    return Number(_rounded(score.value), spec.unit, spec.version, score.reason, confidence)


def _from_schema_1(data: Mapping[str, Any]) -> dict[str, Any]:
    """A record of schema 1 in schema 2. Schema 1 had notes without the names of their metrics."""
    reasons, versions = data["reasons"], data["versions"]
    return {
        **data,
        "numbers": {
            name: {
                "value": value,
                "unit": data["units"][name],
                "version": versions[name],
                "reason": reasons.get(name, ""),
            }
            for name, value in data["scores"].items()
        },
        "notes": {f"note {index}": note for index, note in enumerate(data["notes"])},
        "damage": "",
    }


def _rounded(value: float) -> float:
    return value if math.isnan(value) else float(f"{value:.{_DIGITS}g}")


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _value(plain: float | None) -> float:
    return math.nan if plain is None else float(plain)


def _box(sides: Any) -> Box:
    left, top, right, bottom = (float(side) for side in sides)
    return left, top, right, bottom
