"""Defines `Suggestion`, one change for the next sweep."""

from dataclasses import asdict, dataclass
from typing import Literal

SuggestionKind = Literal[
    "less_motion",
    "more_motion",
    "one_dominant_move",
    "other_wording",
    "cleaner_still",
    "other_framing",
]


@dataclass(frozen=True)
class Suggestion:
    """One change. about: the prompt or the still. change: what to do. evidence: measured reasons.

    before, after: the prompt's text or the still's name. after is "" if the next sweep leaves
    this prompt or still out, or if a person has to change it.
    """

    kind: SuggestionKind
    about: str
    change: str
    evidence: str
    before: str
    after: str

    def to_json(self) -> dict[str, str]:
        """Plain data; "change" has the key "says", as in the other reports."""
        return {"says" if name == "change" else name: text for name, text in asdict(self).items()}

    def __str__(self) -> str:
        return f"{self.about}: {self.change} ({self.evidence})"
