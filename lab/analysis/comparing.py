"""Compares takes by the levels of each factor: median scores and camera moves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lab.analysis.compliance import MIN_COMPLIANCE, by_term, compliance
from lab.analysis.loading import load
from lab.analysis.matched_motion import TOO_STILL, describe_motion_lines
from lab.analysis.results import Results
from lab.errors import InputError, did_you_mean
from lab.metrics import JUDGED
from lab.takes import lines_by_reason
from lab.units import escape_controls, escape_html, number_text

_HEADINGS = {"too_still": TOO_STILL}
_LEGEND = (
    "speed: a multiple of the speed that the vocabulary expects at that pace; seen: the move that "
    "fits the measured camera motion best"
)
_BY_TAKE = (
    f"compliance: 1 for exactly the requested motion, 0 for none of it; from {MIN_COMPLIANCE:g} "
    "the outcome is did; combined_with: a second move that is a large part of the motion; alike: "
    "moves that look the same because no subject was followed"
)
_BY_TERM = "low, high: 95 % interval of the share of judged takes that did"


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Tables that compare levels. They are descriptive: no difference is tested.

    medians: by factor, a table with one row per level: the median of each headline, the number of
    takes, and the number too still to judge; empty if only the camera is compared. camera: one row
    per camera term with the counts of `by_term`, or, if only the camera is compared, one row per
    take and term. matched: the medians are at matched motion. motion_notes: lines that say whether
    the medians are at matched motion and which takes are too still.
    """

    results: Results
    medians: Mapping[str, pd.DataFrame]
    camera: pd.DataFrame
    matched: bool = False
    motion_notes: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines below the tables: motion notes, unmeasured clips, unusable stills, remarks."""
        not_fresh = lines_by_reason(self.results.not_fresh)
        if not self.medians:
            return tuple(not_fresh)
        stills = self.results.still_errors.values()
        return (*self.motion_notes, *not_fresh, *stills, *self.results.remarks)

    @property
    def legend(self) -> str:
        """The meaning of the columns in `camera`; "" if it is empty."""
        if not len(self.camera):
            return ""
        return f"{_BY_TERM if self.medians else _BY_TAKE}; {_LEGEND}"

    def to_json(self) -> list[dict[str, Any]]:
        """One plain row per factor and level, or, without medians, per take and camera term."""
        if not self.medians:
            return _records(self.camera)
        return [
            {"factor": factor, "level": row.pop(factor), "matched": self.matched, **row}
            for factor, table in self.medians.items()
            for row in _records(table)
        ]

    def __str__(self) -> str:
        blocks = [
            table.rename(columns=_HEADINGS).to_string(index=False, float_format="{:.3g}".format)
            for table in self.medians.values()
        ]
        if not self.medians:
            blocks.append(_camera_text(self._camera_by_take()))
        elif len(self.camera):
            blocks.append("Camera moves, requested and recognised:\n" + _camera_text(self.camera))
        return "\n\n".join(blocks)

    def __repr__(self) -> str:
        return f"Comparison({self.results!r}, by {', '.join(self.medians) or 'take'})"

    def _repr_html_(self) -> str:
        tables = [table.rename(columns=_HEADINGS) for table in self.medians.values()]
        if not self.medians:
            tables.append(self._camera_by_take())
        elif len(self.camera):
            tables.append(self.camera)
        # Without the class, MathJax reads dollars in level names as formulas.
        html = "".join(
            table.to_html(
                index=False, float_format=number_text, na_rep="-", classes=["mathjax_ignore"]
            )
            for table in tables
        )
        notes = "".join(
            f"<p>{escape_html(note)}</p>" for note in (*self.notes, self.legend) if note
        )
        return escape_controls(html) + notes

    def _camera_by_take(self) -> pd.DataFrame:
        run = ["run"] if len(self.results.runs) > 1 else []
        takes = self.results.takes[["take_id", *run, "still", "prompt"]]
        return takes.merge(self.camera.drop(columns="backend"), on="take_id")


def compare(
    runs: Results | str | Path | Sequence[str | Path] | Mapping[str, str | Path],
    *,
    by: str | None = None,
    raw: bool = False,
    camera: bool = False,
) -> Comparison:
    """Compare the takes of one or several runs by the levels of each factor.

    runs: a `Results`, or whatever `lab.load` accepts. by: the factor; all varied ones when None.
    raw: use scores as measured, including takes too still to judge, instead of scores at matched
    motion. camera: compare only requested and recognised camera moves, take by take. Raises
    InputError for an unknown factor, for runs in which nothing varies, and like `lab.load`.
    """
    results = runs if isinstance(runs, Results) else load(runs)
    camera_moves = compliance(results)
    if camera:
        return Comparison(results, {}, camera_moves)
    if by is not None and by not in results.factors:
        raise InputError(f"{by!r} is not a factor of this run; {did_you_mean(by, results.factors)}")
    factors = [by] if by is not None else list(results.varied)
    if not factors:
        path = results.runs[0].folder.path
        raise InputError(f"{path}: no factor varies, so there is nothing to compare")
    medians = {factor: results.summary(factor, matched=not raw) for factor in factors}
    matched = not raw and any(not results.motion_lines[name].reason for name in JUDGED)
    return Comparison(results, medians, by_term(camera_moves), matched, _motion_notes(results, raw))


def _motion_notes(results: Results, raw: bool) -> tuple[str, ...]:
    notes = ["As measured." if raw else describe_motion_lines(results.motion_lines)]
    if results.too_still:
        counted = "but counted" if raw else "counted only in the median of motion"
        notes.append(f"{TOO_STILL}, {counted}:")
        notes += [f"  {take_id}  {results.title(take_id)}" for take_id in results.too_still]
    return tuple(notes)


def _camera_text(table: pd.DataFrame) -> str:
    return table.to_string(index=False, float_format="{:.2f}".format, na_rep="-")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records"))
    return rows
