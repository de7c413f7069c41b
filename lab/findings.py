"""A remark about a still or a prompt, with the number behind it and what to do."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["note", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One remark.

    kind: a stable word ("soft", "no_camera_move"). value and limit: what was measured and the bound
    it crossed, in `unit`; None where nothing is measured. says: one sentence. fix: what to change.
    rewrite: the whole prompt in which that is changed; "" where there is none.
    """

    kind: str
    severity: Severity
    says: str
    fix: str
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    rewrite: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        said = f"{self.severity}: {self.says}; {self.fix}"
        return f'{said}: "{self.rewrite}"' if self.rewrite else said


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors, then warnings, then notes, each in the order they came."""
    order = ("error", "warning", "note")
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))
