"""Defines the validity card: how well each metric detects defects, with confidence intervals."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.calibration.clean_clips import BASE_KINDS, FOOTAGE
from lab.calibration.coverage import coverage, describe_coverage
from lab.calibration.defects import DEFECTS
from lab.calibration.moves import load_moves
from lab.calibration.nuisances import NUISANCES
from lab.calibration.probes import ProbeRow
from lab.calibration.statistics import (
    Interval,
    detection_auroc,
    kind_auroc,
    median_by_group,
    median_slope,
    rank_correlation,
)
from lab.errors import InputError
from lab.files import write_text
from lab.metrics import SPECS

DETECTED = 0.95
"""The goal: a metric detects its own defect at the middle strength with at least this AUROC."""
CROSSTALK = 0.65
"""The goal: a metric responds to another metric's defect with at most this AUROC."""
KIND_DETECTED = 0.85
"""The goal for each kind of clip, which is lower because there are few clips of a kind."""
MISSING = 0.05
"""The goal: a metric with a defect of its own has no value in at most this share of a kind's clips.
"""
_TOO_FEW = "Too few clips were measured to judge the goals."
HALVES = ("develop", "final")
_INTERVAL = ("value", "low", "high")
_COLUMNS = {
    "detection": ("half", "defect", "metric", "place", "strength", *_INTERVAL),
    "ordering": ("half", "defect", "metric", "what", *_INTERVAL),
    "nuisances": ("half", "nuisance", "defect", "metric", "allowed", *_INTERVAL),
    "crosstalk": ("half", "metric", "defect", "same", *_INTERVAL),
    "kinds": ("half", "base_kind", "defect", "metric", "clips", "value"),
    "missing": ("half", "base_kind", "metric", "clips", "share"),
}
_NOT_IN_OLDER_CARDS = ("kinds", "missing")


TableRow = dict[str, str | float | bool]
Tables = dict[str, list[TableRow]]
"""Rows of each table, by its name; columns as in `_COLUMNS`."""


class Facts(TypedDict):
    """What a card was measured on. versions: by metric. photographs: names by half."""

    versions: dict[str, int]
    clips: int
    photographs: dict[str, list[str]]
    footage: list[str]
    complete: bool
    failed: list[str]


@dataclass(frozen=True, eq=False)
class Card:
    """The results of a calibration in six tables.

    detection: the AUROC of a metric for its own defect, against clean and harmlessly changed clips.
    A pair of clips in which either has no value counts as a wrong order. place: the index of the
    strength. ordering: how a metric follows the strength of its own defect.
    what: "spearman", the rank correlation within a clean clip, or "slope", in units of the metric
    per unit of the defect. nuisances: the shift of a metric under a harmless change, as a share of
    its response to its own defect at the middle strength. allowed: the accepted share. crosstalk:
    the AUROC of a metric for each defect at the middle strength; for the defects of other metrics,
    clips without a value are left out. same: the defect is its own or of another part of it.

    kinds: how a metric detects its own defect at the middle strength in each base kind; see
    `lab.calibration.statistics.kind_auroc`. clips: the number of clips with the defect. missing: in
    what share of all clips of a base kind a metric has no value, without the rows that would be 0.
    Cards of earlier versions have no rows in these two.

    In all tables value, low and high are an estimate and its 95 % interval. half is "develop"
    (used to choose definitions), "final" (used for results only) or "footage". facts: what was
    measured.
    """

    detection: pd.DataFrame
    ordering: pd.DataFrame
    nuisances: pd.DataFrame
    crosstalk: pd.DataFrame
    kinds: pd.DataFrame
    missing: pd.DataFrame
    facts: Facts

    @classmethod
    def from_rows(cls, rows: Sequence[ProbeRow], failed: Sequence[str] = ()) -> Self:
        """Compute the card from measured probes. failed: one line for each clip without a row."""
        table = pd.DataFrame(
            [{**{k: v for k, v in row.items() if k != "scores"}, **row["scores"]} for row in rows]
        ).astype(dict.fromkeys(SPECS, float))
        # Flaws grow with defects for all metrics, also where more is better.
        for name, spec in SPECS.items():
            table[name] = table[name].map(spec.flaw)
        halves = {
            half: table[(table["final"] == (half == "final")) & (table["move"] != "")]
            for half in HALVES
        }
        if (table["move"] == "").any():
            halves["footage"] = table[table["move"] == ""]
        tables: Tables = {name: [] for name in _COLUMNS}
        for half, rows_of_half in halves.items():
            for name, half_rows in _half_tables(rows_of_half).items():
                tables[name] += [{"half": half, **row} for row in half_rows]
        facts: Facts = {
            "versions": {name: spec.version for name, spec in SPECS.items()},
            "clips": len(table),
            "photographs": {half: sorted(set(halves[half]["group"])) for half in HALVES},
            "footage": sorted(set(table[table["move"] == ""]["group"])),
            "complete": bool((table["place"] == 0).any()),
            "failed": list(failed),
        }
        return cls(**_data_frames(tables), facts=facts)

    @property
    def stale(self) -> tuple[str, ...]:
        """The metrics with results in this card whose version has changed since."""
        tables = self.detection, self.ordering, self.nuisances, self.crosstalk
        shown = set().union(*(table["metric"] for table in tables))
        measured = self.facts["versions"]
        return tuple(
            name
            for name, spec in SPECS.items()
            if name in shown and measured.get(name, spec.version) != spec.version
        )

    @property
    def failed(self) -> tuple[str, ...]:
        """One line with the reason for each clip that could not be measured."""
        return tuple(self.facts["failed"])

    def coverage(self, numbers: Iterable[str] = SPECS) -> pd.DataFrame:
        """How each number was calibrated, by this card and the shipped table of camera moves.

        One row a number; see `lab.calibration.coverage.coverage` for the columns.
        """
        return coverage(self, load_moves(), numbers)

    def to_json(self) -> dict[str, Any]:
        """Plain data; NaN becomes None. `from_json` ignores "tried" and computes it again."""
        tables = {name: getattr(self, name) for name in _COLUMNS} | {"tried": self.coverage()}
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
            "failed": stored.get("failed", []),  # missing in older cards
        }
        tables = {name: data[name] for name in _COLUMNS if name not in _NOT_IN_OLDER_CARDS}
        tables |= {name: data.get(name, []) for name in _NOT_IN_OLDER_CARDS}
        return cls(**_data_frames(tables), facts=facts)

    def save(self, path: Path) -> None:
        """Write the card as JSON, with three decimals."""
        rounded = json.loads(
            json.dumps(self.to_json()), parse_float=lambda text: round(float(text), 3)
        )
        write_text(path, json.dumps(rounded, ensure_ascii=False, indent=0) + "\n")

    def summary(self) -> pd.DataFrame:
        """One row a defect: how well its metric detects it and follows its strength."""
        rows = []
        for defect in DEFECTS:
            # An older card may have the results of another metric for the defect.
            detection, ordering = (
                table[(table["defect"] == defect.name) & (table["metric"] == defect.metric)]
                for table in (self.detection, self.ordering)
            )
            row = {
                "defect": defect.name + (" (held out)" if defect.held_out else ""),
                "metric": defect.metric,
                "middle strength": f"{defect.middle:g} {defect.unit}",
            }
            for half in ("final", "develop", "footage"):
                middle = detection[(detection["half"] == half) & (detection["place"] == 2)]
                if half in set(self.detection["half"]):
                    row[f"AUROC {half}"] = _interval_text(middle)
            final = detection[detection["half"] == "final"]
            row["smallest detected"] = _smallest_detected(final, defect.unit)
            order = ordering[ordering["half"] == "final"]
            row["Spearman"] = _interval_text(order[order["what"] == "spearman"])
            row["slope"] = _interval_text(order[order["what"] == "slope"])
            rows.append(row)
        return pd.DataFrame(rows)

    def nuisance_table(self, half: str = "final") -> pd.DataFrame:
        """Nuisances by metrics: the shift as a share of the response to the metric's own defect.

        Of several own defects it is the one to which the metric responds most, because a share of
        nearly no response says nothing; `shortfalls` names each.
        """
        rows = self.nuisances[self.nuisances["half"] == half]
        table = rows.pivot_table(index="nuisance", columns="metric", values="value", aggfunc="min")
        order = [nuisance.name for nuisance in NUISANCES]
        return table.reindex(
            index=[name for name in order if name in set(rows["nuisance"])],
            columns=sorted(set(rows["metric"])),
        )

    def crosstalk_table(self, half: str = "final") -> pd.DataFrame:
        """Metrics by defects: the AUROC at the middle strength."""
        rows = self.crosstalk[self.crosstalk["half"] == half]
        table = rows.pivot_table(index="metric", columns="defect", values="value")
        order = [defect.name for defect in DEFECTS]
        return table.reindex(
            index=sorted(set(rows["metric"])),
            columns=[name for name in order if name in set(rows["defect"])],
        )

    def kind_table(self, half: str = "final") -> pd.DataFrame:
        """Defects by base kinds, footage included, as text: how the defect's metric detects it.

        The share of pairs in the right order at the middle strength. In brackets the share of the
        kind's clips without a value, if there are any. Empty for a card of an earlier version.
        """
        shares = self._of_half(self.missing, half).set_index(["base_kind", "metric"])["share"]
        rows = self._of_half(self.kinds, half)
        table: dict[str, dict[str, str]] = {}
        for row in rows.to_dict("records"):
            text = "-" if math.isnan(row["value"]) else f"{row['value']:.2f}"
            share = shares.get((row["base_kind"], row["metric"]), 0.0)
            text += f" ({share:.0%})" if share else ""
            table.setdefault(row["base_kind"], {})[row["defect"]] = text
        order = [defect.name for defect in DEFECTS if defect.name in set(rows["defect"])]
        columns = [kind for kind in BASE_KINDS if kind in table]
        return pd.DataFrame(table, index=pd.Index(order, name="defect"), columns=columns).fillna(
            "-"
        )

    def missing_table(self, half: str = "final") -> pd.DataFrame:
        """Metrics by base kinds: the share of clips without a value, of metrics that lack any."""
        rows = self._of_half(self.missing, half)
        table = rows.pivot_table(index="metric", columns="base_kind", values="share")
        columns = [kind for kind in BASE_KINDS if kind in set(rows["base_kind"])]
        return table.reindex(columns=columns).fillna(0.0)

    @staticmethod
    def _of_half(table: pd.DataFrame, half: str) -> pd.DataFrame:
        """Its rows of a half and of footage, which is a base kind of its own."""
        return table[table["half"].isin([half, FOOTAGE])]

    def shortfalls(self, half: str = "final") -> list[str]:
        """One sentence for each missed goal. A quick card only says that it cannot judge them."""
        if not self.facts["complete"]:
            return [_TOO_FEW]
        sentences = []
        middle = self.detection[(self.detection["place"] == 2) & (self.detection["half"] == half)]
        for row in middle[middle["value"] < DETECTED].to_dict("records"):
            sentences.append(
                f"{row['metric']} detects {row['defect']} with AUROC {row['value']:.2f}"
            )
        kinds = self._of_half(self.kinds, half)
        for row in kinds[kinds["value"] < KIND_DETECTED].to_dict("records"):
            sentences.append(
                f"{row['metric']} detects {row['defect']} with AUROC {row['value']:.2f} "
                f"in clips of the kind {row['base_kind']}"
            )
        missing = self._of_half(self.missing, half)
        own = missing["metric"].isin([defect.metric for defect in DEFECTS])
        for row in missing[own & (missing["share"] > MISSING)].to_dict("records"):
            sentences.append(
                f"{row['metric']} has no value in {row['share']:.0%} of the clips of the kind "
                f"{row['base_kind']}"
            )
        cross = self.crosstalk[(self.crosstalk["half"] == half) & ~self.crosstalk["same"]]
        for row in cross[cross["value"] > CROSSTALK].to_dict("records"):
            sentences.append(
                f"{row['metric']} responds to {row['defect']} with AUROC {row['value']:.2f}"
            )
        shifts = self.nuisances[self.nuisances["half"] == half]
        for row in shifts[shifts["value"] > shifts["allowed"]].to_dict("records"):
            sentences.append(
                f"{row['nuisance']} shifts {row['metric']} by {row['value']:.2f} of its response "
                f"to {row['defect']} ({row['allowed']:g} accepted)"
            )
        return sentences

    def __str__(self) -> str:
        def text(frame: pd.DataFrame, index: bool) -> str:
            return frame.to_string(index=index, float_format="{:.2f}".format, na_rep="-")

        missed = self.shortfalls()
        if missed and self.facts["complete"]:
            missed = ["Missed goals:", *missed]
        blocks = [
            text(self.summary(), index=False),
            *self._kind_blocks(text),
            "Shift under a harmless change, as a share of the response to the own defect:\n"
            + text(self.nuisance_table(), index=True),
            "AUROC of each metric for each defect at its middle strength:\n"
            + text(self.crosstalk_table(), index=True),
            "\n".join(["How each number was calibrated:", *describe_coverage(self.coverage())]),
            "\n".join(missed or ["Every goal is met."]),
        ]
        if self.failed:
            blocks.append("\n".join(["Could not be measured:", *self.failed]))
        return "\n\n".join(blocks)

    def _kind_blocks(self, text: Callable[[pd.DataFrame, bool], str]) -> list[str]:
        """What `__str__` says of base kinds; nothing for a card of an earlier version."""
        blocks = []
        if not self.kinds.empty:
            blocks.append(
                "Detection at the middle strength by kind of clip (share of clips without a "
                "value):\n" + text(self.kind_table(), True)
            )
        if not self.missing.empty:
            blocks.append(
                "Share of clips without a value, by kind of clip:\n"
                + text(self.missing_table(), True)
            )
        return blocks


def load_card(path: Path | None = None) -> Card:
    """The shipped card, or one that `lab calibrate` wrote. Raises InputError for another file."""
    if path is None:
        return _shipped_card()
    try:
        return Card.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not a validity card; `lab calibrate` writes one") from error


@cache
def _shipped_card() -> Card:
    text = (files("lab.calibration") / "card.json").read_text(encoding="utf-8")
    return Card.from_json(json.loads(text))


def _data_frames(tables: Tables) -> dict[str, pd.DataFrame]:
    return {
        name: pd.DataFrame(tables[name], columns=list(columns)).astype(
            dict.fromkeys((one for one in columns if one in (*_INTERVAL, "share")), float)
        )
        for name, columns in _COLUMNS.items()
    }


def _half_tables(rows: pd.DataFrame) -> Tables:
    """The rows of the tables for one half, without the column half."""
    negatives = rows[rows["kind"] != "defect"]
    clean = rows[rows["kind"] == "clean"].set_index("base")
    changed = {
        nuisance.name: negatives[negatives["name"] == nuisance.name].set_index("base")
        for nuisance in NUISANCES
    }
    tables: Tables = {name: [] for name in _COLUMNS}
    own_metrics = dict.fromkeys(defect.metric for defect in DEFECTS)
    headlines = dict.fromkeys(name.partition(".")[0] for name in own_metrics)
    by_kind = {kind: rows[[kind in kinds for kinds in rows["base_kinds"]]] for kind in BASE_KINDS}
    by_kind = {kind: of_kind for kind, of_kind in by_kind.items() if len(of_kind)}
    for kind, of_kind in by_kind.items():
        for metric, share in of_kind[list(SPECS)].isna().mean().items():
            if share:
                clips = len(of_kind)
                tables["missing"].append(
                    {
                        "base_kind": kind,
                        "metric": str(metric),
                        "clips": clips,
                        "share": float(share),
                    }
                )
    for defect in DEFECTS:
        positives = rows[(rows["kind"] == "defect") & (rows["name"] == defect.name)]
        if positives.empty:
            continue
        names = {"defect": defect.name, "metric": defect.metric}
        for place, at_strength in positives.groupby("place"):
            index = int(str(place))
            strength = {"place": index, "strength": defect.strengths[index]}
            interval = detection_auroc(at_strength, negatives, defect.metric, missing_is_wrong=True)
            tables["detection"].append({**names, **strength, **_interval_columns(interval)})
        for what, statistic in (("spearman", rank_correlation), ("slope", median_slope)):
            values = _per_clean_clip(positives, defect.metric, statistic)
            if values is not None:
                interval = median_by_group(values, "value")
                row: TableRow = {**names, "what": what, **_interval_columns(interval)}
                tables["ordering"].append(row)
        middle = positives[positives["place"] == 2]
        for kind in by_kind:
            clips = sum(kind in kinds for kinds in middle["base_kinds"])
            value = kind_auroc(middle, negatives, defect.metric, kind)
            tables["kinds"].append({"base_kind": kind, **names, "clips": clips, "value": value})
        response = middle.set_index("base")[defect.metric] - clean[defect.metric]
        for nuisance in NUISANCES:
            after = changed[nuisance.name]
            share = ((after[defect.metric] - clean[defect.metric]) / response).abs()
            values = pd.DataFrame({"value": share, "group": after["group"]})
            interval = median_by_group(values.replace([np.inf], np.nan), "value")
            tables["nuisances"].append(
                {
                    "nuisance": nuisance.name,
                    **names,
                    "allowed": nuisance.allowed,
                    **_interval_columns(interval),
                }
            )
        for metric in dict.fromkeys([*headlines, *own_metrics]):
            same = metric.partition(".")[0] == defect.metric.partition(".")[0]
            interval = detection_auroc(
                middle, negatives, metric, missing_is_wrong=metric == defect.metric
            )
            tables["crosstalk"].append(
                {
                    "metric": metric,
                    "defect": defect.name,
                    "same": same,
                    **_interval_columns(interval),
                }
            )
    return tables


def _per_clean_clip(
    positives: pd.DataFrame,
    metric: str,
    statistic: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
) -> pd.DataFrame | None:
    """A statistic of strengths and values for each clean clip; None if strengths are missing."""
    rows = []
    for _, one in positives.sort_values("place").groupby("base"):
        if len(one) >= 3:
            value = statistic(one["strength"].to_numpy(), one[metric].to_numpy())
            rows.append({"group": one["group"].iloc[0], "value": value})
    return pd.DataFrame(rows) if rows else None


def _interval_columns(interval: Interval) -> dict[str, float]:
    return dict(zip(_INTERVAL, interval, strict=True))


def _interval_text(rows: pd.DataFrame) -> str:
    if rows.empty or math.isnan(rows["value"].iloc[0]):
        return "-"
    value, low, high = (rows[name].iloc[0] for name in _INTERVAL)
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _smallest_detected(rows: pd.DataFrame, unit: str) -> str:
    """The smallest strength from which on all strengths are detected; "-" if there is none."""
    smallest = ""
    for row in rows.sort_values("place", ascending=False).to_dict("records"):
        if not row["value"] >= DETECTED:
            break
        smallest = f"{row['strength']:g} {unit}"
    return smallest or "-"
