"""`python -m benchmarks.agreement DIR`: how well each metric agrees with human ratings.

DIR is a folder of clips with a ratings CSV (UTF-8, commas, one header line, one line per clip):

    clip        the clip's file name in DIR, each once
    RATING      the column named by --column: a number, higher is better; empty if not rated
    group       the prompt or still; clips are compared within it, and intervals resample it
    generator   optional: what made the clip; `real` is camera footage
    rater_*     optional: one column per rater, numbers or empty; their agreement is the ceiling

Other columns are ignored. Each correlation is signed so that + is agreement, whether lower or
higher values of the metric are better. A metric without a direction keeps its own sign. No stills
are given, so drift is measured against the first frame.
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

from benchmarks.clips import rendered_clip
from lab.errors import InputError, Interrupted, LabError
from lab.files import open_input_file
from lab.metrics import LITERATURE, SPECS
from lab.runs import score

Values = NDArray[np.float64]

REAL = "real"
_RESAMPLES = 2000
_SEED = 0
_MIN_CLIPS = 3
_MAX_BYTES = 16_000_000
_NO_VARIANCE = 1e-9
_LEGEND = f"""\
rho           Spearman correlation with the rating, + agrees; direction none keeps its own sign
rho | motion  partial correlation, controlled for the ranks of motion; the tables are sorted by it
in order      pairs within a group in the order of the rating, without ties; 50 % is chance
left out      clips without a value; if their mean rating is far from the average, beware
[ ]           95 % interval, {_RESAMPLES} resamples of whole groups
No stills are given, so drift is measured against each clip's first frame."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; NaN without data."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """How well one metric agrees with the rating.

    rho: Spearman's, -1..1. partial: the same, controlled for motion, -1..1. accuracy: fraction of
    the pairs within a group that it orders as the rating does, 0..1. clips, pairs: their numbers.
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
    value, NaN if there are none. why: the most common reason why a value is missing.
    """

    name: str
    kind: str
    direction: str
    agreement: Agreement
    left_out: float = math.nan
    why: str = ""


@dataclass(frozen=True)
class Table:
    """The agreement of every metric over a set of rated clips, highest partial first.

    without: excluded generators. clips, groups: their numbers. rating: mean rating.
    """

    without: tuple[str, ...]
    clips: int
    groups: int
    rating: float
    rows: tuple[Row, ...]

    @property
    def among(self) -> str:
        """The set of clips, in words."""
        return f"without {', '.join(self.without)}" if self.without else "all clips"


@dataclass(frozen=True, eq=False)
class Ratings:
    """The columns of a ratings CSV with n clips; raters is (raters, n); NaN means not rated."""

    clips: tuple[Path, ...]
    group: NDArray[np.str_]
    generator: NDArray[np.str_]
    rating: Values
    raters: Values


@dataclass(frozen=True, eq=False)
class Scores:
    """Values of each metric over the clips, the reasons for NaN, and the errors of failed clips."""

    values: dict[str, Values]
    reasons: dict[str, list[str]]
    failed: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Sample:
    """Data that all metrics of a table share, over its n clips.

    motion: (n,), NaN where unknown. group: index of the group, (n,). counts: from `resamples`.
    """

    motion: Values
    group: NDArray[np.intp]
    counts: Values


def resamples(groups: int, count: int = _RESAMPLES, *, seed: int = _SEED) -> Values:
    """Number of times each resample contains each group, (1 + count, groups).

    The first row is the original sample.
    """
    counts = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), count)
    return np.vstack([np.ones(groups), counts])


def ranks(values: Values, weights: Values) -> Values:
    """Mid-ranks of values (n,) in weighted samples; weights (samples, n) count repetitions."""
    order = np.argsort(values, kind="stable")
    cumulative = np.pad(np.cumsum(weights[:, order], axis=1), ((0, 0), (1, 0)))
    ordered = values[order]
    below = cumulative[:, np.searchsorted(ordered, values, "left")]
    up_to = cumulative[:, np.searchsorted(ordered, values, "right")]
    return (below + up_to + 1) / 2


def correlation(x: Values, y: Values, weights: Values) -> Values:
    """Pearson's r of x and y, both (samples, n), for each sample; NaN if either is constant."""
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = x - (weights * x).sum(axis=1, keepdims=True) / total
        y = y - (weights * y).sum(axis=1, keepdims=True) / total
        variance = (weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1)
        r = (weights * x * y).sum(axis=1) / np.sqrt(np.where(variance > _NO_VARIANCE, variance, 0))
    return np.where(np.isfinite(r), np.clip(r, -1, 1), np.nan)


def spearman(x: Values, y: Values, weights: Values) -> Values:
    """Spearman's rho of x and y (n,) in each sample, with mid-ranks for ties."""
    return correlation(ranks(x, weights), ranks(y, weights), weights)


def partial_spearman(x: Values, y: Values, controlled: Values, weights: Values) -> Values:
    """Spearman's rho of x and y (n,) after regressing the ranks of `controlled` out of both.

    A monotone transform of `controlled`, such as the logarithm, changes nothing. The result is 0
    where `controlled` explains x or y completely.
    """
    xy, xh, yh = (spearman(a, b, weights) for a, b in ((x, y), (x, controlled), (y, controlled)))
    residual = (1 - xh**2) * (1 - yh**2)
    none = residual < _NO_VARIANCE
    return np.where(none, 0.0, (xy - xh * yh) / np.sqrt(np.where(none, 1.0, residual)))


def ordered_pairs(x: Values, y: Values, group: NDArray[np.intp], groups: int) -> NDArray[Any]:
    """Pairs with different y within each group: ordered alike by x, and in total; (2, groups).

    A tie in x counts as half.
    """
    tally = np.zeros((2, groups))
    for index in range(groups):
        members = np.flatnonzero(group == index)
        first, second = members[np.array(np.triu_indices(members.size, 1))]
        alike = np.sign(x[first] - x[second]) * np.sign(y[first] - y[second])
        counted = y[first] != y[second]
        tally[:, index] = ((alike[counted] + 1) / 2).sum(), counted.sum()
    return tally


def agreement(x: Values, y: Values, sample: Sample) -> Agreement:
    """Agreement of x with the rating y, both (n,), without clips that are NaN.

    The partial correlation also skips clips without motion.
    """
    return _summary(*_resampled(x, y, sample))


def ceiling(raters: Values, sample: Sample) -> Agreement | None:
    """Mean agreement of each rater with the mean of the other raters; raters is (raters, n).

    None if no two raters share a clip. clips and pairs are totals over the raters.
    """
    rated = np.isfinite(raters)
    filled = np.where(rated, raters, 0)
    others = rated.sum(axis=0) - rated
    with np.errstate(invalid="ignore"):
        rest = np.where(others > 0, (filled.sum(axis=0) - filled) / others, np.nan)
    each = [
        _resampled(one, mean, sample)
        for one, mean in zip(raters, rest, strict=True)
        if np.isfinite(one + mean).any()
    ]
    if not each:
        return None
    clips, pairs, results = zip(*each, strict=True)
    mean = np.ma.masked_invalid(np.stack(results)).mean(axis=0).filled(np.nan)
    return _summary(sum(clips), sum(pairs), mean)


def _resampled(x: Values, y: Values, sample: Sample) -> tuple[int, int, Values]:
    """Numbers of clips and pairs, and (3, samples): rho, partial and accuracy."""
    group, counts = sample.group, sample.counts
    valid = np.isfinite(x) & np.isfinite(y)
    with_motion = valid & np.isfinite(sample.motion)
    weights = counts[:, group]
    right, pairs = ordered_pairs(x[valid], y[valid], group[valid], counts.shape[1])
    with np.errstate(invalid="ignore"):
        accuracy = (counts @ right) / (counts @ pairs)
    rho = spearman(x[valid], y[valid], weights[:, valid])
    partial = partial_spearman(
        x[with_motion], y[with_motion], sample.motion[with_motion], weights[:, with_motion]
    )
    results = np.stack([rho, partial, accuracy])
    if np.unique(group[valid]).size < 2:
        results[:, 1:] = np.nan  # resampling a single group gives no interval
    return int(valid.sum()), int(pairs.sum()), results


def _summary(clips: int, pairs: int, results: Values) -> Agreement:
    rho, partial, accuracy = map(_estimate, results)
    return Agreement(clips, pairs, rho, partial, accuracy)


def _estimate(samples: Values) -> Estimate:
    """The first sample is the estimate; the finite others give its interval."""
    others = samples[1:][np.isfinite(samples[1:])]
    low, high = np.percentile(others, [2.5, 97.5]) if others.size else (math.nan, math.nan)
    return Estimate(float(samples[0]), float(low), float(high))


def read_ratings(path: Path, folder: Path, column: str) -> Ratings:
    """Read a ratings CSV in the format above. Raises InputError, in one line."""
    if not path.exists():
        raise InputError(f"{path}: no such file; name the CSV with --ratings (its columns: --help)")
    with open_input_file(path, InputError, _MAX_BYTES) as file:
        try:
            reader = csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline=""))
            header = list(reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
        except (csv.Error, UnicodeDecodeError) as reason:
            raise InputError(f"{path}: is not a CSV in UTF-8 ({reason})") from reason
    for name in ("clip", column, "group"):
        if name not in header:
            hint = "; name the rating with --column" if name == column else ""
            raise InputError(f"{path}: has no column {name!r}, only {', '.join(header)}{hint}")
    raters = [name for name in header if name.startswith("rater_")]
    clips: dict[Path, int] = {}
    for line, row in rows:
        where = f"{path}, line {line}"
        if None in row or None in row.values():
            raise InputError(f"{where}: the header has {len(header)} columns, this line has not")
        clip = folder / row["clip"]
        if clip.parent != folder or not clip.is_file():
            raise InputError(f"{where}: {row['clip']!r} is not a file in {folder}; remove the line")
        if clip in clips:
            raise InputError(f"{where}: {row['clip']!r} is in line {clips[clip]} already")
        if not row["group"].strip():
            raise InputError(f"{where}: has no group; write its prompt or still")
        clips[clip] = line
    numbers = np.array(
        [[_number(row[name], name, path, line) for line, row in rows] for name in (column, *raters)]
    )
    if np.isfinite(numbers[0]).sum() < _MIN_CLIPS:
        raise InputError(f"{path}: needs a {column!r} for {_MIN_CLIPS} clips or more")
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
        raise InputError(
            f"{path}, line {line}: {name} is {text!r}; write a number or leave it empty"
        )
    return number


def score_clips(clips: Sequence[Path], *, quiet: bool) -> Scores:
    """Score the clips without a still, by this toolkit's metrics and by the literature's."""
    results = score(clips, quiet=quiet, literature=True)
    records = {record["clip"]: record for record in results}
    in_order = [records[str(clip)] for clip in clips]
    names = dict.fromkeys(
        name for measured in (SPECS, *(r.get("scores", ()) for r in in_order)) for name in measured
    )
    values, reasons = {}, {}
    for name in names:
        numbers = [record.get("scores", {}).get(name) for record in in_order]
        values[name] = np.array([math.nan if value is None else value for value in numbers])
        reasons[name] = [
            record.get("error") or record["reasons"].get(name, "") for record in in_order
        ]
    failed = tuple(record["error"] for record in in_order if "error" in record)
    return Scores(values, reasons, failed)


def select_clips(ratings: Ratings, without: tuple[str, ...]) -> NDArray[np.bool_]:
    """Mask of the rated clips by other generators than `without`; InputError if too few."""
    selected = np.isfinite(ratings.rating) & ~np.isin(ratings.generator, without)
    if selected.sum() < _MIN_CLIPS:
        raise InputError(
            f"only {selected.sum()} rated clips without {', '.join(without)}; exclude fewer"
        )
    return selected


def compare(
    ratings: Ratings, scores: Scores, *, controlled: str, without: tuple[str, ...] = ()
) -> Table:
    """Agreement of every metric over the selected clips.

    controlled: name of the motion metric in `scores`.
    """
    selected = select_clips(ratings, without)
    rating, motion = ratings.rating[selected], scores.values[controlled][selected]
    names, group = np.unique(ratings.group[selected], return_inverse=True)
    sample = Sample(motion, group, resamples(names.size))
    rows = []
    for name, all_values in scores.values.items():
        kind = "metric" if name in SPECS else "literature"
        direction = {**SPECS, **LITERATURE}[name].direction
        values = all_values[selected]
        result = agreement(-values if direction == "lower" else values, rating, sample)
        absent = np.isnan(values)
        if absent.any():
            reasons = Counter(np.array(scores.reasons[name])[selected][absent].tolist())
            ((why, _),) = reasons.most_common(1)
            rows.append(Row(name, kind, direction, result, float(rating[absent].mean()), why))
        else:
            rows.append(Row(name, kind, direction, result))
    baseline = agreement(-motion, rating, sample)
    rows.append(Row(f"less {controlled} wins", "baseline", "lower", baseline))
    top = ceiling(ratings.raters[:, selected], sample)
    if top:
        rows.append(Row("a rater, by the others", "ceiling", "higher", top))
    # Sort NaN last.
    rows.sort(key=lambda row: np.nan_to_num(-row.agreement.partial.value, nan=math.inf))
    return Table(without, rating.size, names.size, float(rating.mean()), tuple(rows))


def lines(table: Table, column: str) -> Iterator[str]:
    """The table as aligned text. column: name of the rating."""
    yield (
        f"{table.among}: {table.clips} clips in {table.groups} groups, "
        f"{column} {table.rating:.2f} on average"
    )
    header = ("", "kind", "better", "rho", "rho | motion", "in order", "pairs", "clips", "left out")
    cells = [header]
    for row in table.rows:
        result = row.agreement
        missing = "" if math.isnan(row.left_out) else f"{table.clips - result.clips}, "
        cells.append(
            (
                row.name,
                row.kind,
                row.direction,
                _format(result.rho, "{:+.2f}"),
                _format(result.partial, "{:+.2f}"),
                _format(result.accuracy, "{:.0%}"),
                str(result.pairs),
                str(result.clips),
                missing and f"{missing}rated {row.left_out:.2f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        spaced = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        yield "  ".join(spaced).rstrip()
    for why in dict.fromkeys(row.why for row in table.rows if row.why):
        yield f"left out, {why}: {', '.join(row.name for row in table.rows if row.why == why)}"


def _format(estimate: Estimate, form: str) -> str:
    if math.isnan(estimate.value):
        return "-"
    value, low, high = (form.format(end) for end in astuple(estimate))
    return value if math.isnan(estimate.low) else f"{value} [{low}, {high}]"


def json_rows(table: Table) -> Iterator[dict[str, Any]]:
    """The rows as flat JSON data, with null for NaN."""
    among = {"among": table.among, "among_clips": table.clips, "among_groups": table.groups}
    for row in table.rows:
        result = row.agreement
        numbers: dict[str, float] = {"left_out_rating": row.left_out}
        for name in ("rho", "partial", "accuracy"):
            ends = (name, f"{name}_low", f"{name}_high")
            numbers |= zip(ends, astuple(getattr(result, name)), strict=True)
        yield {
            **among,
            "name": row.name,
            "kind": row.kind,
            "direction": row.direction,
            "clips": result.clips,
            "pairs": result.pairs,
            **{name: None if math.isnan(n) else round(n, 6) for name, n in numbers.items()},
            "why": row.why,
        }


def smoke(folder: Path) -> list[tuple[str, str, str]]:
    """Run end to end on four tiny clips in two groups with made-up ratings."""
    table = ["clip,group,temporal_1to5,generator,rater_1,rater_2"]
    for n in range(4):
        clip = rendered_clip(folder, "720p", fps=24, frames=4 + 2 * n)
        table.append(f"{clip.name},group {n % 2},{1 + n},{'ab'[n // 2]},{n},{n}")
    (folder / "ratings.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    with redirect_stdout(io.StringIO()) as output:
        assert main([str(folder), "--json"]) == 0
    return [
        ("agreement with people, numbers judged", str(len(output.getvalue().splitlines())), "-")
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 1 some clips failed, 2 wrong input, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.agreement",
        description=__doc__.partition("`: ")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument(
        "--ratings", default="ratings.csv", help="the CSV, relative to DIR (%(default)s)"
    )
    parser.add_argument("--column", default="temporal_1to5", help="the rating (%(default)s)")
    parser.add_argument(
        "--motion", default="motion", help="the metric to control for (%(default)s)"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="GENERATOR",
        help=f"one more table without this generator, those before it, and {REAL}; repeatable",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    arguments = parser.parse_args(argv)
    try:
        return _report(arguments)
    except Interrupted as error:
        print(f"error: {error}", file=sys.stderr)
        return 130
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _report(arguments: argparse.Namespace) -> int:
    ratings = read_ratings(arguments.folder / arguments.ratings, arguments.folder, arguments.column)
    made_by = sorted(set(ratings.generator) - {""})
    for name in arguments.without:
        if name not in made_by:
            raise InputError(
                f"no clip is made by {name!r}; accepted: {', '.join(made_by) or 'none'}"
            )
    if arguments.motion not in SPECS:
        raise InputError(f"no metric is called {arguments.motion!r}; accepted: {', '.join(SPECS)}")
    real = (REAL,) if REAL in made_by and made_by != [REAL] else ()
    more = [tuple(arguments.without[:count]) for count in range(len(arguments.without) + 1)]
    tables = dict.fromkeys(((), *(tuple(dict.fromkeys(real + named)) for named in more)))
    for without in tables:
        select_clips(ratings, without)
    scores = score_clips(ratings.clips, quiet=arguments.json)
    for without in tables:
        table = compare(ratings, scores, controlled=arguments.motion, without=without)
        for line in (
            map(json.dumps, json_rows(table)) if arguments.json else lines(table, arguments.column)
        ):
            print(line)
        if not arguments.json:
            print()
    if not arguments.json:
        print(_LEGEND)
    for error in scores.failed:
        print(f"error: {error}", file=sys.stderr)
    return 1 if scores.failed else 0


if __name__ == "__main__":
    sys.exit(main())
