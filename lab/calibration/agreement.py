"""Reads and writes how well the metrics agree with ratings of clips.

`python -m benchmarks.agreement DIR --card FILE --material TEXT` measures it. The file has one entry
for each rated material.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import pandas as pd

from lab.errors import InputError
from lab.files import write_text
from lab.metrics import SPECS

_SHIPPED = "agreement.json"
_DIGITS = 4


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; NaN without data."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @classmethod
    def from_json(cls, ends: Sequence[float | None]) -> Self:
        """Inverse of `to_json`."""
        value, low, high = (math.nan if end is None else float(end) for end in ends)
        return cls(value, low, high)

    def to_json(self) -> list[float | None]:
        """Value, low and high, rounded; None for NaN."""
        return [_plain(end) for end in (self.value, self.low, self.high)]

    def text(self, form: str) -> str:
        """As "0.50 [0.40, 0.60]", each number in the format `form`; "-" without data."""
        if math.isnan(self.value):
            return "-"
        value, low, high = (form.format(end) for end in (self.value, self.low, self.high))
        return value if math.isnan(self.low) else f"{value} [{low}, {high}]"


@dataclass(frozen=True)
class Agreement:
    """How well one number agrees with the rating. + is agreement.

    clips: with a value. pairs: of clips in one group with different ratings. rho: Spearman's over
    these clips, -1..1. rho_filled: the same over all clips, a missing value counted as no flaw.
    partial: rho, controlled for motion. within: mean of rho within each generator. accuracy:
    fraction of the pairs that it orders as the rating does, 0..1. auroc: probability that it is
    worse for a clip rated bad than for one rated good, 0..1. ratio: its 90th percentile over the
    clips rated good, divided by its median over those rated bad. The last two count a missing value
    as no flaw.
    """

    clips: int
    pairs: int
    rho: Estimate
    rho_filled: Estimate
    partial: Estimate
    within: Estimate
    accuracy: Estimate
    auroc: Estimate
    ratio: Estimate


ESTIMATES = tuple(field.name for field in fields(Agreement) if field.type is Estimate)
"""The names of the estimates in an `Agreement`, in order."""


@dataclass(frozen=True)
class Row:
    """The agreement of one number.

    kind: metric, literature, baseline or ceiling. direction: which way is better. missing: number
    of clips without a value; left_out: their mean rating, NaN if there are none; why: the most
    common reason. difference: its rho_filled minus that of the embedding of the whole frame, NaN if
    that was not compared.
    """

    name: str
    kind: str
    direction: str
    agreement: Agreement
    missing: int = 0
    left_out: float = math.nan
    why: str = ""
    difference: Estimate = Estimate()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Inverse of `to_json`."""
        estimates = {name: Estimate.from_json(data[name]) for name in ESTIMATES}
        return cls(
            name=data["name"],
            kind=data["kind"],
            direction=data["direction"],
            agreement=Agreement(data["clips"], data["pairs"], **estimates),
            missing=data["missing"],
            left_out=math.nan if data["left_out"] is None else data["left_out"],
            why=data["why"],
            difference=Estimate.from_json(data["difference"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data; each estimate is a list of value, low and high."""
        return {
            "name": self.name,
            "kind": self.kind,
            "direction": self.direction,
            "clips": self.agreement.clips,
            "pairs": self.agreement.pairs,
            "missing": self.missing,
            "left_out": _plain(self.left_out),
            "why": self.why,
            **{name: getattr(self.agreement, name).to_json() for name in ESTIMATES},
            "difference": self.difference.to_json(),
        }


@dataclass(frozen=True)
class RatedMaterial:
    """The agreement of the judged headlines and of what they are compared with, on one material.

    material: what the clips are, in words. rating: what was rated, in words. clips, groups,
    generators: their numbers. split: AUROC and ratio compare the clips rated at most the first with
    those rated at least the second; None if they were not measured. versions: by metric.
    """

    material: str
    rating: str
    clips: int
    groups: int
    generators: int
    split: tuple[float, float] | None
    versions: dict[str, int]
    rows: tuple[Row, ...]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Inverse of `to_json`."""
        split = data["split"]
        return cls(
            material=data["material"],
            rating=data["rating"],
            clips=data["clips"],
            groups=data["groups"],
            generators=data["generators"],
            split=None if split is None else (split[0], split[1]),
            versions=dict(data["versions"]),
            rows=tuple(map(Row.from_json, data["rows"])),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data, numbers rounded."""
        return {
            "material": self.material,
            "rating": self.rating,
            "clips": self.clips,
            "groups": self.groups,
            "generators": self.generators,
            "split": self.split,
            "versions": self.versions,
            "rows": [row.to_json() for row in self.rows],
        }

    @property
    def stale(self) -> tuple[str, ...]:
        """The metrics whose version has changed since, or that no longer exist."""
        return tuple(
            name
            for name, version in self.versions.items()
            if name not in SPECS or SPECS[name].version != version
        )

    def table(self) -> pd.DataFrame:
        """One row a number, with 95 % intervals as text; columns that say nothing are left out."""
        rows = []
        for row in self.rows:
            result = row.agreement
            filled = result.rho_filled.text("{:.2f}") if result.rho_filled != result.rho else ""
            rows.append(
                {
                    "number": row.name,
                    "kind": row.kind,
                    "missing": str(row.missing),
                    "Spearman": result.rho.text("{:.2f}"),
                    "missing as no flaw": filled if row.missing else "",
                    "above whole frame": row.difference.text("{:+.2f}"),
                    "within generators": result.within.text("{:.2f}"),
                    "AUROC": result.auroc.text("{:.2f}"),
                    "p90 good / median bad": result.ratio.text("{:.2f}"),
                }
            )
        table = pd.DataFrame(rows)
        return table.loc[:, [not table[name].isin(["", "-"]).all() for name in table]]

    def __str__(self) -> str:
        """Heading, table, the split, and what has become stale."""
        made_by = f" by {self.generators} generators" if self.generators else ""
        lines = [
            f"{self.material}: {self.clips} clips in {self.groups} groups{made_by}; {self.rating}",
            self.table().to_string(index=False),
        ]
        if self.split is not None:
            low, high = self.split
            lines.append(f"AUROC: clips rated {low:g} or less against {high:g} or more.")
        if self.stale:
            names = ", ".join(self.stale)
            lines.append(f"Measured with other versions than today's: {names}.")
        return "\n".join(lines)


def load_agreement(path: Path | None = None) -> tuple[RatedMaterial, ...]:
    """The shipped agreement with ratings, or that of a file. Raises InputError for another file."""
    try:
        if path is None:
            text = (files("lab.calibration") / _SHIPPED).read_text(encoding="utf-8")
        else:
            text = path.read_text(encoding="utf-8")
        return tuple(map(RatedMaterial.from_json, json.loads(text)))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"{path or _SHIPPED}: does not hold agreement with ratings; name a new file, or one "
            "that `python -m benchmarks.agreement --card` wrote"
        ) from error


def save_agreement(path: Path, materials: Iterable[RatedMaterial]) -> None:
    """Write the entries as JSON."""
    plain = [material.to_json() for material in materials]
    write_text(path, json.dumps(plain, ensure_ascii=False, indent=1) + "\n")


def describe_agreement(materials: Sequence[RatedMaterial]) -> str:
    """The agreement with ratings as text, one block for each material."""
    if not materials:
        return "Agreement with ratings of clips: not measured for this version."
    return "\n\n".join(["Agreement with ratings of clips:", *map(str, materials)])


def _plain(number: float) -> float | None:
    return None if math.isnan(number) else round(number, _DIGITS)
