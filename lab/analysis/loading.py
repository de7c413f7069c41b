"""Loads the ledgers and measures of one or several run folders into one `Results`."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from lab.analysis.results import LoadedRun, Results
from lab.errors import InputError, LabError, RunFolderError
from lab.measures import Number, StoredMeasure
from lab.metrics import SPECS
from lab.prompts import KINDS
from lab.runs import Ledger, RunFolder, TakeRow
from lab.shots import Shot


def load(
    runs: str | Path | Sequence[str | Path] | Mapping[str, str | Path], *, mixed: bool = False
) -> Results:
    """Read one or several runs. A run may still be in progress.

    runs: a folder, several folders, or a mapping from names to folders. The factor `run` of each
    take holds the run's name. Without a mapping that is the folder's name, preceded by parent
    folders where two folders share a name. If two runs use one name for different stills or
    prompts, each such name gets its run's name appended. mixed: also load runs that were measured
    by different versions of a metric; values of older versions become NaN with a reason.

    Raises RunFolderError with one line for each folder without a run or without takes. Raises
    InputError for a run that is given twice and, unless mixed, for different versions of a metric.
    """
    given = runs if isinstance(runs, Mapping | list | tuple) else [runs]
    paths = list(given.values()) if isinstance(given, Mapping) else list(given)
    if not paths:
        raise InputError("no run to load; name at least one folder")
    folders = [RunFolder(path) for path in paths]
    resolved = [folder.path.resolve() for folder in folders]
    for path, count in Counter(resolved).items():
        if count > 1:
            raise InputError(f"{path}: given {count} times; name each run once")
    names = list(given) if isinstance(given, Mapping) else _unique_names(resolved)
    loaded: list[_RunData] = []
    problems: list[str] = []
    for folder, name in zip(folders, names, strict=True):
        try:
            loaded.append(_read_run(folder, name))
        except LabError as error:
            problems += error.problems
    if problems:
        raise RunFolderError(*problems)
    if len(loaded) > 1 and not mixed:
        _check_versions(loaded)
    return _build_results(loaded)


def _unique_names(paths: Sequence[Path]) -> list[str]:
    """The folders' names, with as many parents as make them unique. paths: absolute, distinct."""
    names, depth = [path.name for path in paths], 1
    while len(set(names)) < len(names):
        depth += 1
        counts = Counter(names)
        names = [
            "/".join(path.parts[-depth:]) if counts[name] > 1 else name
            for path, name in zip(paths, names, strict=True)
        ]
    return names


def varied_factors(factors: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The factors with more than one level, in the design's order. factors: one mapping per take.

    If the prompt varies, the factors of its terms are left out: they repeat the prompt.
    """
    names = dict.fromkeys(name for levels in factors for name in levels)
    varied = [name for name in names if len({levels.get(name) for levels in factors}) > 1]
    return tuple(name for name in varied if "prompt" not in varied or name not in KINDS)


class ScoreRow(TypedDict):
    """A row of `Results.scores` without the factors."""

    take_id: str
    metric: str
    value: float
    unit: str
    direction: str
    headline: bool
    version: int
    reason: str


def score_row(take_id: str, metric: str, number: Number) -> ScoreRow:
    """A row of `Results.scores` without the factors."""
    spec = SPECS[metric]
    return {
        "take_id": take_id,
        "metric": metric,
        "value": number.value,
        "unit": spec.unit,
        "direction": spec.direction,
        "headline": spec.headline,
        "version": number.version,
        "reason": number.reason,
    }


@dataclass(frozen=True)
class _RunData:
    """A run and its takes, each with its stored measure."""

    run: LoadedRun
    takes: Sequence[tuple[TakeRow, StoredMeasure]]


def _read_run(folder: RunFolder, name: str) -> _RunData:
    folder.check()
    with Ledger.read(folder.ledger) as ledger:
        rows = ledger.takes()
        sweep, provenance = ledger.fact("sweep"), ledger.fact("provenance")
    if not rows:
        raise RunFolderError(f"{folder.path}: holds no takes yet; run its sweep again to continue")
    clips = [row for row in rows if row.take.shot.makes == "clip"]
    used_stills = {row.take.shot.still.sha256 for row in clips if row.take.shot.still is not None}
    # A run without clips, such as one of `lab create`, shows its pictures as takes.
    pictures = [row for row in rows if row.take.shot.makes == "still"] if clips else []
    created = pd.DataFrame([_picture_row(folder, row, used_stills) for row in pictures])
    rows = clips or rows
    run = LoadedRun(name, folder, sweep or {}, provenance or {}, created)
    return _RunData(run, [(row, folder.stored_measure(row)) for row in rows])


class PictureRow(TypedDict):
    """A row of `LoadedRun.created`."""

    take_id: str
    still: str | None
    prompt_text: str
    repeat: int
    state: str
    message: str
    cost_usd: float | None
    picture: str
    chosen: bool


def _picture_row(folder: RunFolder, row: TakeRow, used_stills: Collection[str]) -> PictureRow:
    """A row of `LoadedRun.created`. used_stills: the SHA-256 of every still of a clip."""
    clip = row.clip or {}
    return {
        "take_id": row.take_id,
        "still": row.factors.get("still"),
        "prompt_text": row.take.shot.prompt.text,
        "repeat": row.repeat,
        "state": row.state.value,
        "message": row.message,
        "cost_usd": row.cost_usd,
        "picture": str(folder.result_path(row.take).relative_to(folder.path)) if clip else "",
        "chosen": clip.get("sha256") in used_stills,
    }


def _check_versions(runs: Sequence[_RunData]) -> None:
    """Raise InputError if runs were measured by different versions of a metric."""
    runs_by_version: dict[str, dict[int, str]] = {}
    for data in runs:
        for _, stored in data.takes:
            for name, number in stored.measure.numbers.items() if stored.measure else ():
                if number.version:
                    versions = runs_by_version.setdefault(name, {})
                    versions.setdefault(number.version, data.run.name)
    mixed = [name for name, versions in runs_by_version.items() if len(versions) > 1]
    if not mixed:
        return
    first = runs_by_version[mixed[0]]
    listed = ", ".join(f"version {version} in {run}" for version, run in first.items())
    more = f"; so were {len(mixed) - 1} other metrics" if len(mixed) > 1 else ""
    outdated = [data.run for data in runs if any(stored.stale for _, stored in data.takes)]
    commands = "; ".join(f"`lab measure {run.folder.path}`" for run in outdated)
    raise InputError(
        f"{mixed[0]} was measured by different definitions ({listed}){more}; such values cannot be "
        f"compared; run first: {commands}"
    )


def _build_results(runs: Sequence[_RunData]) -> Results:
    levels_of = _make_levels_of(runs)
    own_factors = (name for data in runs for row, _ in data.takes for name in row.factors)
    factors = list(dict.fromkeys(["run", *own_factors]))
    takes, scores, frames = [], [], []
    occurrences: Counter[str] = Counter()
    for data in runs:
        for row, stored in data.takes:
            occurrences[row.take_id] += 1
            count = occurrences[row.take_id]
            take_id = row.take_id if count == 1 else f"{row.take_id}-{count}"
            levels = {"run": data.run.name, **levels_of(data.run, row)}
            levels = {name: levels.get(name) for name in factors}
            takes.append(_take_row(data.run, take_id, row, stored, levels))
            scores += [score_row(take_id, name, stored.number(name)) for name in SPECS]
            frames += _frame_rows(take_id, stored)
    table = pd.DataFrame(takes)
    keys = table[["take_id", "trial", "repeat", *factors, "simulated"]]
    series = pd.DataFrame(frames, columns=["take_id", "metric", "frame", "time_s", "value"])
    return Results(
        runs=tuple(data.run for data in runs),
        takes=table,
        scores=keys.merge(pd.DataFrame(scores), on="take_id"),
        frames=keys.merge(series, on="take_id"),
        factors=tuple(factors),
        varied=varied_factors([{name: take[name] for name in factors} for take in takes]),
    )


def _make_levels_of(
    runs: Sequence[_RunData],
) -> Callable[[LoadedRun, TakeRow], Mapping[str, Any]]:
    """A function that gives a take's levels by factor.

    It appends the run's name to a level that stands for different stills or prompts in two runs.
    """
    contents: dict[tuple[str, str], set[str]] = {}
    for data in runs:
        for row, _ in data.takes:
            for name, content in _level_contents(row.take.shot).items():
                contents.setdefault((name, str(row.factors.get(name))), set()).add(content)
    ambiguous = {key for key, distinct in contents.items() if len(distinct) > 1}

    def levels_of(run: LoadedRun, row: TakeRow) -> Mapping[str, Any]:
        return {
            name: f"{level} ({run.name})" if (name, str(level)) in ambiguous else level
            for name, level in row.factors.items()
        }

    return levels_of


def _level_contents(shot: Shot) -> dict[str, str]:
    """The prompt's text and the stills' hashes, by factor."""
    stills = {"still": shot.still, "end_still": shot.end_still}
    return {
        "prompt": shot.prompt.text,
        **{name: still.sha256 for name, still in stills.items() if still is not None},
    }


def _take_row(
    run: LoadedRun, take_id: str, row: TakeRow, stored: StoredMeasure, levels: Mapping[str, Any]
) -> dict[str, Any]:
    clip, still, measure = row.clip or {}, row.take.shot.still, stored.measure
    ignored = [f"{setting}: {reason}" for setting, reason in clip.get("not_honoured", [])]
    notes = [*clip.get("notes", []), *(measure.notes.values() if measure else ())]
    measurable = row.take.shot.makes == "clip"
    return {
        "take_id": take_id,
        "trial": row.trial,
        "repeat": row.repeat,
        **levels,
        "state": row.state.value,
        "message": row.message,
        "cost_usd": row.cost_usd,
        "low_usd": row.low_usd,
        "high_usd": row.high_usd,
        "simulated": bool(measure and measure.simulated)
        or any(note.startswith("simulated") for note in notes),
        "requested": "; ".join(row.take.shot.prompt.terms),
        "honoured": "; ".join(clip.get("honoured", [])),
        "not_honoured": "; ".join(ignored),
        "notes": "; ".join(notes),
        "prompt_text": row.take.shot.prompt.text,
        "still_path": "" if still is None else str(still.path),
        "still_sha256": "" if still is None else still.sha256,
        "clip": str(run.folder.result_path(row.take).relative_to(run.folder.path)) if clip else "",
        "clip_sha256": clip.get("sha256", ""),
        "clip_bytes": clip.get("bytes"),
        "measure": stored.state.value if measurable else "",
        "measure_why": stored.reason if measurable else "",
        "damage": measure.damage if measure else "",
    }


class _FrameRow(TypedDict):
    take_id: str
    metric: str
    frame: int
    time_s: float
    value: float


def _frame_rows(take_id: str, stored: StoredMeasure) -> list[_FrameRow]:
    measure = stored.measure
    if measure is None:
        return []
    return [
        {
            "take_id": take_id,
            "metric": name,
            "frame": frame,
            "time_s": measure.times_s[frame],
            "value": value,
        }
        for name, values in measure.series.items()
        for frame, value in sorted(values.items())
    ]
