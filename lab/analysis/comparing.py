"""Compare the takes of runs by factor: median scores, and what the camera did."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lab.analysis.compliance import by_term, compliance
from lab.analysis.loading import load
from lab.analysis.matched import TOO_STILL, describe_lines
from lab.analysis.results import Results
from lab.errors import InputError, did_you_mean
from lab.metrics import JUDGED
from lab.takes import lines_by_reason
from lab.units import escape_controls, escape_html, number_text

_HEADINGS = {"too_still": TOO_STILL}
_LEGEND = (
    "compliance: 1 is what was asked and nothing else, 0 none of it; speed: a multiple of what the "
    "vocabulary expects at that pace; seen: the one move that explains the camera's course best"
)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Tables of what differs between the levels of each factor. No test is made.

    medians: by factor, one row a level: the median of each headline, how many takes there are, and
    how many of them are too still to judge. matched: the medians are at matched motion.
    camera: one row a camera term, with medians of its compliance and speed; where the camera alone
    was asked for, one row a take and term. scale: how the scores were compared, in lines.
    """

    results: Results
    medians: Mapping[str, pd.DataFrame]
    camera: pd.DataFrame
    matched: bool = False
    scale: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know besides the tables, one line each."""
        not_fresh = lines_by_reason(self.results.not_fresh)
        if not self.medians:
            return tuple(not_fresh)
        stills = self.results.still_errors.values()
        return (*self.scale, *not_fresh, *stills, *self.results.remarks)

    @property
    def legend(self) -> str:
        """What the columns of the camera's table mean; "" where it is empty."""
        return _LEGEND if len(self.camera) else ""

    def to_json(self) -> list[dict[str, Any]]:
        """Plain rows: one a factor and level, or one a take and camera term."""
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
            blocks.append("Camera, asked and seen:\n" + _camera_text(self.camera))
        return "\n\n".join(blocks)

    def __repr__(self) -> str:
        return f"Comparison({self.results!r}, by {', '.join(self.medians) or 'take'})"

    def _repr_html_(self) -> str:
        tables = [table.rename(columns=_HEADINGS) for table in self.medians.values()]
        if not self.medians:
            tables.append(self._camera_by_take())
        elif len(self.camera):
            tables.append(self.camera)
        # Dollars in names of levels are no formulas.
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
        asked = self.results.takes[["take_id", *run, "still", "prompt"]]
        return asked.merge(self.camera.drop(columns="backend"), on="take_id")


def compare(
    runs: Results | str | Path | Sequence[str | Path] | Mapping[str, str | Path],
    *,
    by: str | None = None,
    raw: bool = False,
    camera: bool = False,
) -> Comparison:
    """Compare the takes of a run, or of several, by level of each factor; `print` shows it.

    runs: loaded results, or what `lab.load` takes. by: one factor; every varied one when None. raw:
    scores as measured, not at matched motion; takes too still to judge count. camera: only what
    the camera did of what was asked, by take. Raises InputError for an unknown factor and where
    nothing was varied, and as `lab.load`.
    """
    results = runs if isinstance(runs, Results) else load(runs)
    course = compliance(results)
    if camera:
        return Comparison(results, {}, course)
    if by is not None and by not in results.factors:
        raise InputError(f"{by!r} is not a factor of this run; {did_you_mean(by, results.factors)}")
    factors = [by] if by is not None else list(results.varied)
    if not factors:
        path = results.runs[0].folder.path
        raise InputError(f"{path}: nothing was varied, so there is nothing to compare")
    medians = {factor: results.summary(factor, matched=not raw) for factor in factors}
    matched = not raw and any(not results.motion_lines[name].reason for name in JUDGED)
    return Comparison(results, medians, by_term(course), matched, _scale(results, raw))


def _scale(results: Results, raw: bool) -> tuple[str, ...]:
    notes = ["As measured." if raw else describe_lines(results.motion_lines)]
    if results.too_still:
        counted = "counted all the same" if raw else "in no median but that of motion"
        notes.append(f"{TOO_STILL}, {counted}:")
        notes += [f"  {take_id}  {results.title(take_id)}" for take_id in results.too_still]
    return tuple(notes)


def _camera_text(table: pd.DataFrame) -> str:
    return table.to_string(index=False, float_format="{:.2f}".format, na_rep="-")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records"))
    return rows
