"""A prompt's text that keeps the phrase of picked terms apart from the words typed by hand."""

import re
from dataclasses import dataclass, replace

_CLAUSE_ENDS = (".", "!", "?", ";", ":", ",")
_SEPARATOR = "; "


@dataclass(frozen=True)
class PromptText:
    """A text and the position of the phrase that the picked terms put into it.

    start, end: the span of the phrase with the separator before it; both 0 if there is none.
    trimmed: the whitespace at the end of the text that was removed before the phrase was added.
    """

    text: str = ""
    start: int = 0
    end: int = 0
    trimmed: str = ""

    @property
    def has_phrase(self) -> bool:
        """True while the text contains the phrase unchanged."""
        return self.end > self.start

    def edited(self, text: str) -> "PromptText":
        """The text after a user typed. The phrase is kept if it occurs exactly once, unchanged."""
        phrase = self.text[self.start : self.end]
        pattern = ("" if self.start else r"(?<!\w)") + re.escape(phrase) + r"(?!\w)"
        matches = list(re.finditer(pattern, text)) if phrase else []
        if len(matches) != 1:
            return PromptText(text)
        return replace(self, text=text, start=matches[0].start(), end=matches[0].end())

    def with_phrase(self, phrase: str) -> "PromptText":
        """The text with another phrase; "" removes it. A new phrase goes to the end.

        Words typed by hand stay as they are. Only the separator is removed with the phrase.
        """
        before, after = self.text[: self.start], self.text[self.end :]
        if not self.has_phrase:
            before, after = self.text, ""
        if not phrase:
            after = after if before else after.lstrip(" ;,")
            return PromptText(before + self.trimmed + after)
        trimmed = self.trimmed
        if not after and not trimmed:
            trimmed = before[len(before.rstrip()) :]
            before = before.rstrip()
        separator = "" if not before else " " if before.endswith(_CLAUSE_ENDS) else _SEPARATOR
        added = separator + phrase
        return PromptText(before + added + after, len(before), len(before) + len(added), trimmed)
