"""The camera moves in the clips, compared with those in the prompts."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

from lab.analysis import by_term, compliance
from lab.analysis.compliance import MIN_COMPLIANCE, Outcome, describe_counts
from lab.calibration import load_known_moves, load_moves
from lab.calibration.known_moves import RIGHT
from lab.report.blocks import Cell, Paragraph, Section, Table
from lab.report.context import ReportContext


def camera(context: ReportContext) -> Section | None:
    """How many takes did what each camera term asks, and which did not; None without a term."""
    table = compliance(context.results)
    if table.empty:
        return None
    summary = load_moves().summary()
    final_half = summary[summary["half"] == "final"]
    accuracy = (final_half["seen right"] * final_half["clips"]).sum() / final_half["clips"].sum()
    text = (
        "The camera motion is measured on the background and on the subject, and compared with the "
        "motion that each camera term stands for. Compliance is 1 for exactly this motion, and 0 "
        f"for none of it or the opposite; a take with at least {MIN_COMPLIANCE:g} did it. Speed is "
        "a multiple of the speed that the vocabulary expects at the prompt's pace and strength. "
        f"This method recognised the right move in {accuracy:.0%} of "
        f"{final_half['clips'].sum():.0f} rendered clips of all moves. {_on_known_moves()}"
    )
    rows = [
        (
            Cell(str(row["term"])),
            Cell(str(row["takes"]), float(row["takes"])),
            Cell(describe_counts(row), float(row["did"])),
            _number(row["low"], ".0%"),
            _number(row["high"], ".0%"),
            _number(row["speed"], ".2g"),
            Cell(str(row["seen_instead"])),
        )
        for row in by_term(table).to_dict("records")
    ]
    columns = (
        *("camera term", "takes", "did it", "share, low", "share, high"),
        *("speed (median)", "mostly seen instead"),
    )
    terms = Table(
        "Requested and measured, by term (the share of judged takes that did, 95 % interval)",
        columns,
        rows,
        verify_name="the camera's terms",
    )
    blocks: list[Paragraph | Table] = [Paragraph(text), terms]
    missed = table[table["outcome"] != Outcome.DID]
    if len(missed):
        takes = [
            (
                Cell(context.results.title(str(row["take_id"]))),
                Cell(str(row["term"])),
                Cell(str(row["outcome"])),
                _number(row["compliance"], ".2f"),
                Cell(_seen(row)),
                Cell(str(row["reason"] or row["says"])),
                Cell(str(row["take_id"])),
            )
            for row in missed.to_dict("records")
        ]
        names = ("take", "asked", "outcome", "compliance", "seen", "measured", "id")
        caption = "Takes that did not make the move, or that cannot be judged"
        ids = [row[-1].text for row in takes]
        blocks.append(Table(caption, names, takes, verify_name="the camera's takes", take_ids=ids))
    return Section("What the camera did", blocks)


def _on_known_moves() -> str:
    known = load_known_moves()
    share = next(share for share in known.shares if share.name == RIGHT)
    return (
        f"Where moves that look the same count as right, it was right in {share.text} moves in "
        f"{known.material}."
    )


def _seen(row: Mapping[Hashable, Any]) -> str:
    """The move seen, others that look the same, and what it is combined with."""
    moves = " or ".join(filter(None, (row["seen"], *row["alike"].split(", "))))
    return f"{moves}, with {row['combined_with']}" if row["combined_with"] else moves


def _number(value: float, format_spec: str) -> Cell:
    return Cell("none") if math.isnan(value) else Cell(f"{value:{format_spec}}", float(value))
