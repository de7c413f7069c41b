"""`python -m benchmarks.agreement DIR`: how well each metric agrees with ratings.

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
from benchmarks.rank_agreement import (
    MIN_OF_GENERATOR,
    RESAMPLES,
    Sample,
    Values,
    agreement,
    ceiling,
    estimate,
    generator_means,
    resampled,
    resamples,
    summary,
)
from benchmarks.ratings import (
    DEFAULT_COLUMN,
    GENERATOR_COLUMN,
    MIN_CLIPS,
    Ratings,
    check_split,
    read_ratings,
)
from benchmarks.whole_frame import whole_frame_distance
from lab.calibration.agreement import (
    ESTIMATES,
    RatedMaterial,
    Row,
    load_agreement,
    save_agreement,
)
from lab.errors import InputError, Interrupted, LabError, WeightsError
from lab.files import make_writable_folder
from lab.metrics import LITERATURE, SPECS
from lab.runs import score
from lab.runs.executors import open_executor
from lab.runs.progress import Progress
from lab.stills import Still

REAL = "real"
_NO_FLAW = 0.0  # the best value of every metric, after its sign is turned so that more is better
_CEILING = "a rater, by the others"
_WHOLE_FRAME = "whole-frame embedding"
_SAME_GENERATOR = "same generator's clips"
_LEGEND = f"""\
rho           Spearman correlation with the rating, + agrees; direction none keeps its own sign
all clips     rho if a missing value counts as no flaw; empty if that changes nothing
rho | motion  partial correlation, controlled for the ranks of motion; the tables are sorted by it
missing       clips without a value; if their mean rating is far from the average, beware
in generator  mean of rho within each generator with {MIN_OF_GENERATOR} clips or more
in order      pairs within a group in the order of the rating, without ties; 50 % is chance
[ ]           95 % interval, {RESAMPLES} resamples of whole groups"""
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
class Scores:
    """Values of each metric over the clips, and the reasons for NaN.

    failed: the errors of failed clips. whole_frame: distances of the baseline, None without stills.
    """

    values: dict[str, Values]
    reasons: dict[str, list[str]]
    failed: dict[Path, str]
    whole_frame: Values | None = None


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
    if selected.sum() < MIN_CLIPS:
        raise InputError(
            f"only {selected.sum()} rated clips without {', '.join(without)}; exclude fewer"
            if without
            else f"only {selected.sum()} rated clips could be scored; at least {MIN_CLIPS} needed"
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
        clips, pairs, whole_frame = resampled(x, y, sample, _NO_FLAW)
        rows.append(Row(_WHOLE_FRAME, "baseline", "lower", summary(clips, pairs, whole_frame)))
    for name, all_values in scores.values.items():
        kind = "metric" if name in SPECS else "literature"
        spec = {**SPECS, **LITERATURE}[name]
        values = all_values[selected]
        if spec.direction == "none":
            clips, pairs, results = resampled(values, y, sample)
        else:
            clips, pairs, results = resampled(-spec.flaw(values), y, sample, _NO_FLAW)
        row = Row(name, kind, spec.direction, summary(clips, pairs, results))
        absent = np.isnan(values)
        if absent.any():
            reasons = Counter(np.array(scores.reasons[name])[selected][absent].tolist())
            ((why, _),) = reasons.most_common(1)
            left_out = float(rating[absent].mean())
            row = replace(row, missing=int(absent.sum()), left_out=left_out, why=why)
        if spec.judged and whole_frame is not None:
            difference = estimate(results["rho_filled"] - whole_frame["rho_filled"])
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
        for name, one in {**estimates, "difference": row.difference}.items():
            ends = (name, f"{name}_low", f"{name}_high")
            numbers |= zip(ends, (one.value, one.low, one.high), strict=True)
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
        "--column", help=f"the rating (the mean of --raters; without them, {DEFAULT_COLUMN})"
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
        "--generator",
        metavar="COLUMN",
        help=f"the generator's column ({GENERATOR_COLUMN}, if it exists)",
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
