"""The result of verifying a report, as data and as text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

_NEVER_COMPARED = "pictures, videos and the player's plots"


@dataclass(frozen=True)
class Mismatch:
    """A value that does not match. take_id: "" if it is not about one take."""

    take_id: str
    what: str
    reported: str
    found: str

    def __str__(self) -> str:
        subject = f"take {self.take_id}: " if self.take_id else ""
        return f"{subject}{self.what}: the report says {self.reported}, found {self.found}"

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
    """How many values of one kind were checked. unchecked: how many were not, by reason."""

    checked: int
    total: int
    unchecked: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        reasons = "".join(f"; {count} {reason}" for reason, count in self.unchecked.items())
        return f"{self.checked} of {self.total}{reasons}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"checked": self.checked, "of": self.total, "unchecked": dict(self.unchecked)}


@dataclass(frozen=True)
class Verification:
    """The result of comparing a report with the ledger, the stills and the clips of its runs.

    values: values on the page, compared with the report's facts. takes: takes in the facts,
    compared with the ledger. files: files named in the facts, compared by hash. scores: scores in
    the facts, compared with new measurements of the clips. clips: the clips with such scores.
    not_measured: how many scores the report lists as not measured. measured_again: False if the
    caller did not ask for new measurements. script_matches: the page's script and style are those
    of this i2v-lab.
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
    script_matches: bool
    mismatches: tuple[Mismatch, ...]

    @property
    def matches(self) -> bool:
        """True if everything that the caller asked for was compared and matches."""
        return not self.mismatches

    @property
    def not_compared(self) -> tuple[str, ...]:
        """The parts of the page that were not compared."""
        script = "the page's script and style, which are not those of this i2v-lab"
        return (_NEVER_COMPARED, *([] if self.script_matches else [script]))

    def to_json(self) -> dict[str, Any]:
        """Plain data, with the number of mismatches but not the mismatches."""
        counts = ("values", "takes", "files", "scores", "clips")
        return {
            "report": str(self.report),
            "runs": [str(run) for run in self.runs],
            "holds": self.matches,
            "mismatches": len(self.mismatches),
            "counts": {name: getattr(self, name).to_json() for name in counts},
            "not_measured": self.not_measured,
            "measured_again": self.measured_again,
            "not_compared": list(self.not_compared),
        }

    def __str__(self) -> str:
        lines = [
            f"{self.report}: {self.takes.total} takes of {self._runs_text()}",
            f"values on the page compared with its facts: {self.values}",
            f"takes compared with the ledger: {self.takes}",
            f"files compared by SHA-256: {self.files}",
            self._scores_text(),
        ]
        if self.not_measured:
            lines.append(f"scores that the report says were not measured: {self.not_measured}")
        lines.append(f"not compared: {'; '.join(self.not_compared)}")
        return "\n".join([*lines, *self._conclusion()])

    def _runs_text(self) -> str:
        return str(self.runs[0]) if len(self.runs) == 1 else f"{len(self.runs)} runs"

    def _scores_text(self) -> str:
        if not self.measured_again:
            return f"scores were not measured again: 0 of {self.scores.total} are checked"
        if not self.scores.total:
            return "scores measured again: none, because the report has none"
        reasons = "".join(f"; {count} {reason}" for reason, count in self.clips.unchecked.items())
        clips = f"{self.clips.checked} of {self.clips.total} clips{reasons}"
        return f"scores measured again: {self.scores.checked} of {self.scores.total} ({clips})"

    def _conclusion(self) -> list[str]:
        if self.matches:
            return ["all match" if self.measured_again else "all that was compared matches"]
        # The name of a part of a score contains a dot.
        parts = [mismatch for mismatch in self.mismatches if "." in mismatch.what.split()[0]]
        lines = [str(mismatch) for mismatch in self.mismatches if mismatch not in parts]
        if parts:
            lines.append(f"and {len(parts)} parts of scores")
        return [f"{len(self.mismatches)} differ or could not be checked:", *lines]
