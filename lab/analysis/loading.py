"""From run folders to tables: one run, or several that can be compared, in one."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """Read the tables of a run, or of several, from ledgers and measures; runners may be at work.

    runs: a folder, several, or several by what they shall be called. Every take has its run in the
    factor `run`: that name, or else the folder's, with its parent's before it where two folders are
    called the same. A still or prompt that is called like another one in another run is told from
    it by its run's name. mixed: load runs whose numbers are of different definitions; those of
    older ones are NaN, with the reason, as in one run.

    Raises RunFolderError naming each folder that holds no run or no takes, and InputError for a run
    given twice and, unless mixed, for runs whose numbers are of different definitions.
    """
    given = runs if isinstance(runs, Mapping | list | tuple) else [runs]
    folders = list(given.values()) if isinstance(given, Mapping) else list(given)
    if not folders:
        raise InputError("no run to load; name the folder of one, or of several")
    places = [RunFolder(folder) for folder in folders]
    paths = [place.path.resolve() for place in places]
    for path, times in Counter(paths).items():
        if times > 1:
            raise InputError(f"{path}: given {times} times; name every run once")
    found: list[_Found] = []
    problems: list[str] = []
    names = list(given) if isinstance(given, Mapping) else _names(paths)
    for place, name in zip(places, names, strict=True):
        try:
            found.append(_read(place, name))
        except LabError as error:
            problems += error.problems
    if problems:
        raise RunFolderError(*problems)
    if len(found) > 1 and not mixed:
        _check_versions(found)
    return _tables(found)


def _names(paths: Sequence[Path]) -> list[str]:
    """What runs are called: their folders' names, with as many parents as tell them apart.

    paths: absolute, each another.
    """
    names, depth = [path.name for path in paths], 1
    while len(set(names)) < len(names):
        depth += 1
        shared = Counter(names)
        names = [
            "/".join(path.parts[-depth:]) if shared[name] > 1 else name
            for path, name in zip(paths, names, strict=True)
        ]
    return names


def varied_factors(factors: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The factors that differ among these takes, in the design's order.

    Without the columns of terms that only repeat what the prompt says.
    """
    names = dict.fromkeys(name for each in factors for name in each)
    varied = [name for name in names if len({each.get(name) for each in factors}) > 1]
    return tuple(name for name in varied if "prompt" not in varied or name not in KINDS)


def score_row(take_id: str, metric: str, number: Number) -> dict[str, Any]:
    """A row of `Results.scores`, but for the factors."""
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
class _Found:
    """What a run's ledger and measures hold: its takes, each with its stored measure."""

    run: LoadedRun
    takes: Sequence[tuple[TakeRow, StoredMeasure]]


def _read(place: RunFolder, name: str) -> _Found:
    place.check()
    with Ledger.read(place.ledger) as ledger:
        rows = ledger.takes()
        sweep, provenance = ledger.fact("sweep"), ledger.fact("provenance")
    if not rows:
        raise RunFolderError(f"{place.path}: holds no takes yet; run its sweep again to go on")
    clips = [row for row in rows if row.take.shot.makes == "clip"]
    used = {row.take.shot.still.sha256 for row in clips if row.take.shot.still is not None}
    # Where there is no clip yet, the pictures are the takes that there are.
    pictures = [row for row in rows if row.take.shot.makes == "still"] if clips else []
    created = pd.DataFrame([_picture(place, row, used) for row in pictures])
    rows = clips or rows
    run = LoadedRun(name, place, sweep or {}, provenance or {}, created)
    return _Found(run, [(row, place.stored_measure(row)) for row in rows])


def _picture(place: RunFolder, row: TakeRow, used: Collection[str]) -> dict[str, Any]:
    """used: SHA-256 of the stills that clips were asked for with."""
    clip = row.clip or {}
    return {
        "take_id": row.take_id,
        "still": row.factors.get("still"),
        "prompt_text": row.take.shot.prompt.text,
        "repeat": row.repeat,
        "state": row.state.value,
        "message": row.message,
        "cost_usd": row.cost_usd,
        "picture": str(place.result_path(row.take).relative_to(place.path)) if clip else "",
        "chosen": clip.get("sha256") in used,
    }


def _check_versions(found: Sequence[_Found]) -> None:
    """Raise InputError where runs were measured by different definitions of a metric."""
    seen: dict[str, dict[int, str]] = {}
    for one in found:
        for _, stored in one.takes:
            for name, number in stored.measure.numbers.items() if stored.measure else ():
                if number.version:
                    seen.setdefault(name, {}).setdefault(number.version, one.run.name)
    mixed = [name for name, versions in seen.items() if len(versions) > 1]
    if not mixed:
        return
    versions = ", ".join(f"version {kind} in {run}" for kind, run in seen[mixed[0]].items())
    more = f"; so are {len(mixed) - 1} other numbers" if len(mixed) > 1 else ""
    old = [one.run for one in found if any(stored.stale for _, stored in one.takes)]
    todo = "; ".join(f"`lab measure {run.folder.path}`" for run in old)
    raise InputError(
        f"{mixed[0]} is of different definitions ({versions}){more}, and such numbers cannot be "
        f"compared; bring up to date first: {todo}"
    )


def _tables(found: Sequence[_Found]) -> Results:
    called = _told_apart(found)
    named = (name for one in found for row, _ in one.takes for name in row.factors)
    factors = list(dict.fromkeys(["run", *named]))
    takes, scores, frames = [], [], []
    times: Counter[str] = Counter()
    for one in found:
        for row, stored in one.takes:
            times[row.take_id] += 1
            again = times[row.take_id]
            take_id = row.take_id if again == 1 else f"{row.take_id}-{again}"
            levels = {"run": one.run.name, **called(one.run, row)}
            own = {name: levels.get(name) for name in factors}
            takes.append(_take(one.run, take_id, row, stored, own))
            scores += [score_row(take_id, name, stored.number(name)) for name in SPECS]
            frames += _frames(take_id, stored)
    table = pd.DataFrame(takes)
    keys = table[["take_id", "trial", "repeat", *factors, "simulated"]]
    series = pd.DataFrame(frames, columns=["take_id", "metric", "frame", "time_s", "value"])
    return Results(
        runs=tuple(one.run for one in found),
        takes=table,
        scores=keys.merge(pd.DataFrame(scores), on="take_id"),
        frames=keys.merge(series, on="take_id"),
        factors=tuple(factors),
        varied=varied_factors([{name: take[name] for name in factors} for take in takes]),
    )


def _told_apart(found: Sequence[_Found]) -> Callable[[LoadedRun, TakeRow], Mapping[str, Any]]:
    """A take's levels; one that means different things in two runs has its run's name after it."""
    meant: dict[tuple[str, str], set[str]] = {}
    for one in found:
        for row, _ in one.takes:
            for name, what in _meant(row.take.shot).items():
                meant.setdefault((name, str(row.factors.get(name))), set()).add(what)
    ambiguous = {key for key, whats in meant.items() if len(whats) > 1}

    def called(run: LoadedRun, row: TakeRow) -> Mapping[str, Any]:
        return {
            name: f"{level} ({run.name})" if (name, str(level)) in ambiguous else level
            for name, level in row.factors.items()
        }

    return called


def _meant(shot: Shot) -> dict[str, str]:
    """What the levels stand for that are only names."""
    stills = {"still": shot.still, "end_still": shot.end_still}
    return {
        "prompt": shot.prompt.text,
        **{name: still.sha256 for name, still in stills.items() if still is not None},
    }


def _take(
    run: LoadedRun, take_id: str, row: TakeRow, stored: StoredMeasure, factors: Mapping[str, Any]
) -> dict[str, Any]:
    clip, still, measure = row.clip or {}, row.take.shot.still, stored.measure
    ignored = [f"{what}: {why}" for what, why in clip.get("not_honoured", [])]
    notes = [*clip.get("notes", []), *(measure.notes.values() if measure else ())]
    judged = row.take.shot.makes == "clip"
    return {
        "take_id": take_id,
        "trial": row.trial,
        "repeat": row.repeat,
        **factors,
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
        "measure": stored.state.value if judged else "",
        "measure_why": stored.reason if judged else "",
        "damage": measure.damage if measure else "",
    }


def _frames(take_id: str, stored: StoredMeasure) -> list[dict[str, Any]]:
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
