"""Reads and writes how often camera moves are recognised in clips whose camera is known.

`python -m benchmarks.camera_moves DIR --save FILE --material TEXT` measures it.
"""

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pandas as pd

from lab.calibration.agreement import Estimate
from lab.files import write_text
from lab.metrics import SPECS
from lab.metrics.motion import COURSE

_SHIPPED = "known_moves.json"
RIGHT = "moves, look-alikes count"
"""The name of the share of recognised moves where one that looks the same counts as right."""


@dataclass(frozen=True)
class Share:
    """The share of judgements to which `name` applies, with an interval that resamples scenes."""

    name: str
    estimate: Estimate
    judgements: int
    scenes: int

    @property
    def text(self) -> str:
        """As "85 % [77 %, 92 %] of 84"."""
        return f"{self.estimate.text('{:.0%}')} of {self.judgements}"


@dataclass(frozen=True)
class KnownMoves:
    """What was measured on clips with known camera moves.

    material: what the clips are, in words. versions: of the components of motion.
    """

    material: str
    versions: dict[str, int]
    shares: tuple[Share, ...]

    def table(self) -> pd.DataFrame:
        """One row a share, with 95 % intervals as text."""
        return pd.DataFrame(
            {
                "verdict": share.name,
                "share": share.estimate.text("{:.2f}"),
                "judgements": share.judgements,
                "scenes": share.scenes,
            }
            for share in self.shares
        )

    def save(self, path: Path) -> None:
        """Write as JSON, the shares rounded."""
        data = {
            "material": self.material,
            "versions": self.versions,
            "shares": [
                {
                    "name": share.name,
                    "share": share.estimate.to_json(),
                    "judgements": share.judgements,
                    "scenes": share.scenes,
                }
                for share in self.shares
            ],
        }
        write_text(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n")


def current_versions() -> dict[str, int]:
    """The versions of the components of motion from which a move is recognised."""
    return {name: SPECS[name].version for name in (f"motion.{part}" for part in COURSE)}


def load_known_moves(path: Path | None = None) -> KnownMoves:
    """The shipped measurement, or that of a file."""
    source = path or files("lab.calibration") / _SHIPPED
    data = json.loads(source.read_text(encoding="utf-8"))
    shares = tuple(
        Share(row["name"], Estimate.from_json(row["share"]), row["judgements"], row["scenes"])
        for row in data["shares"]
    )
    return KnownMoves(data["material"], dict(data["versions"]), shares)
