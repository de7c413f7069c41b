"""Words that picked terms put into a text, kept apart from what is written there by hand."""

import re
from dataclasses import dataclass, replace

_ENDS = (".", "!", "?", ";", ":", ",")
_BETWEEN = "; "


@dataclass(frozen=True)
class Picked:
    """A text, and where in it the words of the picked terms lie.

    start, end: their place, with what joins them to the text before; both 0 where there are none.
    blank: what ended the text before they came, and was taken off.
    """

    text: str = ""
    start: int = 0
    end: int = 0
    blank: str = ""

    @property
    def has_words(self) -> bool:
        """True while the words stand in the text as they were put there."""
        return self.end > self.start

    def typed(self, text: str) -> "Picked":
        """After somebody wrote: the words are known again where they stand once, unchanged."""
        words = self.text[self.start : self.end]
        whole = ("" if self.start else r"(?<!\w)") + re.escape(words) + r"(?!\w)"
        found = list(re.finditer(whole, text)) if words else []
        if len(found) != 1:
            return Picked(text)
        return replace(self, text=text, start=found[0].start(), end=found[0].end())

    def with_words(self, words: str) -> "Picked":
        """Other words in place of those that terms put there, else at the end; "" takes them out.

        What was written by hand stays letter by letter; only the semicolon that joined goes too.
        """
        before, after = self.text[: self.start], self.text[self.end :]
        if not self.has_words:
            before, after = self.text, ""
        if not words:
            after = after if before else after.lstrip(" ;,")
            return Picked(before + self.blank + after)
        blank = self.blank
        if not after and not blank:
            blank = before[len(before.rstrip()) :]
            before = before.rstrip()
        joint = "" if not before else " " if before.endswith(_ENDS) else _BETWEEN
        new = joint + words
        return Picked(before + new + after, len(before), len(before) + len(new), blank)
