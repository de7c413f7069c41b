"""What came of holding a report to its originals, as data and in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

_PICTURES = "pictures, films and the player's curves"


@dataclass(frozen=True)
class Mismatch:
    """What does not match: of which take ("" for the page), what, as reported and as found."""

    take_id: str
    what: str
    reported: str
    found: str

    def __str__(self) -> str:
        about = f"take {self.take_id}: " if self.take_id else ""
        return f"{about}{self.what}: the report says {self.reported}, found {self.found}"

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return {
            "take": self.take_id,
            "what": self.what,
            "reported": self.reported,
            "found": self.found,
        }


@dataclass(frozen=True)
class Count:
    """How many of some things were compared with their originals; unchecked: why others not."""

    checked: int
    of: int
    unchecked: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        why = "".join(f"; {count} {reason}" for reason, count in self.unchecked.items())
        return f"{self.checked} of {self.of}{why}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"checked": self.checked, "of": self.of, "unchecked": dict(self.unchecked)}


@dataclass(frozen=True)
class Verification:
    """How a report stands to its originals.

    values: what the page shows of takes, held to the report's facts. takes, files: the facts held
    to the ledger and to the files' hashes. scores: numbers in the facts held to the clips, measured
    again; clips: the clips that have such numbers. not_measured: numbers that the report itself
    says were not measured, so there is nothing to check. measured_again: False when measuring was
    not asked for. own_script: the page runs this i2v-lab's script and style and no other.
    """

    report: Path
    runs: tuple[Path, ...]
    values: Count
    takes: Count
    files: Count
    scores: Count
    clips: Count
    not_measured: int
    measured_again: bool
    own_script: bool
    mismatches: tuple[Mismatch, ...]

    @property
    def holds(self) -> bool:
        """True when everything that was asked for was compared, and matches."""
        return not self.mismatches

    @property
    def not_compared(self) -> tuple[str, ...]:
        """What nothing was compared with, in words."""
        script = "the page's script and style, which are not those of this i2v-lab"
        return (_PICTURES, *([] if self.own_script else [script]))

    def to_json(self) -> dict[str, Any]:
        """Plain data, without the mismatches themselves."""
        counts = ("values", "takes", "files", "scores", "clips")
        return {
            "report": str(self.report),
            "runs": [str(run) for run in self.runs],
            "holds": self.holds,
            "mismatches": len(self.mismatches),
            "counts": {name: getattr(self, name).to_json() for name in counts},
            "not_measured": self.not_measured,
            "measured_again": self.measured_again,
            "not_compared": list(self.not_compared),
        }

    def __str__(self) -> str:
        lines = [
            f"{self.report}: {self.takes.of} takes of {self._whose()}",
            f"values on the page compared with its facts: {self.values}",
            f"takes compared with the ledger: {self.takes}",
            f"files compared by SHA-256: {self.files}",
            self._scores(),
        ]
        if self.not_measured:
            lines.append(f"scores that the report says were not measured: {self.not_measured}")
        lines.append(f"not compared: {'; '.join(self.not_compared)}")
        return "\n".join([*lines, *self._verdict()])

    def _whose(self) -> str:
        return str(self.runs[0]) if len(self.runs) == 1 else f"{len(self.runs)} runs"

    def _scores(self) -> str:
        if not self.measured_again:
            return f"scores were not measured again: 0 of {self.scores.of} are checked"
        if not self.scores.of:
            return "scores measured again: none, because the report has none"
        why = "".join(f"; {count} {reason}" for reason, count in self.clips.unchecked.items())
        clips = f"{self.clips.checked} of {self.clips.of} clips{why}"
        return f"scores measured again: {self.scores.checked} of {self.scores.of} ({clips})"

    def _verdict(self) -> list[str]:
        if self.holds:
            return ["all match" if self.measured_again else "all that was compared matches"]
        parts = [mismatch for mismatch in self.mismatches if "." in mismatch.what.split()[0]]
        lines = [str(mismatch) for mismatch in self.mismatches if mismatch not in parts]
        lines += [f"and {len(parts)} parts of scores"] * bool(parts)
        return [f"{len(self.mismatches)} differ or could not be checked:", *lines]
