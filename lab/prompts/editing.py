"""Change a prompt's text and leave it fit to read: drop spans, replace spans, add a clause."""

import re
from collections.abc import Callable, Sequence
from itertools import groupby

from lab.prompts.words import Word, words

Span = tuple[int, int]

_EDGES = " \t,;:-\u2013\u2014&+/"
_LOOSE_JOIN = re.compile(
    r"(?:^|(?<=[;:.!?,]))\s*(?:and|then|while|as|but|until|when)(?:\s+then)?(?=\s*(?:[;:.!?,]|$))",
    re.IGNORECASE,
)
_FIRST_JOIN = re.compile(
    r"(^|[;:.!?]\s+)(?:(?:and|then|while|as|but|until|when|plus|so that)\s+)+", re.IGNORECASE
)
# What is left of "while the camera orbits" and "as we dolly back" when the move is taken out.
_DANGLING = re.compile(
    r"[\s,]*\b(?:and|then|while|as|but|until|when)\s+(?:the|a|our|we|you|i)(?:\s+camera)?"
    r"(?=\s*(?:[;:.!?,]|$|\band\b))",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[a-z]{2}[.!?] )[a-z]")


def parts_of(text: str) -> tuple[Span, ...]:
    """Where the text's parts lie: clauses, divided again at joining words such as "while"."""
    return _spans(text, lambda word: word.part)


def clauses_of(text: str) -> tuple[Span, ...]:
    """Where the text's clauses lie, which punctuation divides."""
    return _spans(text, lambda word: word.clause)


def _spans(text: str, key: Callable[[Word], int]) -> tuple[Span, ...]:
    groups = (list(group) for _, group in groupby(words(text), key=key))
    return tuple((group[0].start, group[-1].end) for group in groups)


def replaced(text: str, edits: Sequence[tuple[Span, str]]) -> str:
    """The text with each span replaced; spans that lie in an earlier one are left out."""
    pieces, at = [], 0
    for (start, end), new in sorted(edits, key=lambda edit: edit[0]):
        if start >= at:
            pieces += [text[at:start], new]
            at = end
    return tidy("".join([*pieces, text[at:]]))


def dropped(text: str, spans: Sequence[Span]) -> str:
    """The text without the spans, and without the punctuation and joining words left behind."""
    return replaced(text, [(span, "") for span in spans])


def joined(*clauses: str) -> str:
    """Clauses in one line, a semicolon between them."""
    said = [tidy(clause).rstrip(".!?") for clause in clauses]
    return "; ".join(clause for clause in said if clause)


def tidy(text: str) -> str:
    """The text without doubled or loose punctuation and joining words at an end."""
    for _ in range(4):
        before = text
        text = " ".join(text.split())
        text = _LOOSE_JOIN.sub("", text)
        text = _DANGLING.sub("", text)
        text = re.sub(r"\(\s*\)", "", text)
        text = re.sub(r"\s+([,;:.!?])", r"\1", text)
        text = re.sub(r"[,;:]+(?=[,;:.!?])", "", text)
        text = re.sub(r"([.!?])[,;:.!?]+(?=\s|$)", r"\1", text)
        text = _FIRST_JOIN.sub(r"\1", text.strip(_EDGES).lstrip(".!?" + _EDGES))
        text = _SENTENCE.sub(lambda letter: letter.group().upper(), text)
        text = re.sub(r"\s+(?:and|then|while|as|but|until|when|plus)$", "", text)
        if text == before:
            break
    return text


def lowered(text: str) -> str:
    """The text with a small first letter, unless it begins with I or a word of capitals."""
    first = text.split(" ", 1)[0]
    keeps = first.startswith(("I'", "I\u2019")) or first == "I" or first[1:2].isupper()
    return text if keeps else text[:1].lower() + text[1:]
