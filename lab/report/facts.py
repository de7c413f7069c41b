"""The facts of a report: the data it was made from, stored in it as JSON for `lab verify`.

The facts are the tables of `Results` without the series over time. `restore_results` restores
these tables, so that the page can be rendered again and compared.
"""

import math
from collections.abc import Mapping
from typing import Any, TypedDict

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lab.analysis import LoadedRun, Results
from lab.analysis.loading import score_row
from lab.measures import Number
from lab.metrics import SPECS
from lab.report.context import ReportContext
from lab.runs import RunFolder

FORMAT = 2
"""Format 2 has whole rows of the takes, and data of the runs. Format 1 had files and scores."""

MEASURED_COLUMNS = ("simulated", "notes", "measure", "measure_why", "damage")
"""Columns of the takes that come at least partly from the stored measurements."""

Level = str | int | float | bool | None


class Row(BaseModel):
    """A row of `Results.takes`. It has one more column for each factor."""

    model_config = ConfigDict(strict=True, extra="allow")
    __pydantic_extra__: dict[str, Level] = Field(init=False)

    take_id: str
    run: str
    trial: int
    repeat: int
    state: str
    message: str | None
    cost_usd: float | None
    low_usd: float | None
    high_usd: float | None
    simulated: bool
    requested: str
    honoured: str
    not_honoured: str
    notes: str
    prompt_text: str
    still_path: str
    still_sha256: str
    clip: str
    clip_sha256: str
    clip_bytes: int | float | None
    measure: str
    measure_why: str
    damage: str
    still: Level
    prompt: Level


class TakeFacts(BaseModel):
    """A take. scores: None for a missing score. reasons: why a score is missing.

    not_measured: metrics without a score of their current version, each with the other version that
    measured the score, or 0 if there is no score.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    row: Row
    scores: dict[str, float | None]
    reasons: dict[str, str]
    not_measured: dict[str, int]

    @property
    def id(self) -> str:
        """The take's id."""
        return self.row.take_id

    @property
    def reported_scores(self) -> dict[str, float | None]:
        """The scores without those in `not_measured`."""
        return {name: score for name, score in self.scores.items() if name not in self.not_measured}


class RunFacts(BaseModel):
    """A run. name: its level of the factor `run`. path: its folder relative to the report.

    created: a row for each picture that the run made from text.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    name: str
    path: str
    title: str
    question: str
    backend: str
    zip: list[list[str]]
    created: list[dict[str, Level]]
    provenance: dict[str, Any]


class ReportFacts(BaseModel):
    """All facts of a report. versions: the version of each metric."""

    model_config = ConfigDict(strict=True, extra="forbid")

    format: int
    runs: list[RunFacts] = Field(min_length=1)
    versions: dict[str, int]
    factors: list[str]
    varied: list[str]
    takes: list[TakeFacts] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_consistency(self) -> "ReportFacts":
        columns = set(self.takes[0].row.model_dump())
        if any(set(take.row.model_dump()) != columns for take in self.takes):
            raise ValueError("the takes have different columns")
        names = {run.name for run in self.runs}
        if len(names) < len(self.runs) or any(take.row.run not in names for take in self.takes):
            raise ValueError("two runs have one name, or a take has no run")
        if not set(self.varied) <= set(self.factors) <= columns:
            raise ValueError("a factor has no column")
        return self


def report_facts(context: ReportContext) -> dict[str, Any]:
    """The facts as plain data, in the structure of `ReportFacts`."""
    results = context.results
    by_take = {
        str(take_id): rows
        for take_id, rows in results.scores.groupby("take_id", sort=False, observed=True)
    }
    return {
        "format": FORMAT,
        "runs": [
            {
                "name": run.name,
                "path": context.relative_path(run.folder.path.resolve()),
                **sweep_facts(run),
                "provenance": dict(run.provenance),
            }
            for run in results.runs
        ],
        "versions": {name: spec.version for name, spec in SPECS.items()},
        "factors": list(results.factors),
        "varied": list(results.varied),
        "takes": [
            {
                "row": {name: _none_if_nan(value) for name, value in row.items()},
                **_score_facts(by_take[row["take_id"]]),
            }
            for row in context.rows
        ],
    }


class SweepFacts(TypedDict):
    """The design of a run: a subset of the fields of `RunFacts`."""

    title: str
    question: str
    backend: str
    zip: list[list[str]]
    created: list[dict[str, Level]]


def sweep_facts(run: LoadedRun) -> SweepFacts:
    """The design of a run as a report states it."""
    sweep = run.sweep
    return {
        "title": str(sweep.get("name") or ""),
        "question": str(sweep.get("question") or ""),
        "backend": str(sweep.get("backend") or ""),
        "zip": [list(group) for group in sweep.get("zip") or []],
        "created": [
            {str(name): _none_if_nan(value) for name, value in row.items()}
            for row in run.created.to_dict("records")
        ],
    }


def restore_results(facts: ReportFacts, folders: Mapping[str, RunFolder]) -> Results:
    """The tables that the facts were made from, without the series over time.

    folders: the current folder of each run, by the run's name.
    """
    takes = pd.DataFrame([take.row.model_dump() for take in facts.takes])
    keys = takes[["take_id", "trial", "repeat", *facts.factors, "simulated"]]
    rows = [score_row(take.id, name, _number(take, name)) for take in facts.takes for name in SPECS]
    return Results(
        runs=tuple(_run(run, folders[run.name]) for run in facts.runs),
        takes=takes,
        scores=keys.merge(pd.DataFrame(rows), on="take_id"),
        frames=keys.head(0).assign(metric="", frame=0, time_s=0.0, value=0.0),
        factors=tuple(facts.factors),
        varied=tuple(facts.varied),
    )


def _run(run: RunFacts, folder: RunFolder) -> LoadedRun:
    sweep = {"name": run.title, "question": run.question, "backend": run.backend, "zip": run.zip}
    return LoadedRun(run.name, folder, sweep, run.provenance, pd.DataFrame(run.created))


class _ScoreFacts(TypedDict):
    """The scores of a take: a subset of the fields of `TakeFacts`."""

    scores: dict[str, float | None]
    reasons: dict[str, str]
    not_measured: dict[str, int]


def _score_facts(rows: pd.DataFrame) -> _ScoreFacts:
    """A take's rows of `Results.scores` as plain data."""
    records = rows[["metric", "value", "reason", "version"]].to_dict("records")
    return {
        "scores": {row["metric"]: _none_if_nan(row["value"]) for row in records},
        "reasons": {row["metric"]: row["reason"] for row in records if row["reason"]},
        "not_measured": {
            row["metric"]: int(row["version"])
            for row in records
            if row["version"] != SPECS[row["metric"]].version
        },
    }


def _number(take: TakeFacts, name: str) -> Number:
    """A score of a take, with the version of the metric that measured it; 0 if none did."""
    value, unit = take.scores.get(name), SPECS[name].unit
    version = take.not_measured.get(name, SPECS[name].version if name in take.scores else 0)
    reason = take.reasons.get(name, "" if name in take.scores else "not in the report")
    return Number(math.nan if value is None else value, unit, version, reason)


def _none_if_nan(value: Any) -> Any:
    return None if value is None or value != value else value
