"""Defines `Results`: the takes, scores and frames of runs as pandas tables."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from lab.analysis.matched_motion import (
    TOO_STILL,
    MotionLine,
    at_matched_motion,
    fit_lines,
    too_still_takes,
)
from lab.errors import InputError, did_you_mean
from lab.files import atomic_write, make_writable_folder
from lab.measures import ClipFile, ClipRecord, MeasureState, StoredMeasure
from lab.metrics import HEADLINES
from lab.runs import RunFolder
from lab.units import escape_controls, escape_html, escape_line, number_text

SIMULATED_NOTE = "Simulated: these clips were rendered locally; no video model was involved."
_MAX_NAMED_RUNS = 5  # in one sentence


@dataclass(frozen=True)
class LoadedRun:
    """A run that was loaded. name: its level of the factor `run`.

    sweep, provenance: as stored in the ledger. created: one row per picture that the run made from
    text (its still level, prompt, state, cost, file, and whether it was chosen as the still).
    """

    name: str
    folder: RunFolder
    sweep: Mapping[str, Any]
    provenance: Mapping[str, Any]
    created: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False)


@dataclass(frozen=True, eq=False)
class Results:
    """The tables of one or several runs.

    takes: one row per take with its factors, state, cost, honoured and ignored settings, and clip.
    Its column measure is the state of the measurements: "fresh", "stale", "missing", "damaged" or
    "of another clip"; measure_why is the reason and what to do, "" for fresh; damage says what is
    wrong with the clip file. scores: one row per take and metric with factors, value, unit,
    direction, reason for NaN, and the metric's version at the time of measurement, 0 if not
    measured. frames: one row per take, series and frame with factors, time_s and value. factors:
    the names of the factor columns. varied: the factors with several levels.

    take_id is unique in takes. A take may be in several runs, for example because a later run
    reused its clip. It then has one row per run; in later runs its id ends in "-2", "-3" and so on.
    """

    runs: tuple[LoadedRun, ...]
    takes: pd.DataFrame
    scores: pd.DataFrame
    frames: pd.DataFrame
    factors: tuple[str, ...]
    varied: tuple[str, ...]

    @property
    def run(self) -> LoadedRun:
        """The only run. Raises InputError if there are several."""
        if len(self.runs) > 1:
            raise InputError(f"this needs one run, and {len(self.runs)} are loaded; load one")
        return self.runs[0]

    @property
    def folder(self) -> RunFolder:
        """The folder of the only run. Raises InputError if there are several."""
        return self.run.folder

    @property
    def sweep(self) -> Mapping[str, Any]:
        """The design of the only run, as plain data. Raises InputError if there are several."""
        return self.run.sweep

    def run_of(self, take: Mapping[Any, Any]) -> LoadedRun:
        """The run of a take. take: a row of `takes`."""
        if len(self.runs) == 1:
            return self.runs[0]
        return next(run for run in self.runs if run.name == take["run"])

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences about mixed backends, takes that several runs share, and simulated clips."""
        return (*self._backend_remarks(), *self._shared_take_remarks(), *self._simulated_remarks())

    def _backend_remarks(self) -> Iterator[str]:
        by_backend: dict[str, list[str]] = {}
        for run in self.runs:
            by_backend.setdefault(str(run.sweep.get("backend", "")), []).append(run.name)
        if len(by_backend) > 1:
            listed = "; ".join(f"{name}: {_join_names(runs)}" for name, runs in by_backend.items())
            yield f"The runs were made by different backends ({listed})."

    def _shared_take_remarks(self) -> Iterator[str]:
        shared = self.takes["take_id"].str.contains("-").sum()
        if shared:
            yield (
                f"Takes that are also in an earlier run: {shared}. Each has a row in every run, "
                "so statistics over all runs count it more than once."
            )

    def _simulated_remarks(self) -> Iterator[str]:
        simulated = self.takes["simulated"]
        if simulated.all():
            yield SIMULATED_NOTE
        elif simulated.any():
            yield (
                f"Simulated: {simulated.sum()} of {len(simulated)} clips were rendered locally, "
                "without a video model."
            )

    @property
    def simulated(self) -> bool:
        """True if any clip was rendered locally instead of by a video model."""
        return bool(self.takes["simulated"].any())

    @property
    def too_still(self) -> tuple[str, ...]:
        """Ids of the takes that hardly move for most of their time. Their scores mean nothing."""
        return too_still_takes(self.scores)

    @property
    def motion_lines(self) -> dict[str, MotionLine]:
        """The line of each metric in `MATCHED` against motion, fitted to these takes."""
        return fit_lines(self.scores)

    def matched(self) -> pd.DataFrame:
        """The scores of the metrics in `MATCHED` at matched motion.

        See `lab.analysis.matched_motion`. One row per take and metric, as in scores.
        raw: the value as measured. motion: in % of the diagonal per s. The value is NaN, with a
        reason, for takes too still to judge.
        """
        return at_matched_motion(self.scores)

    def headlines(self, *, matched: bool = False) -> pd.DataFrame:
        """One column per headline, one row per take_id. matched: at matched motion."""
        wide = self.scores.pivot(index="take_id", columns="metric", values="value")
        wide = wide.reindex(columns=list(HEADLINES))
        if matched:
            matched_wide = self.matched().pivot(index="take_id", columns="metric", values="value")
            for name in matched_wide.columns.intersection(wide.columns):
                wide[name] = matched_wide[name]
        return wide

    def table(self, *, matched: bool = False) -> pd.DataFrame:
        """One row per take: id, varied factors, then headlines.

        The column repeat is added if there are repeats, state if a take has no clip, and remark if
        a take is too still to judge or its clip is damaged or not freshly measured.
        """
        columns = ["take_id", *self.varied]
        if self.takes["repeat"].max() > 1:
            columns.append("repeat")
        if (self.takes["state"] != "fetched").any():
            columns.append("state")
        wide = self.headlines(matched=matched).reset_index()
        table = self.takes[columns].merge(wide, on="take_id", how="left")
        too_still = set(self.too_still)
        remarks = [_remark(row, too_still) for row in self.takes.to_dict("records")]
        if any(remarks):
            table["remark"] = remarks
        return table

    @property
    def not_fresh(self) -> dict[str, str]:
        """By take id: why a clip's measurements are not all up to date, and what to do."""
        clips = self.takes[(self.takes["clip"] != "") & (self.takes["measure_why"] != "")]
        return dict(zip(clips["take_id"], clips["measure_why"], strict=True))

    @cached_property
    def still_errors(self) -> dict[str, str]:
        """Why a still cannot be used: its file is missing, changed, or a link.

        The keys are paths in the run folder, preceded by the run's name if there are several runs.
        """
        errors = {}
        for run in self.runs:
            takes = self.takes[self.takes["run"] == run.name]
            stills = dict.fromkeys(zip(takes["still_path"], takes["still_sha256"], strict=True))
            for path, sha256 in stills:
                if path and (error := run.folder.still_error(path, sha256)):
                    errors[path if len(self.runs) == 1 else f"{run.name}: {path}"] = error
        return errors

    def summary(self, by: str, *, matched: bool = False) -> pd.DataFrame:
        """The median of each headline and the number of takes, by level of a factor.

        The column too_still counts takes too still to judge. At matched motion, the medians leave
        these takes out, except the median of motion. The table is descriptive: it tests no
        differences.
        """
        takes = self.takes[["take_id", by]]
        takes = takes.assign(too_still=takes["take_id"].isin(self.too_still))
        levels = takes.merge(
            self.headlines(matched=matched).reset_index(), on="take_id", how="left"
        ).groupby(by, dropna=False)
        medians = levels[list(HEADLINES)].median()
        counts = levels["take_id"].count().rename("takes")
        return medians.join(counts).join(levels["too_still"].sum()).reset_index()

    def title(self, take_id: str) -> str:
        """A take's title: its levels of the varied factors, and its repeat if there are several."""
        take = self.takes[self.takes["take_id"] == take_id].iloc[0]
        parts = [self.level_text(name, take[name]) for name in self.varied] or [
            self.level_text("still", take["still"])
        ]
        if self.takes["repeat"].max() > 1:
            parts.append(f"repeat {take['repeat']}")
        return " · ".join(parts)

    @staticmethod
    def level_text(factor: str, value: Any) -> str:
        """A level as titles show it. A Boolean is preceded by its factor's name."""
        if pd.api.types.is_bool(value):
            return f"{factor} {'on' if value else 'off'}"
        # pandas turns 24 into 24.0 in a column that has a missing value.
        whole = isinstance(value, float) and value.is_integer()
        return escape_line(str(int(value) if whole else value))

    def record(self, take_id: str) -> ClipRecord:
        """Everything measured on a take's clip, as `lab.score` yields it.

        Raises InputError for an unknown take and for one without scores.
        """
        if take_id not in set(self.takes["take_id"]):
            raise InputError(
                f"{take_id}: no such take; {did_you_mean(take_id, self.takes['take_id'])}"
            )
        stored = self.stored_measure(take_id)
        if stored.measure is None:
            raise InputError(f"{take_id}: has no scores: {stored.reason}")
        return stored.measure.record()

    def stored_measure(self, take_id: str) -> StoredMeasure:
        """The stored measurements of a take's clip, read now, with the reason for missing ones."""
        take = self.takes[self.takes["take_id"] == take_id].iloc[0].to_dict()
        if not take["clip"]:
            return StoredMeasure(MeasureState.MISSING, reason=str(take["measure_why"]))
        ledger_id, folder = ledger_take_id(take_id), self.run_of(take).folder
        clip = ClipFile(folder.clip_path(ledger_id), take["clip_sha256"], int(take["clip_bytes"]))
        return folder.measures.read(ledger_id, clip)

    def save(self, folder: str | Path | None = None) -> tuple[Path, Path, Path]:
        """Write takes.parquet, scores.parquet and frames.parquet; return their paths.

        folder: the run's own when None. Raises InputError for several runs without a folder.
        """
        if folder is None and len(self.runs) > 1:
            raise InputError(f"{len(self.runs)} runs are loaded; name a folder: save(DIR)")
        target = self.folder.path if folder is None else make_writable_folder(Path(folder))
        paths = []
        for name, frame in (
            ("takes", self.takes),
            ("scores", self.scores),
            ("frames", self.frames),
        ):
            path = target / f"{name}.parquet"
            # pyarrow refuses paths that are not UTF-8, so it gets an open file.
            with atomic_write(path) as part, part.open("wb") as file:
                frame.to_parquet(file, index=False)
            paths.append(path)
        return paths[0], paths[1], paths[2]

    def __str__(self) -> str:
        table = self.table().drop(columns=["take_id"])
        text = table.to_string(index=False, float_format="{:.3g}".format)
        return "\n".join([text, *self.remarks])

    def __repr__(self) -> str:
        paths = [str(run.folder.path) for run in self.runs]
        shown = repr(paths[0]) if len(paths) == 1 else f"{len(paths)} runs"
        return f"Results({shown}, {len(self.takes)} takes)"

    def _repr_html_(self) -> str:
        notes = "".join(f"<p><b>{escape_html(remark)}</b></p>" for remark in self.remarks)
        # Without the class, MathJax reads dollars in prompts as formulas.
        table = self.table().to_html(
            index=False, float_format=number_text, classes=["mathjax_ignore"]
        )
        return notes + escape_controls(table)


def ledger_take_id(take_id: str) -> str:
    """A take's id in the ledger of its run.

    That is without the suffix for a take that is also in an earlier run.
    """
    return take_id.partition("-")[0]


def _join_names(names: Sequence[str]) -> str:
    rest = len(names) - _MAX_NAMED_RUNS
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(names[:_MAX_NAMED_RUNS]) + more


def _remark(take: Mapping[Any, Any], too_still: Collection[str]) -> str:
    """Why a take's scores must be read with caution; "" for no reason."""
    motion = TOO_STILL if take["take_id"] in too_still else ""
    not_fresh = take["clip"] and take["measure"] not in ("", MeasureState.FRESH)
    measure = f"{take['measure']}: {take['measure_why']}" if not_fresh else ""
    return "; ".join(part for part in (motion, take["damage"], measure) if part)
