"""Says how each number was calibrated: on its own defect, on others, on camera moves, or never."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from lab.calibration.moves import Moves
from lab.metrics.motion import COURSE

if TYPE_CHECKING:
    from lab.calibration.card import Card

LEVELS = {
    "own defect": "Calibrated on a known defect of its own",
    "others' defects": "Tested only on the defects of other numbers",
    "camera moves": "Tested only on rendered camera moves of known rates",
    "never": "Never calibrated",
}
"""From best to worst; a number has the first level that applies."""


def coverage(card: "Card", moves: Moves, numbers: Iterable[str]) -> pd.DataFrame:
    """One row a number, with the tests it went through.

    tried: a key of LEVELS. detection: the defects that it must detect. order: whether it was
    compared with their strength. harmless: whether it was tested under harmless changes. others:
    whether it was tested on the defects of other numbers. moves: whether it was compared with the
    rates of rendered camera moves. A test without a value does not count.
    """
    detection, ordering, nuisances, crosstalk = (
        table.dropna(subset="value")
        for table in (card.detection, card.ordering, card.nuisances, card.crosstalk)
    )
    with_moves = {
        f"motion.{part}"
        for part in COURSE
        if len(moves.clips[[f"true_{part}", f"read_{part}"]].dropna())
    }
    rows = []
    for number in numbers:
        own = detection.loc[detection["metric"] == number, "defect"].unique()
        tests = {
            "detection": ", ".join(own),
            "order": number in set(ordering["metric"]),
            "harmless": number in set(nuisances["metric"]),
            "others": number in set(crosstalk["metric"]),
            "moves": number in with_moves,
        }
        applicable = (tests["detection"], tests["others"], tests["moves"], True)
        level = next(level for level, applies in zip(LEVELS, applicable, strict=True) if applies)
        rows.append({"number": number, "tried": level, **tests})
    return pd.DataFrame(rows)


def describe_coverage(table: pd.DataFrame) -> list[str]:
    """One sentence for each level with the names of its numbers. table: as from `coverage`."""
    sentences = []
    for level, meaning in LEVELS.items():
        names = list(table.loc[table["tried"] == level, "number"])
        if names:
            sentences.append(
                f"{meaning} ({len(names)} of {len(table)} numbers): {', '.join(names)}."
            )
    return sentences
