"""`python -m benchmarks.agreement DIR`: how well each metric agrees with human ratings.

DIR is a folder of clips with a ratings CSV (UTF-8, commas, one header line, one line per clip):

    clip        the clip's file name in DIR, each once
    RATING      the column named by --column: a number, higher is better; empty if not rated
    rater_*     optional: one column per rater, numbers or empty; their agreement is the ceiling
    still       optional: the still's file name in DIR, or in the folder named by --stills
    group       the prompt or still; clips are compared within it, and intervals resample it;
                the still if there is no such column
    generator   optional: what made the clip; `real` is camera footage

Other columns are ignored. --raters names the raters' columns if they are not called rater_*. Then
their mean is the rating, unless --column names one. --lower-is-better is for ratings of a flaw, for
example 1 for none to 5. --generator names the generator's column.

Each correlation is signed so that + is agreement, whether lower or higher values of the metric or
of the rating are better. A metric without a direction keeps its own sign. A clip without a still is
measured against its own first frame.
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import rendered_clip
from benchmarks.whole_frame import whole_frame_distance
from lab.calibration.agreement import (
    ESTIMATES,
    Agreement,
    Estimate,
    RatedMaterial,
    Row,
    load_agreement,
    save_agreement,
)
from lab.errors import InputError, Interrupted, LabError, WeightsError
from lab.files import make_writable_folder, open_input_file
from lab.metrics import LITERATURE, SPECS
from lab.runs import score
from lab.runs.executors import open_executor
from lab.runs.progress import Progress
from lab.stills import Still

Values = NDArray[np.float64]

REAL = "real"
_COLUMN = "temporal_1to5"
_GENERATOR = "generator"
_RESAMPLES = 2000
_SEED = 0
_MIN_CLIPS = 3
_MIN_OF_GENERATOR = 5  # a rank correlation of fewer clips is mostly noise
_MAX_BYTES = 16_000_000
_NO_VARIANCE = 1e-9
_NO_FLAW = 0.0  # the best value of every metric, after its sign is turned so that more is better
_CEILING = "a rater, by the others"
_WHOLE_FRAME = "whole-frame embedding"
_SAME_GENERATOR = "same generator's clips"
_LEGEND = f"""\
rho           Spearman correlation with the rating, + agrees; direction none keeps its own sign
all clips     rho if a missing value counts as no flaw; empty if that changes nothing
rho | motion  partial correlation, controlled for the ranks of motion; the tables are sorted by it
missing       clips without a value; if their mean rating is far from the average, beware
in generator  mean of rho within each generator with {_MIN_OF_GENERATOR} clips or more
in order      pairs within a group in the order of the rating, without ties; 50 % is chance
[ ]           95 % interval, {_RESAMPLES} resamples of whole groups"""
_GENERATOR_LEGEND = f"""\
{_SAME_GENERATOR}: the mean rating of the generator's clips in other groups"""
_SPLIT_LEGEND = """\
AUROC         probability that a clip rated bad has a worse value than one rated good
p90/median    90th percentile over the clips rated good, divided by the median over those rated bad
              (in both, a missing value counts as no flaw)"""
_STILL_LEGEND = f"""\
{_WHOLE_FRAME}: 1 - cosine similarity of the still and the last second, without a mask
above whole frame: rho over all clips minus that of this baseline, on the same resamples"""


@dataclass(frozen=True)
class Table:
    """The agreement of every metric over a set of rated clips, highest partial first.

    without: excluded generators. clips, groups, generators: their numbers. rating: mean rating.
    """

    without: tuple[str, ...]
    clips: int
    groups: int
    generators: int
    rating: float
    rows: tuple[Row, ...]

    @property
    def among(self) -> str:
        """The set of clips, in words."""
        return f"without {', '.join(self.without)}" if self.without else "all clips"


@dataclass(frozen=True, eq=False)
class Ratings:
    """The columns of a ratings CSV with n clips.

    raters: (raters, n). NaN means not rated. stills: None where a clip has none. name: what the
    rating is called. lower_is_better: whether a higher rating is worse.
    """

    clips: tuple[Path, ...]
    group: NDArray[np.str_]
    generator: NDArray[np.str_]
    rating: Values
    raters: Values
    stills: tuple[Still | None, ...]
    name: str
    lower_is_better: bool = False

    @property
    def described(self) -> str:
        """The rating and its better direction, in words."""
        return f"{self.name}, {'lower' if self.lower_is_better else 'higher'} is better"

    def oriented(self, ratings: Values) -> Values:
        """Ratings of any shape, with their sign turned so that higher is better."""
        return -ratings if self.lower_is_better else ratings


@dataclass(frozen=True, eq=False)
class Scores:
    """Values of each metric over the clips, and the reasons for NaN.

    failed: the errors of failed clips. whole_frame: distances of the baseline, None without stills.
    """

    values: dict[str, Values]
    reasons: dict[str, list[str]]
    failed: dict[Path, str]
    whole_frame: Values | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """Data that all metrics of a table share, over its n clips.

    motion: (n,), NaN where unknown. group: index of the group, (n,). counts: from `resamples`.
    generators: for each generator, a mask (n,) of its clips. split: clips with a rating of at most
    the first are bad, of at least the second good, if higher is better; None for no detection.
    """

    motion: Values
    group: NDArray[np.intp]
    counts: Values
    generators: tuple[NDArray[np.bool_], ...] = ()
    split: tuple[float, float] | None = None


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


def auroc(bad: Values, good: Values, bad_weights: Values, good_weights: Values) -> Values:
    """Probability that a good clip has a higher value than a bad one, in each weighted sample.

    bad, good: (n,) and (m,); their weights are (samples, n) and (samples, m). A tie counts as half.
    """
    above = (np.sign(good[None] - bad[:, None]) + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        total = bad_weights.sum(axis=1) * good_weights.sum(axis=1)
        result: Values = ((bad_weights @ above) * good_weights).sum(axis=1) / total
    return result


def quantile(values: Values, weights: Values, share: float) -> Values:
    """A quantile of values (n,) in weighted samples, (samples,); linear, like NumPy's."""
    order = np.argsort(values, kind="stable")
    ordered, cumulative = values[order], np.cumsum(weights[:, order], axis=1)
    place = share * (cumulative[:, -1] - 1)
    below = np.floor(place)
    low, high = (
        ordered[(cumulative > whole[:, None]).argmax(axis=1)] for whole in (below, np.ceil(place))
    )
    result: Values = np.where(cumulative[:, -1] > 0, low + (place - below) * (high - low), np.nan)
    return result


def agreement(x: Values, y: Values, sample: Sample, *, best: float = math.nan) -> Agreement:
    """Agreement of x with the rating y, both (n,), higher is better, without clips that are NaN.

    best: the x of a clip without a flaw, which a missing value counts as where all clips count; NaN
    if there is none. The partial correlation also skips clips without motion.
    """
    return _summary(*_resampled(x, y, sample, best))


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
    mean = {name: _known_mean([result[name] for result in results]) for name in ESTIMATES}
    return _summary(sum(clips), sum(pairs), mean)


def generator_means(y: Values, generator: NDArray[np.str_], group: NDArray[np.intp]) -> Values:
    """Mean rating of the clips by the same generator in other groups, (n,); NaN without any.

    A mean with the clip itself would follow the rating even if all generators were alike.
    """
    others = (generator[:, None] == generator) & (group[:, None] != group)
    others[generator == ""] = False
    count = others.sum(axis=1)
    return np.where(count > 0, (others @ y) / np.maximum(count, 1), np.nan)


def _resampled(
    x: Values, y: Values, sample: Sample, best: float = math.nan
) -> tuple[int, int, dict[str, Values]]:
    """Numbers of clips and pairs, and every estimate in each sample, (samples,), by name."""
    group, counts = sample.group, sample.counts
    weights = counts[:, group]
    valid = np.isfinite(x) & np.isfinite(y)
    with_motion = valid & np.isfinite(sample.motion)
    # A number that no clip has says nothing, so its missing values stay missing.
    filled = np.where(np.isnan(x), best, x) if valid.any() else x
    complete = np.isfinite(filled) & np.isfinite(y)
    right, pairs = ordered_pairs(x[valid], y[valid], group[valid], counts.shape[1])
    with np.errstate(invalid="ignore"):
        accuracy = (counts @ right) / (counts @ pairs)
    rho = spearman(x[valid], y[valid], weights[:, valid])
    within = [
        spearman(x[own], y[own], weights[:, own])
        for own in (valid & members for members in sample.generators)
        if own.sum() >= _MIN_OF_GENERATOR
    ]
    unknown = np.full(len(counts), np.nan)
    results = {
        "rho": rho,
        "rho_filled": rho
        if (valid == complete).all()
        else spearman(filled[complete], y[complete], weights[:, complete]),
        "partial": partial_spearman(
            x[with_motion], y[with_motion], sample.motion[with_motion], weights[:, with_motion]
        ),
        "within": _known_mean(within) if within else unknown,
        "accuracy": accuracy,
        "auroc": unknown,
        "ratio": unknown,
    }
    if sample.split is not None:
        bad, good = complete & (y <= sample.split[0]), complete & (y >= sample.split[1])
        if bad.any() and good.any():
            results["auroc"] = auroc(filled[bad], filled[good], weights[:, bad], weights[:, good])
            high = quantile(best - filled[good], weights[:, good], 0.9)
            middle = quantile(best - filled[bad], weights[:, bad], 0.5)
            with np.errstate(invalid="ignore", divide="ignore"):
                results["ratio"] = np.where(middle > 0, high / middle, np.nan)
    of_known = ("rho", "partial", "within", "accuracy")
    for name, samples in results.items():
        if np.unique(group[valid if name in of_known else complete]).size < 2:
            samples[1:] = np.nan  # resampling a single group gives no interval
    return int(valid.sum()), int(pairs.sum()), results


def _known_mean(each: list[Values]) -> Values:
    """Mean in each sample over those that are not NaN."""
    mean: Values = np.ma.masked_invalid(np.stack(each)).mean(axis=0).filled(np.nan)
    return mean


def _summary(clips: int, pairs: int, results: dict[str, Values]) -> Agreement:
    estimates = {name: _estimate(samples) for name, samples in results.items()}
    return Agreement(clips, pairs, **estimates)


def _estimate(samples: Values) -> Estimate:
    """The first sample is the estimate; the finite others give its interval."""
    others = samples[1:][np.isfinite(samples[1:])]
    low, high = np.percentile(others, [2.5, 97.5]) if others.size else (math.nan, math.nan)
    return Estimate(float(samples[0]), float(low), float(high))


def read_ratings(
    path: Path,
    folder: Path,
    *,
    column: str | None = None,
    raters: Sequence[str] = (),
    lower_is_better: bool = False,
    generator: str | None = None,
    stills: Path | None = None,
) -> Ratings:
    """Read a ratings CSV in the format above. Raises InputError or StillError, in one line.

    column: of the rating; the mean of the raters when None. raters: columns; those called rater_*
    when empty, and then the rating is temporal_1to5 by default. generator: column, which need not
    exist when None. stills: the folder of the stills; that of the clips when None.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; name the CSV with --ratings (its columns: --help)")
    with open_input_file(path, InputError, _MAX_BYTES) as file:
        try:
            reader = csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline=""))
            header = list(reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
        except (csv.Error, UnicodeDecodeError) as reason:
            raise InputError(f"{path}: is not a CSV in UTF-8 ({reason})") from reason
    if column is None and not raters:
        column = _COLUMN
    needed = {
        "clip": "",
        **({column: "name the rating with --column or --raters"} if column else {}),
        **dict.fromkeys(raters, "name columns with --raters"),
        "group" if "group" in header or "still" not in header else "still": "",
        **({generator: "name a column with --generator"} if generator else {}),
        **({"still": "leave --stills out"} if stills is not None else {}),
    }
    for name, hint in needed.items():
        if name not in header:
            raise InputError(
                f"{path}: has no column {name!r}, only {', '.join(header)}"
                + (f"; {hint}" if hint else "")
            )
    raters = raters or [name for name in header if name.startswith("rater_")]
    lines: dict[Path, int] = {}
    groups: list[str] = []
    opened: dict[str, Still | None] = {"": None}
    for line, row in rows:
        where = f"{path}, line {line}"
        if None in row or None in row.values():
            raise InputError(f"{where}: the header has {len(header)} columns, this line has not")
        clip = _file(row["clip"], folder, where, "remove the line")
        if clip in lines:
            raise InputError(f"{where}: {row['clip']!r} is in line {lines[clip]} already")
        lines[clip] = line
        groups.append(row["group" if "group" in header else "still"].strip())
        if not groups[-1]:
            raise InputError(f"{where}: has no group; write its prompt or still")
        still = row.get("still", "").strip()
        if still not in opened:
            hint = "correct it or leave it empty; --stills names the folder"
            opened[still] = Still.open(_file(still, stills or folder, where, hint))
    numbers = {
        name: np.array([_number(row[name], name, path, line) for line, row in rows])
        for name in dict.fromkeys([*raters, *([column] if column else [])])
    }
    rated = np.stack([numbers[name] for name in raters]) if raters else np.empty((0, len(rows)))
    if column is not None:
        name, rating = column, numbers[column]
    else:
        name, rating = f"mean of {', '.join(raters)}", _known_mean(list(rated))
    if np.isfinite(rating).sum() < _MIN_CLIPS:
        raise InputError(f"{path}: needs a rating ({name}) for {_MIN_CLIPS} clips or more")
    return Ratings(
        clips=tuple(lines),
        group=np.array(groups),
        generator=np.array([row.get(generator or _GENERATOR, "").strip() for _, row in rows]),
        rating=rating,
        raters=rated,
        stills=tuple(opened[row.get("still", "").strip()] for _, row in rows),
        name=name,
        lower_is_better=lower_is_better,
    )


def _file(name: str, folder: Path, where: str, hint: str) -> Path:
    path = folder / name
    if path.parent != folder or not path.is_file():
        raise InputError(f"{where}: {name!r} is not a file in {folder}; {hint}")
    return path


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


def score_clips(clips: Sequence[Path], stills: Sequence[Still | None], *, quiet: bool) -> Scores:
    """Score each clip with its still, by this toolkit's metrics and by the literature's."""
    records: dict[str, Any] = {}
    with (
        open_executor(None, len(clips)) as pool,
        Progress(len(clips), "clips", quiet=quiet) as progress,
    ):
        for still in dict.fromkeys(stills):
            own = [clip for clip, of in zip(clips, stills, strict=True) if of == still]
            for record in score(own, still, executor=pool, quiet=True, literature=True):
                records[record["clip"]] = record
                progress.advance()
    in_order = [records[str(clip)] for clip in clips]
    failed = {
        clip: record["error"]
        for clip, record in zip(clips, in_order, strict=True)
        if "error" in record
    }
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
    whole_frame = None
    if any(stills):
        try:
            whole_frame = np.array(
                [
                    math.nan if clip in failed else whole_frame_distance(clip, still)
                    for clip, still in zip(clips, stills, strict=True)
                ]
            )
        except WeightsError as error:  # the metrics themselves can do without
            print(f"{_WHOLE_FRAME} is left out: {error}", file=sys.stderr)
    return Scores(values, reasons, failed, whole_frame)


def select_clips(ratings: Ratings, without: tuple[str, ...]) -> NDArray[np.bool_]:
    """Mask of the rated clips by other generators than `without`; InputError if too few."""
    selected = np.isfinite(ratings.rating) & ~np.isin(ratings.generator, without)
    if selected.sum() < _MIN_CLIPS:
        raise InputError(
            f"only {selected.sum()} rated clips without {', '.join(without)}; exclude fewer"
            if without
            else f"only {selected.sum()} rated clips could be scored; at least {_MIN_CLIPS} needed"
        )
    return selected


def compare(
    ratings: Ratings,
    scores: Scores,
    *,
    controlled: str,
    without: tuple[str, ...] = (),
    split: tuple[float, float] | None = None,
) -> Table:
    """Agreement of every metric over the selected clips.

    controlled: name of the motion metric in `scores`. split: clips rated at most the first against
    clips rated at least the second; see `check_split`.
    """
    selected = select_clips(ratings, without)
    rating = ratings.rating[selected]
    y, motion = ratings.oriented(rating), scores.values[controlled][selected]
    names, group = np.unique(ratings.group[selected], return_inverse=True)
    generator = ratings.generator[selected]
    made_by = sorted(set(generator.tolist()) - {""})
    worst_best = split
    if split is not None and ratings.lower_is_better:
        worst_best = -split[1], -split[0]
    masks = tuple(generator == name for name in made_by)
    sample = Sample(motion, group, resamples(names.size), masks, worst_best)
    rows, whole_frame = [], None
    if scores.whole_frame is not None:
        x = -scores.whole_frame[selected]
        clips, pairs, whole_frame = _resampled(x, y, sample, _NO_FLAW)
        rows.append(Row(_WHOLE_FRAME, "baseline", "lower", _summary(clips, pairs, whole_frame)))
    for name, all_values in scores.values.items():
        kind = "metric" if name in SPECS else "literature"
        spec = {**SPECS, **LITERATURE}[name]
        values = all_values[selected]
        if spec.direction == "none":
            clips, pairs, results = _resampled(values, y, sample)
        else:
            clips, pairs, results = _resampled(-spec.flaw(values), y, sample, _NO_FLAW)
        row = Row(name, kind, spec.direction, _summary(clips, pairs, results))
        absent = np.isnan(values)
        if absent.any():
            reasons = Counter(np.array(scores.reasons[name])[selected][absent].tolist())
            ((why, _),) = reasons.most_common(1)
            left_out = float(rating[absent].mean())
            row = replace(row, missing=int(absent.sum()), left_out=left_out, why=why)
        if spec.judged and whole_frame is not None:
            difference = _estimate(results["rho_filled"] - whole_frame["rho_filled"])
            row = replace(row, difference=difference)
        rows.append(row)
    less = agreement(-motion, y, sample, best=_NO_FLAW)
    rows.append(Row(f"less {controlled} wins", "baseline", "lower", less))
    if len(made_by) > 1:
        # Within a generator this mean only reverses the rating.
        alone = agreement(generator_means(y, generator, group), y, replace(sample, generators=()))
        rows.append(Row(_SAME_GENERATOR, "baseline", "higher", alone, y.size - alone.clips))
    top = ceiling(ratings.oriented(ratings.raters[:, selected]), sample)
    if top:
        rows.append(Row(_CEILING, "ceiling", "higher", top))
    # Sort NaN last.
    rows.sort(key=lambda row: np.nan_to_num(-row.agreement.partial.value, nan=math.inf))
    return Table(without, rating.size, names.size, len(made_by), float(rating.mean()), tuple(rows))


def check_split(ratings: Ratings, split: tuple[float, float]) -> None:
    """Raise InputError unless some clips are rated at most the first, some at least the second."""
    low, high = split
    counts = (ratings.rating <= low).sum(), (ratings.rating >= high).sum()
    if not low < high or not all(counts):
        raise InputError(
            f"--split {low:g} {high:g}: {counts[0]} clips are rated {low:g} or less, "
            f"{counts[1]} {high:g} or more; name two levels with clips on both sides"
        )


def lines(table: Table, ratings: Ratings) -> Iterator[str]:
    """The table as aligned text, in two parts. Columns without any value are left out."""
    made_by = f" by {table.generators} generators" if table.generators else ""
    yield (
        f"{table.among}: {table.clips} clips in {table.groups} groups{made_by}, "
        f"{ratings.described}, {table.rating:.2f} on average"
    )
    correlations, details = [], []
    for row in table.rows:
        result = row.agreement
        rated = "" if math.isnan(row.left_out) else f", rated {row.left_out:.2f}"
        filled = result.rho_filled.text("{:+.2f}") if result.rho_filled != result.rho else ""
        correlations.append(
            {
                "": row.name,
                "kind": row.kind,
                "better": row.direction,
                "rho": result.rho.text("{:+.2f}"),
                "all clips": filled if row.missing else "",
                "rho | motion": result.partial.text("{:+.2f}"),
                "missing": f"{row.missing}{rated}" if row.missing else "",
            }
        )
        details.append(
            {
                "": row.name,
                "in generator": result.within.text("{:+.2f}"),
                "in order": result.accuracy.text("{:.0%}"),
                "pairs": str(result.pairs),
                "AUROC": result.auroc.text("{:.2f}"),
                "p90/median": result.ratio.text("{:.2f}"),
                "above whole frame": row.difference.text("{:+.2f}"),
            }
        )
    yield from _aligned(correlations)
    yield ""
    yield from _aligned(details)
    for why in dict.fromkeys(row.why for row in table.rows if row.why):
        yield f"missing, {why}: {', '.join(row.name for row in table.rows if row.why == why)}"


def _aligned(rows: list[dict[str, str]]) -> Iterator[str]:
    columns = [[name, *(row[name] for row in rows)] for name in rows[0]]
    shown = [column for column in columns if set(column[1:]) - {"", "-"}]
    widths = [max(map(len, column)) for column in shown]
    for line in zip(*shown, strict=True):
        spaced = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        yield "  ".join(spaced).rstrip()


def legend(ratings: Ratings, table: Table) -> Iterator[str]:
    """What the columns and the baselines of the table mean."""
    yield _LEGEND
    if any(not math.isnan(row.agreement.auroc.value) for row in table.rows):
        yield _SPLIT_LEGEND
    names = {row.name for row in table.rows}
    if _SAME_GENERATOR in names:
        yield _GENERATOR_LEGEND
    if _WHOLE_FRAME in names:
        yield _STILL_LEGEND
    with_still = sum(still is not None for still in ratings.stills)
    if with_still < len(ratings.stills):
        yield (
            f"{with_still} of {len(ratings.stills)} clips have a still; drift of the others is "
            "measured against their first frame"
        )


def json_rows(table: Table) -> Iterator[dict[str, Any]]:
    """The rows as flat JSON data, with null for NaN."""
    among = {
        "among": table.among,
        "among_clips": table.clips,
        "among_groups": table.groups,
        "among_generators": table.generators,
    }
    for row in table.rows:
        numbers: dict[str, float] = {"left_out_rating": row.left_out}
        estimates = {name: getattr(row.agreement, name) for name in ESTIMATES}
        for name, estimate in {**estimates, "difference": row.difference}.items():
            ends = (name, f"{name}_low", f"{name}_high")
            numbers |= zip(ends, (estimate.value, estimate.low, estimate.high), strict=True)
        yield {
            **among,
            "name": row.name,
            "kind": row.kind,
            "direction": row.direction,
            "clips": row.agreement.clips,
            "pairs": row.agreement.pairs,
            "missing": row.missing,
            **{name: None if math.isnan(n) else round(n, 6) for name, n in numbers.items()},
            "why": row.why,
        }


def rated_material(
    table: Table,
    ratings: Ratings,
    material: str,
    *,
    controlled: str,
    split: tuple[float, float] | None,
) -> RatedMaterial:
    """What the file of `--card` holds of a table: judged headlines, baselines and the ceiling."""
    judged = [name for name, spec in SPECS.items() if spec.judged]
    return RatedMaterial(
        material=material,
        rating=ratings.described,
        clips=table.clips,
        groups=table.groups,
        generators=table.generators,
        split=split,
        versions={name: SPECS[name].version for name in (*judged, controlled)},
        rows=tuple(
            row for row in table.rows if row.name in judged or row.kind in ("baseline", "ceiling")
        ),
    )


def _add_to_card(path: Path, entry: RatedMaterial) -> None:
    """Write the entry into the file, in place of an older one of the same material and rating."""
    entries = list(load_agreement(path)) if path.exists() else []
    keys = [(one.material, one.rating) for one in entries]
    if (key := (entry.material, entry.rating)) in keys:
        entries[keys.index(key)] = entry
    else:
        entries.append(entry)
    save_agreement(path, entries)


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
    parser.add_argument(
        "--column", help=f"the rating (the mean of --raters; without them, {_COLUMN})"
    )
    parser.add_argument(
        "--raters",
        default="",
        metavar="COLUMN,...",
        help="the raters' columns (those called rater_*)",
    )
    parser.add_argument(
        "--lower-is-better", action="store_true", help="the rating counts a flaw: higher is worse"
    )
    parser.add_argument(
        "--generator", metavar="COLUMN", help=f"the generator's column ({_GENERATOR}, if it exists)"
    )
    parser.add_argument("--stills", metavar="FOLDER", help="the stills, relative to DIR (DIR)")
    parser.add_argument(
        "--split",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="detection: clips rated LOW or less against clips rated HIGH or more",
    )
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
    parser.add_argument(
        "--card",
        metavar="FILE",
        type=Path,
        help="add the judged metrics over all clips to this JSON file; needs --material",
    )
    parser.add_argument(
        "--material",
        metavar="TEXT",
        help="what the clips are; replaces an entry in --card with the same text and rating",
    )
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
    folder, motion = arguments.folder, arguments.motion
    if (arguments.card is None) != (arguments.material is None):
        raise InputError("--card and --material belong together; give both or neither")
    if arguments.card is not None:
        make_writable_folder(arguments.card.parent)
        if arguments.card.exists():
            load_agreement(arguments.card)
    ratings = read_ratings(
        folder / arguments.ratings,
        folder,
        column=arguments.column,
        raters=[name.strip() for name in arguments.raters.split(",") if name.strip()],
        lower_is_better=arguments.lower_is_better,
        generator=arguments.generator,
        stills=None if arguments.stills is None else folder / arguments.stills,
    )
    made_by = sorted(set(ratings.generator) - {""})
    for name in arguments.without:
        if name not in made_by:
            raise InputError(
                f"no clip is made by {name!r}; accepted: {', '.join(made_by) or 'none'}"
            )
    if motion not in SPECS:
        raise InputError(f"no metric is called {motion!r}; accepted: {', '.join(SPECS)}")
    split = None if arguments.split is None else (arguments.split[0], arguments.split[1])
    if split is not None:
        check_split(ratings, split)
    real = (REAL,) if REAL in made_by and made_by != [REAL] else ()
    more = [tuple(arguments.without[:count]) for count in range(len(arguments.without) + 1)]
    selections = dict.fromkeys(((), *(tuple(dict.fromkeys(real + named)) for named in more)))
    for without in selections:
        select_clips(ratings, without)
    scores = score_clips(ratings.clips, ratings.stills, quiet=arguments.json)
    for error in scores.failed.values():
        print(f"error: {error}", file=sys.stderr)
    # A clip that cannot be read says nothing about a metric, least of all that it has no flaw.
    failed = [clip in scores.failed for clip in ratings.clips]
    ratings = replace(ratings, rating=np.where(failed, np.nan, ratings.rating))
    tables = [
        compare(ratings, scores, controlled=motion, without=without, split=split)
        for without in selections
    ]
    for table in tables:
        if arguments.json:
            for row in json_rows(table):
                print(json.dumps(row))
        else:
            print(*lines(table, ratings), sep="\n", end="\n\n")
    if not arguments.json:
        print(*legend(ratings, tables[0]), sep="\n")
    if arguments.card is not None:
        _add_to_card(
            arguments.card,
            rated_material(tables[0], ratings, arguments.material, controlled=motion, split=split),
        )
    return 1 if scores.failed else 0


if __name__ == "__main__":
    sys.exit(main())
