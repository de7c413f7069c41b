"""`python -m benchmarks.agreement DIR`: how well each metric agrees with people.

DIR is a folder of clips with a ratings CSV (UTF-8, commas, one header line, one line a clip):

    clip        the clip's file name in DIR, each once
    RATING      the column named by --column, a number, higher is better; empty where not rated
    group       the prompt or still: what clips compete within, and what intervals are clustered by
    generator   optional: what made the clip; `real` is camera footage
    rater_*     optional: one column a rater, numbers or empty; their agreement is the ceiling

Other columns are not read. Every number is signed so that + is agreement, whichever way the metric
points; one without a direction keeps its own sign. No stills are given, so drift is against the
first frame.
"""

import argparse
import csv
import io
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import rendered
from lab.errors import InputError, Interrupted, LabError
from lab.files import open_input_file
from lab.metrics import LITERATURE, SPECS
from lab.runs import score

Values = NDArray[np.float64]

REAL = "real"
_RESAMPLES = 2000
_SEED = 0
_FEWEST_CLIPS = 3
_MOST_BYTES = 16_000_000
_NOTHING_LEFT = 1e-9
_LEGEND = f"""\
rho           Spearman with the rating, + agrees; a number of direction none keeps its own sign
rho | motion  the same with the ranks of motion held; the tables are sorted by it
in order      pairs within a group put in the rating's order, equal ratings aside; 50 % is chance
left out      clips without a value: where their rating is far from the average, beware
[ ]           95 % interval, {_RESAMPLES} resamples of whole groups
No stills are given, so drift is against each clip's first frame."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; NaN where there is no data."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """How well one number agrees with the rating.

    rho: Spearman's, -1..1. partial: the same with motion held, -1..1. accuracy: share of the pairs
    within a group that it puts in the rating's order, 0..1. clips and pairs are how many counted.
    """

    clips: int
    pairs: int
    rho: Estimate
    partial: Estimate
    accuracy: Estimate


@dataclass(frozen=True)
class Row:
    """One line of the table.

    kind: metric, literature, baseline or ceiling. left_out: mean rating of the clips without a
    value, NaN when there are none; why: the most common reason for them.
    """

    name: str
    kind: str
    direction: str
    agreement: Agreement
    left_out: float = math.nan
    why: str = ""


@dataclass(frozen=True)
class Table:
    """Every number's agreement among some clips, best partial first.

    without: the generators not among them. clips: how many, all rated, in how many groups. rating:
    their mean.
    """

    without: tuple[str, ...]
    clips: int
    groups: int
    rating: float
    rows: tuple[Row, ...]

    @property
    def among(self) -> str:
        """Which clips, in words."""
        return f"without {', '.join(self.without)}" if self.without else "all clips"


@dataclass(frozen=True, eq=False)
class Ratings:
    """A ratings CSV in arrays over its n clips; raters is (raters, n), NaN is not rated."""

    clips: tuple[Path, ...]
    group: NDArray[np.str_]
    generator: NDArray[np.str_]
    rating: Values
    raters: Values


@dataclass(frozen=True, eq=False)
class Scores:
    """Values over clips by name, NaN with a reason in `reasons` at its place; failed clips."""

    values: dict[str, Values]
    reasons: dict[str, list[str]]
    failed: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Sample:
    """What every number of a table has in common, over its n clips.

    motion: (n,), NaN where unknown. group: the group's index, (n,). drawn: from `resamples`.
    """

    motion: Values
    group: NDArray[np.intp]
    drawn: Values


def resamples(groups: int, count: int = _RESAMPLES, *, seed: int = _SEED) -> Values:
    """How often each resample draws each group, (1 + count, groups); the first row is the data."""
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), count)
    return np.vstack([np.ones(groups), drawn])


def ranks(values: Values, weights: Values) -> Values:
    """Mid-ranks of values (n,) in samples that hold each weights (samples, n) times."""
    order = np.argsort(values, kind="stable")
    upto = np.pad(np.cumsum(weights[:, order], axis=1), ((0, 0), (1, 0)))
    ordered = values[order]
    below = upto[:, np.searchsorted(ordered, values, "left")]
    level = upto[:, np.searchsorted(ordered, values, "right")]
    return (below + level + 1) / 2


def correlation(x: Values, y: Values, weights: Values) -> Values:
    """Pearson's r of x and y, both (samples, n), by sample; NaN where either is constant."""
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = x - (weights * x).sum(axis=1, keepdims=True) / total
        y = y - (weights * y).sum(axis=1, keepdims=True) / total
        spread = (weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1)
        r = (weights * x * y).sum(axis=1) / np.sqrt(np.where(spread > _NOTHING_LEFT, spread, 0))
    return np.where(np.isfinite(r), np.clip(r, -1, 1), np.nan)


def spearman(x: Values, y: Values, weights: Values) -> Values:
    """Spearman's rho of x and y (n,) in each sample, ties at mid-rank."""
    return correlation(ranks(x, weights), ranks(y, weights), weights)


def partial_spearman(x: Values, y: Values, held: Values, weights: Values) -> Values:
    """Spearman's rho of x and y (n,) after the ranks of `held` are regressed out of both.

    A logarithm of `held` would leave its ranks, and so this, as they are. 0 where `held` explains
    all of x or y: nothing is left to agree.
    """
    xy, xh, yh = (spearman(a, b, weights) for a, b in ((x, y), (x, held), (y, held)))
    left = (1 - xh**2) * (1 - yh**2)
    nothing = left < _NOTHING_LEFT
    return np.where(nothing, 0.0, (xy - xh * yh) / np.sqrt(np.where(nothing, 1.0, left)))


def ordered_pairs(x: Values, y: Values, group: NDArray[np.intp], groups: int) -> NDArray[Any]:
    """Pairs within each group whose y differ: how many x orders alike, and how many; (2, groups).

    A tie in x counts half.
    """
    tally = np.zeros((2, groups))
    for index in range(groups):
        inside = np.flatnonzero(group == index)
        first, second = inside[np.array(np.triu_indices(inside.size, 1))]
        alike = np.sign(x[first] - x[second]) * np.sign(y[first] - y[second])
        counted = y[first] != y[second]
        tally[:, index] = ((alike[counted] + 1) / 2).sum(), counted.sum()
    return tally


def agreement(x: Values, y: Values, sample: Sample) -> Agreement:
    """Agreement of x with the rating y, both (n,); clips with NaN are left out.

    The partial leaves out those without motion too.
    """
    return _summary(*_resampled(x, y, sample))


def ceiling(raters: Values, sample: Sample) -> Agreement | None:
    """How well a rater agrees with the mean of the others, averaged over raters (raters, n).

    None where no two raters share a clip. clips and pairs are totals over the raters.
    """
    rated = np.isfinite(raters)
    told = np.where(rated, raters, 0)
    others = rated.sum(axis=0) - rated
    with np.errstate(invalid="ignore"):
        rest = np.where(others > 0, (told.sum(axis=0) - told) / others, np.nan)
    each = [
        _resampled(one, mean, sample)
        for one, mean in zip(raters, rest, strict=True)
        if np.isfinite(one + mean).any()
    ]
    if not each:
        return None
    clips, pairs, found = zip(*each, strict=True)
    mean = np.ma.masked_invalid(np.stack(found)).mean(axis=0).filled(np.nan)
    return _summary(sum(clips), sum(pairs), mean)


def _resampled(x: Values, y: Values, sample: Sample) -> tuple[int, int, Values]:
    """Clips, pairs, and (3, samples): rho, partial and accuracy."""
    group, drawn = sample.group, sample.drawn
    seen = np.isfinite(x) & np.isfinite(y)
    moving = seen & np.isfinite(sample.motion)
    weights = drawn[:, group]
    right, pairs = ordered_pairs(x[seen], y[seen], group[seen], drawn.shape[1])
    with np.errstate(invalid="ignore"):
        accuracy = (drawn @ right) / (drawn @ pairs)
    rho = spearman(x[seen], y[seen], weights[:, seen])
    partial = partial_spearman(x[moving], y[moving], sample.motion[moving], weights[:, moving])
    found = np.stack([rho, partial, accuracy])
    if np.unique(group[seen]).size < 2:
        found[:, 1:] = np.nan  # one group drawn again is the same group: no interval
    return int(seen.sum()), int(pairs.sum()), found


def _summary(clips: int, pairs: int, found: Values) -> Agreement:
    rho, partial, accuracy = map(_estimate, found)
    return Agreement(clips, pairs, rho, partial, accuracy)


def _estimate(found: Values) -> Estimate:
    """The first is the estimate; the others, where there is data, give its interval."""
    others = found[1:][np.isfinite(found[1:])]
    low, high = np.percentile(others, [2.5, 97.5]) if others.size else (math.nan, math.nan)
    return Estimate(float(found[0]), float(low), float(high))


def read_ratings(path: Path, folder: Path, column: str) -> Ratings:
    """Read a ratings CSV; see the top of this file. Raises InputError, in one line."""
    if not path.exists():
        raise InputError(f"{path}: no such file; name the CSV with --ratings (its columns: --help)")
    with open_input_file(path, InputError, _MOST_BYTES) as file:
        try:
            reader = csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline=""))
            header = list(reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
        except (csv.Error, UnicodeDecodeError) as reason:
            raise InputError(f"{path}: is no CSV in UTF-8 ({reason})") from reason
    for name in ("clip", column, "group"):
        if name not in header:
            hint = "; name the rating with --column" if name == column else ""
            raise InputError(f"{path}: has no column {name!r} but {', '.join(header)}{hint}")
    raters = [name for name in header if name.startswith("rater_")]
    clips: dict[Path, int] = {}
    for line, row in rows:
        where = f"{path}, line {line}"
        if None in row or None in row.values():
            raise InputError(f"{where}: has not the header's {len(header)} columns")
        clip = folder / row["clip"]
        if clip.parent != folder or not clip.is_file():
            raise InputError(f"{where}: {row['clip']!r} is no file in {folder}; remove the line")
        if clip in clips:
            raise InputError(f"{where}: {row['clip']!r} is in line {clips[clip]} already")
        if not row["group"].strip():
            raise InputError(f"{where}: has no group; name its prompt or still")
        clips[clip] = line
    numbers = np.array(
        [[_number(row[name], name, path, line) for line, row in rows] for name in (column, *raters)]
    )
    if np.isfinite(numbers[0]).sum() < _FEWEST_CLIPS:
        raise InputError(f"{path}: needs a {column!r} for {_FEWEST_CLIPS} clips or more")
    return Ratings(
        clips=tuple(clips),
        group=np.array([row["group"].strip() for _, row in rows]),
        generator=np.array([row.get("generator", "").strip() for _, row in rows]),
        rating=numbers[0],
        raters=numbers[1:],
    )


def _number(text: str, name: str, path: Path, line: int) -> float:
    try:
        number = float(text) if text.strip() else math.nan
    except ValueError:
        number = math.inf
    if math.isinf(number):
        raise InputError(f"{path}, line {line}: {name} is {text!r}; write a number or nothing")
    return number


def scored(clips: Sequence[Path], *, quiet: bool) -> Scores:
    """Score the clips without a still, by our metrics and by the literature's."""
    found = score(clips, quiet=quiet, literature=True)
    records = {record["clip"]: record for record in found}
    inorder = [records[str(clip)] for clip in clips]
    names = dict.fromkeys(
        name for measured in (SPECS, *(r.get("scores", ()) for r in inorder)) for name in measured
    )
    values, reasons = {}, {}
    for name in names:
        told = [record.get("scores", {}).get(name) for record in inorder]
        values[name] = np.array([math.nan if value is None else value for value in told])
        reasons[name] = [
            record.get("error") or record["reasons"].get(name, "") for record in inorder
        ]
    failed = tuple(record["error"] for record in inorder if "error" in record)
    return Scores(values, reasons, failed)


def chosen(ratings: Ratings, without: tuple[str, ...]) -> NDArray[np.bool_]:
    """The rated clips that no generator in `without` made; InputError when they are too few."""
    kept = np.isfinite(ratings.rating) & ~np.isin(ratings.generator, without)
    if kept.sum() < _FEWEST_CLIPS:
        raise InputError(
            f"only {kept.sum()} rated clips are not by {', '.join(without)}; leave out fewer"
        )
    return kept


def compare(ratings: Ratings, scores: Scores, *, held: str, without: tuple[str, ...] = ()) -> Table:
    """Every number's agreement among the chosen clips. held: the name of motion in `scores`."""
    kept = chosen(ratings, without)
    rating, motion = ratings.rating[kept], scores.values[held][kept]
    names, group = np.unique(ratings.group[kept], return_inverse=True)
    sample = Sample(motion, group, resamples(names.size))
    rows = []
    for name, every in scores.values.items():
        kind = "metric" if name in SPECS else "literature"
        direction = {**SPECS, **LITERATURE}[name].direction
        values = every[kept]
        agreed = agreement(-values if direction == "lower" else values, rating, sample)
        absent = np.isnan(values)
        if absent.any():
            reasons = Counter(np.array(scores.reasons[name])[kept][absent].tolist())
            ((why, _),) = reasons.most_common(1)
            rows.append(Row(name, kind, direction, agreed, float(rating[absent].mean()), why))
        else:
            rows.append(Row(name, kind, direction, agreed))
    still = agreement(-motion, rating, sample)
    rows.append(Row(f"less {held} wins", "baseline", "lower", still))
    top = ceiling(ratings.raters[:, kept], sample)
    if top:
        rows.append(Row("a rater, by the others", "ceiling", "higher", top))
    # NaN goes last.
    rows.sort(key=lambda row: np.nan_to_num(-row.agreement.partial.value, nan=math.inf))
    return Table(without, rating.size, names.size, float(rating.mean()), tuple(rows))


def lines(table: Table, column: str) -> Iterator[str]:
    """The table in aligned text. column: what the rating is called."""
    yield (
        f"{table.among}: {table.clips} clips in {table.groups} groups, "
        f"{column} {table.rating:.2f} on average"
    )
    head = ("", "kind", "better", "rho", "rho | motion", "in order", "pairs", "clips", "left out")
    cells = [head]
    for row in table.rows:
        found = row.agreement
        missing = "" if math.isnan(row.left_out) else f"{table.clips - found.clips}, "
        cells.append(
            (
                row.name,
                row.kind,
                row.direction,
                _worded(found.rho, "{:+.2f}"),
                _worded(found.partial, "{:+.2f}"),
                _worded(found.accuracy, "{:.0%}"),
                str(found.pairs),
                str(found.clips),
                missing and f"{missing}rated {row.left_out:.2f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        spaced = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        yield "  ".join(spaced).rstrip()
    for why in dict.fromkeys(row.why for row in table.rows if row.why):
        yield f"left out, {why}: {', '.join(row.name for row in table.rows if row.why == why)}"


def _worded(estimate: Estimate, form: str) -> str:
    if math.isnan(estimate.value):
        return "-"
    value, low, high = (form.format(end) for end in astuple(estimate))
    return value if math.isnan(estimate.low) else f"{value} [{low}, {high}]"


def plain(table: Table) -> Iterator[dict[str, Any]]:
    """The rows as flat JSON data; NaN is null."""
    among = {"among": table.among, "among_clips": table.clips, "among_groups": table.groups}
    for row in table.rows:
        found = row.agreement
        numbers: dict[str, float] = {"left_out_rating": row.left_out}
        for name in ("rho", "partial", "accuracy"):
            ends = (name, f"{name}_low", f"{name}_high")
            numbers |= zip(ends, astuple(getattr(found, name)), strict=True)
        yield {
            **among,
            "name": row.name,
            "kind": row.kind,
            "direction": row.direction,
            "clips": found.clips,
            "pairs": found.pairs,
            **{name: None if math.isnan(n) else round(n, 6) for name, n in numbers.items()},
            "why": row.why,
        }


def smoke(folder: Path) -> list[tuple[str, str, str]]:
    """Four tiny clips of two groups, rated by hand: does it run from end to end?"""
    table = ["clip,group,temporal_1to5,generator,rater_1,rater_2"]
    for place in range(4):
        clip = rendered(folder, "720p", fps=24, frames=4 + 2 * place)
        table.append(
            f"{clip.name},group {place % 2},{1 + place},{'ab'[place // 2]},{place},{place}"
        )
    (folder / "ratings.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    with redirect_stdout(io.StringIO()) as said:
        assert main([str(folder), "--json"]) == 0
    return [("agreement with people, numbers judged", str(len(said.getvalue().splitlines())), "-")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 done, 1 some clip failed (each is named), 2 wrong input, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.agreement",
        description=__doc__.partition("`: ")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("--ratings", default="ratings.csv", help="the CSV, from DIR (%(default)s)")
    parser.add_argument("--column", default="temporal_1to5", help="the rating (%(default)s)")
    parser.add_argument("--motion", default="motion", help="the metric held (%(default)s)")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="GENERATOR",
        help=f"one more table without this one, those named before it, and {REAL}; repeatable",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    told = parser.parse_args(arguments)
    try:
        return _report(told)
    except Interrupted as error:
        print(f"error: {error}", file=sys.stderr)
        return 130
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _report(told: argparse.Namespace) -> int:
    ratings = read_ratings(told.folder / told.ratings, told.folder, told.column)
    made_by = sorted(set(ratings.generator) - {""})
    for name in told.without:
        if name not in made_by:
            raise InputError(
                f"no clip is made by {name!r}; there are {', '.join(made_by) or 'none'}"
            )
    if told.motion not in SPECS:
        raise InputError(f"no metric is called {told.motion!r}; there are {', '.join(SPECS)}")
    real = (REAL,) if REAL in made_by and made_by != [REAL] else ()
    more = [tuple(told.without[:count]) for count in range(len(told.without) + 1)]
    tables = dict.fromkeys(((), *(tuple(dict.fromkeys(real + named)) for named in more)))
    for without in tables:
        chosen(ratings, without)
    scores = scored(ratings.clips, quiet=told.json)
    for without in tables:
        table = compare(ratings, scores, held=told.motion, without=without)
        for line in map(json.dumps, plain(table)) if told.json else lines(table, told.column):
            print(line)
        if not told.json:
            print()
    if not told.json:
        print(_LEGEND)
    for error in scores.failed:
        print(f"error: {error}", file=sys.stderr)
    return 1 if scores.failed else 0


if __name__ == "__main__":
    sys.exit(main())
