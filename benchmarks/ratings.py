"""Reads the ratings of a folder of clips. The CSV's format is in `benchmarks.agreement`."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.rank_agreement import Values, known_mean
from lab.errors import InputError
from lab.files import open_input_file
from lab.stills import Still

DEFAULT_COLUMN = "temporal_1to5"
GENERATOR_COLUMN = "generator"
MIN_CLIPS = 3
_MAX_BYTES = 16_000_000


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
    """Read a ratings CSV. Raises InputError or StillError, in one line.

    column: of the rating; the mean of the raters when None. raters: columns; those called rater_*
    when empty, and then the rating is temporal_1to5 by default. generator: column, which need not
    exist when None. stills: the folder of the stills; that of the clips when None.
    """
    header, rows = read_rows(path, "--ratings")
    if column is None and not raters:
        column = DEFAULT_COLUMN
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
        clip = file_in(row["clip"], folder, where, "remove the line")
        if clip in lines:
            raise InputError(f"{where}: {row['clip']!r} is in line {lines[clip]} already")
        lines[clip] = line
        groups.append(row["group" if "group" in header else "still"].strip())
        if not groups[-1]:
            raise InputError(f"{where}: has no group; write its prompt or still")
        still = row.get("still", "").strip()
        if still not in opened:
            hint = "correct it or leave it empty; --stills names the folder"
            opened[still] = Still.open(file_in(still, stills or folder, where, hint))
    numbers = {
        name: np.array([_number(row[name], name, path, line) for line, row in rows])
        for name in dict.fromkeys([*raters, *([column] if column else [])])
    }
    rated = np.stack([numbers[name] for name in raters]) if raters else np.empty((0, len(rows)))
    if column is not None:
        name, rating = column, numbers[column]
    else:
        name, rating = f"mean of {', '.join(raters)}", known_mean(list(rated))
    if np.isfinite(rating).sum() < MIN_CLIPS:
        raise InputError(f"{path}: needs a rating ({name}) for {MIN_CLIPS} clips or more")
    return Ratings(
        clips=tuple(lines),
        group=np.array(groups),
        generator=np.array([row.get(generator or GENERATOR_COLUMN, "").strip() for _, row in rows]),
        rating=rating,
        raters=rated,
        stills=tuple(opened[row.get("still", "").strip()] for _, row in rows),
        name=name,
        lower_is_better=lower_is_better,
    )


def read_rows(path: Path, option: str) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The columns of a CSV, and its rows with their line numbers.

    option: the one that names the CSV. Raises InputError, in one line.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; name the CSV with {option} (its columns: --help)")
    with open_input_file(path, InputError, _MAX_BYTES) as file:
        try:
            reader = csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline=""))
            header = list(reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
        except (csv.Error, UnicodeDecodeError) as reason:
            raise InputError(f"{path}: is not a CSV in UTF-8 ({reason})") from reason
    for line, row in rows:
        if None in row or None in row.values():
            raise InputError(
                f"{path}, line {line}: the header has {len(header)} columns, this line has not"
            )
    return header, rows


def file_in(name: str, folder: Path, where: str, hint: str) -> Path:
    """The file of that name in a folder. where, hint: for the InputError if there is none."""
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


def check_split(ratings: Ratings, split: tuple[float, float]) -> None:
    """Raise InputError unless some clips are rated at most the first, some at least the second."""
    low, high = split
    counts = (ratings.rating <= low).sum(), (ratings.rating >= high).sum()
    if not low < high or not all(counts):
        raise InputError(
            f"--split {low:g} {high:g}: {counts[0]} clips are rated {low:g} or less, "
            f"{counts[1]} {high:g} or more; name two levels with clips on both sides"
        )
