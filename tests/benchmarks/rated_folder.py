"""A folder of rated clips."""

import csv
from pathlib import Path


def write_ratings(folder: Path, rows: list[dict[str, object]]) -> Path:
    """Write a ratings CSV and an empty file for each of its clips."""
    with (folder / "ratings.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        (folder / str(row["clip"])).touch()
    return folder / "ratings.csv"


def ratings_with(**changed: object) -> list[dict[str, object]]:
    """Four valid lines, with the second one changed."""
    good = [{"clip": f"{n}.mp4", "stars": n % 3, "group": f"g{n // 2}"} for n in range(4)]
    good[1] |= changed
    return good
