"""How each number was tried: on a defect of its own, beside others', by camera moves, or never."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from lab.calibration.moves import Moves
from lab.metrics.motion import COURSE

if TYPE_CHECKING:
    from lab.calibration.card import Card

LEVELS = {
    "own defect": "Tried on a known defect of its own",
    "others' defects": "Tried only on defects that are other numbers' own",
    "camera moves": "Tried only on camera moves of known rates",
    "never": "Never calibrated",
}
"""From the best trial to none; a number is at the first that it has."""


def tried(card: "Card", moves: Moves, numbers: Iterable[str]) -> pd.DataFrame:
    """One row a number, and how it was tried.

    tried: one of LEVELS. detection: the defects it was to tell from clean and harmlessly changed
    clips. order: whether it was held to their strength. harmless: whether it was held still under
    harmless changes. others: whether its answer to other numbers' defects was looked at. moves:
    whether it was held to the rate of a drawn camera. A trial that gave no value is none.
    """
    detection, ordering, nuisances, crosstalk = (
        table.dropna(subset="value")
        for table in (card.detection, card.ordering, card.nuisances, card.crosstalk)
    )
    drawn = {
        f"motion.{part}"
        for part in COURSE
        if len(moves.clips[[f"true_{part}", f"read_{part}"]].dropna())
    }
    rows = []
    for number in numbers:
        own = detection.loc[detection["metric"] == number, "defect"].unique()
        trials = {
            "detection": ", ".join(own),
            "order": number in set(ordering["metric"]),
            "harmless": number in set(nuisances["metric"]),
            "others": number in set(crosstalk["metric"]),
            "moves": number in drawn,
        }
        had = (trials["detection"], trials["others"], trials["moves"], True)
        level = next(level for level, was in zip(LEVELS, had, strict=True) if was)
        rows.append({"number": number, "tried": level, **trials})
    return pd.DataFrame(rows)


def in_words(table: pd.DataFrame) -> list[str]:
    """A line for each level that some number is at, with the numbers' names."""
    said = []
    for level, means in LEVELS.items():
        names = list(table.loc[table["tried"] == level, "number"])
        if names:
            said.append(f"{means} ({len(names)} of {len(table)} numbers): {', '.join(names)}.")
    return said
