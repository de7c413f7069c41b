"""Words of a text and their places, brought to a common form."""

import re
from dataclasses import dataclass
from functools import lru_cache

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_CLAUSE_END = re.compile(r"[,;:.!?()]|--|\u2014")


@dataclass(frozen=True)
class Word:
    """One word: as written in small letters, its stem, its place in the text, and its clause.

    clause counts the clauses of the text, which punctuation divides.
    """

    said: str
    stem: str
    start: int
    end: int
    clause: int


def words(text: str) -> tuple[Word, ...]:
    """The words of a text in order."""
    small = text.lower() if len(text.lower()) == len(text) else text
    ends = [match.start() for match in _CLAUSE_END.finditer(small)]
    found, clause = [], 0
    for match in _WORD.finditer(small):
        while clause < len(ends) and ends[clause] < match.start():
            clause += 1
        said = match.group()
        found.append(Word(said, stem(said), match.start(), match.end(), clause))
    return tuple(found)


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """A word without its inflection: moves, moving and moved are one. Crude, but consistent."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word[:-1] + "i" if len(word) > 3 and word.endswith("y") else word


def plain(text: str) -> str:
    """The words of a text in small letters, one space between them."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
