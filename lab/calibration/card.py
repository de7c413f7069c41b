"""The validity card: what was found out about which metrics, and for which versions of them."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self, TypedDict

import numpy as np
import pandas as pd

from lab.calibration.defects import DEFECTS
from lab.calibration.moves import load_moves
from lab.calibration.nuisances import NUISANCES
from lab.calibration.probes import ProbeRow
from lab.calibration.statistics import Interval, detection, ordering, per_base, slope
from lab.calibration.tried import in_words, tried
from lab.errors import InputError
from lab.files import write_text
from lab.metrics import SPECS

DETECTED = 0.95
CROSSTALK = 0.65
_TOO_FEW = "Too few clips were measured to judge the goals."
HALVES = ("develop", "final")
_VALUE = ("value", "low", "high")
_COLUMNS = {
    "detection": ("half", "defect", "metric", "place", "strength", *_VALUE),
    "ordering": ("half", "defect", "metric", "what", *_VALUE),
    "nuisances": ("half", "nuisance", "defect", "metric", "allowed", *_VALUE),
    "crosstalk": ("half", "metric", "defect", "same", *_VALUE),
}


TableRow = dict[str, str | float | bool]
Tables = dict[str, list[TableRow]]
"""Rows of each table, by its name; columns as in `_COLUMNS`."""


class Facts(TypedDict):
    """What a card was measured on. versions: by number; photographs: by half."""

    versions: dict[str, int]
    clips: int
    photographs: dict[str, list[str]]
    footage: list[str]
    complete: bool
    failed: list[str]


@dataclass(frozen=True, eq=False)
class Card:
    """Four tables; value, low, high are an estimate and its 95 % interval.

    detection: half, defect, metric, place, strength; AUROC against clean and nuisance clips.
    ordering: half, defect, metric, what: "spearman" with strength within a base, or "slope", the
    metric's units per unit of the defect. nuisances: half, nuisance, defect, metric, allowed; shift
    as a share of the response to the own defect at its middle strength. crosstalk: half, metric,
    defect, same; AUROC of a metric for a defect at its middle strength, same when it is its own.
    half: "develop" (looked at while definitions were chosen), "final" (only for these figures) or
    "footage". facts: what was measured.
    """

    detection: pd.DataFrame
    ordering: pd.DataFrame
    nuisances: pd.DataFrame
    crosstalk: pd.DataFrame
    facts: Facts

    @classmethod
    def of(cls, rows: Sequence[ProbeRow], failed: Sequence[str] = ()) -> Self:
        """Work out the card from the rows that `take` returns; failed: the clips without a row."""
        table = pd.DataFrame(
            [{**{k: v for k, v in row.items() if k != "scores"}, **row["scores"]} for row in rows]
        ).astype(dict.fromkeys(SPECS, float))
        # A defect is to raise a number, whichever way is better.
        for name, spec in SPECS.items():
            table[name] = table[name].map(spec.flaw)
        halves = {
            half: table[(table["final"] == (half == "final")) & (table["move"] != "")]
            for half in HALVES
        }
        if (table["move"] == "").any():
            halves["footage"] = table[table["move"] == ""]
        parts: Tables = {name: [] for name in _COLUMNS}
        for half, rows_of_half in halves.items():
            for name, found in _half(rows_of_half).items():
                parts[name] += [{"half": half, **row} for row in found]
        facts: Facts = {
            "versions": {name: spec.version for name, spec in SPECS.items()},
            "clips": len(table),
            "photographs": {half: sorted(set(halves[half]["group"])) for half in HALVES},
            "footage": sorted(set(table[table["move"] == ""]["group"])),
            "complete": bool((table["place"] == 0).any()),
            "failed": list(failed),
        }
        return cls(**_tables(parts), facts=facts)

    @property
    def stale(self) -> tuple[str, ...]:
        """Metrics whose definition has changed since the card was measured."""
        then = self.facts["versions"]
        return tuple(
            name for name, spec in SPECS.items() if then.get(name, spec.version) != spec.version
        )

    @property
    def failed(self) -> tuple[str, ...]:
        """One line for each clip that could not be measured, and why."""
        return tuple(self.facts["failed"])

    def tried(self, numbers: Iterable[str] = SPECS) -> pd.DataFrame:
        """How each number was tried, by this card and by the camera moves that the toolkit brings.

        One row a number, those never calibrated included; columns as in `lab.calibration.tried`.
        """
        return tried(self, load_moves(), numbers)

    def to_json(self) -> dict[str, Any]:
        """Plain data; NaN becomes None. "tried" is worked out anew when a card is read."""
        tables = {name: getattr(self, name) for name in _COLUMNS} | {"tried": self.tried()}
        rows = {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}
        return {"facts": self.facts, **rows}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Inverse of `to_json`."""
        stored = data["facts"]
        facts: Facts = {
            "versions": stored["versions"],
            "clips": stored["clips"],
            "photographs": stored["photographs"],
            "footage": stored["footage"],
            "complete": stored["complete"],
            "failed": stored.get("failed", []),  # older cards had none
        }
        return cls(**_tables({name: data[name] for name in _COLUMNS}), facts=facts)

    def save(self, path: Path) -> None:
        """Write the card as JSON, three decimals a number."""
        rounded = json.loads(
            json.dumps(self.to_json()), parse_float=lambda text: round(float(text), 3)
        )
        write_text(path, json.dumps(rounded, ensure_ascii=False, indent=0) + "\n")

    def summary(self) -> pd.DataFrame:
        """One row a defect: how well its own metric tells it, on the half kept for this figure."""
        rows = []
        for defect in DEFECTS:
            found = self.detection[self.detection["defect"] == defect.name]
            row = {
                "defect": defect.name + (" (held out)" if defect.held_out else ""),
                "metric": defect.metric,
                "middle strength": f"{defect.middle:g} {defect.unit}",
            }
            for half in ("final", "develop", "footage"):
                here = found[(found["half"] == half) & (found["place"] == 2)]
                if half in set(self.detection["half"]):
                    row[f"AUROC {half}"] = _shown(here)
            final = found[found["half"] == "final"]
            row["smallest detected"] = _smallest(final, defect.unit)
            order = self.ordering[
                (self.ordering["defect"] == defect.name) & (self.ordering["half"] == "final")
            ]
            row["Spearman"] = _shown(order[order["what"] == "spearman"])
            row["slope"] = _shown(order[order["what"] == "slope"])
            rows.append(row)
        return pd.DataFrame(rows)

    def shifts(self, half: str = "final") -> pd.DataFrame:
        """Nuisances by metrics: shift as a share of the response to the own defect."""
        rows = self.nuisances[self.nuisances["half"] == half]
        table = rows.pivot_table(index="nuisance", columns="metric", values="value")
        order = [nuisance.name for nuisance in NUISANCES]
        return table.reindex(
            index=[name for name in order if name in set(rows["nuisance"])],
            columns=sorted(set(rows["metric"])),
        )

    def crossed(self, half: str = "final") -> pd.DataFrame:
        """Metrics by defects: AUROC at the middle strength, own and others'."""
        rows = self.crosstalk[self.crosstalk["half"] == half]
        table = rows.pivot_table(index="metric", columns="defect", values="value")
        order = [defect.name for defect in DEFECTS]
        return table.reindex(
            index=sorted(set(rows["metric"])),
            columns=[name for name in order if name in set(rows["defect"])],
        )

    def shortfalls(self, half: str = "final") -> list[str]:
        """What misses its goal, in words; for a quick card only that it cannot be told."""
        if not self.facts["complete"]:
            return [_TOO_FEW]
        said = []
        middle = self.detection[(self.detection["place"] == 2) & (self.detection["half"] == half)]
        for row in middle[middle["value"] < DETECTED].to_dict("records"):
            said.append(f"{row['metric']} tells {row['defect']} at AUROC {row['value']:.2f}")
        cross = self.crosstalk[(self.crosstalk["half"] == half) & ~self.crosstalk["same"]]
        for row in cross[cross["value"] > CROSSTALK].to_dict("records"):
            said.append(f"{row['metric']} answers {row['defect']} at AUROC {row['value']:.2f}")
        moved = self.nuisances[self.nuisances["half"] == half]
        for row in moved[moved["value"] > moved["allowed"]].to_dict("records"):
            said.append(
                f"{row['nuisance']} moves {row['metric']} by {row['value']:.2f} of its response "
                f"to {row['defect']} ({row['allowed']:g} accepted)"
            )
        return said

    def __str__(self) -> str:
        def text(frame: pd.DataFrame, index: bool) -> str:
            return frame.to_string(index=index, float_format="{:.2f}".format, na_rep="-")

        missed = self.shortfalls()
        if missed and self.facts["complete"]:
            missed = ["Misses its goal:", *missed]
        blocks = [
            text(self.summary(), index=False),
            "Shift under a harmless change, as a share of the response to the own defect:\n"
            + text(self.shifts(), index=True),
            "AUROC of each metric for each defect at its middle strength:\n"
            + text(self.crossed(), index=True),
            "\n".join(["How each number was tried:", *in_words(self.tried())]),
            "\n".join(missed or ["Every goal is met."]),
        ]
        if self.failed:
            blocks.append("\n".join(["Could not be measured:", *self.failed]))
        return "\n\n".join(blocks)


def load_card(path: Path | None = None) -> Card:
    """The card that comes with the toolkit, or one that `lab calibrate` wrote."""
    if path is None:
        return _shipped()
    try:
        return Card.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is no validity card; `lab calibrate` writes one") from error


@cache
def _shipped() -> Card:
    text = (files("lab.calibration") / "card.json").read_text(encoding="utf-8")
    return Card.from_json(json.loads(text))


def _tables(parts: Tables) -> dict[str, pd.DataFrame]:
    return {
        name: pd.DataFrame(parts[name], columns=list(columns)).astype(dict.fromkeys(_VALUE, float))
        for name, columns in _COLUMNS.items()
    }


def _half(rows: pd.DataFrame) -> Tables:
    harmless = rows[rows["kind"] != "defect"]
    clean = rows[rows["kind"] == "clean"].set_index("base")
    changed = {
        nuisance.name: harmless[harmless["name"] == nuisance.name].set_index("base")
        for nuisance in NUISANCES
    }
    found: Tables = {name: [] for name in _COLUMNS}
    own = dict.fromkeys(defect.metric for defect in DEFECTS)
    headlines = dict.fromkeys(name.partition(".")[0] for name in own)
    for defect in DEFECTS:
        spoiled = rows[(rows["kind"] == "defect") & (rows["name"] == defect.name)]
        if spoiled.empty:
            continue
        named = {"defect": defect.name, "metric": defect.metric}
        for place, here in spoiled.groupby("place"):
            strength = {"place": int(str(place)), "strength": defect.strengths[int(str(place))]}
            value = detection(here, harmless, defect.metric)
            found["detection"].append({**named, **strength, **_row(value)})
        for what, measure in (("spearman", ordering), ("slope", slope)):
            values = _within(spoiled, defect.metric, measure)
            if values is not None:
                found["ordering"].append({**named, "what": what, **_row(per_base(values, "value"))})
        middle = spoiled[spoiled["place"] == 2]
        response = middle.set_index("base")[defect.metric] - clean[defect.metric]
        for nuisance in NUISANCES:
            here = changed[nuisance.name]
            share = ((here[defect.metric] - clean[defect.metric]) / response).abs()
            values = pd.DataFrame({"value": share, "group": here["group"]})
            found["nuisances"].append(
                {
                    "nuisance": nuisance.name,
                    **named,
                    "allowed": nuisance.allowed,
                    **_row(per_base(values.replace([np.inf], np.nan), "value")),
                }
            )
        for metric in dict.fromkeys([*headlines, *own]):
            same = metric.partition(".")[0] == defect.metric.partition(".")[0]
            value = detection(middle, harmless, metric)
            found["crosstalk"].append(
                {"metric": metric, "defect": defect.name, "same": same, **_row(value)}
            )
    return found


def _within(spoiled: pd.DataFrame, metric: str, measure: Any) -> pd.DataFrame | None:
    """A measure of value against strength in every base; None where strengths are missing."""
    rows = []
    for _, here in spoiled.sort_values("place").groupby("base"):
        if len(here) >= 3:
            value = measure(here["strength"].to_numpy(), here[metric].to_numpy())
            rows.append({"group": here["group"].iloc[0], "value": value})
    return pd.DataFrame(rows) if rows else None


def _row(value: Interval) -> dict[str, float]:
    return dict(zip(_VALUE, value, strict=True))


def _shown(rows: pd.DataFrame) -> str:
    if rows.empty or math.isnan(rows["value"].iloc[0]):
        return "-"
    value, low, high = (rows[name].iloc[0] for name in _VALUE)
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _smallest(rows: pd.DataFrame, unit: str) -> str:
    """The weakest strength that is told, it and every stronger one."""
    told = ""
    for row in rows.sort_values("place", ascending=False).to_dict("records"):
        if not row["value"] >= DETECTED:
            break
        told = f"{row['strength']:g} {unit}"
    return told or "-"
