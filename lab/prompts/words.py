"""Words of a text and their places, brought to a common form."""

import re
from dataclasses import dataclass
from functools import lru_cache

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_CLAUSE_END = re.compile(r"[,;:.!?()]|--|\u2014")
_JOINS = frozenset(
    (
        *("and", "while", "as", "then", "but", "when", "until", "before", "after", "who", "which"),
        *("plus", "whereas", "because", "whilst"),
    )
)


@dataclass(frozen=True)
class Word:
    """One word: as written in small letters, its stem, its place in the text, and its clause.

    clause counts the clauses of the text, which punctuation divides; part counts their parts, each
    of which a joining word such as "and" or "while" begins.
    """

    said: str
    stem: str
    start: int
    end: int
    clause: int
    part: int
    joined: bool
    """In a part that a joining word begins."""

    @property
    def joins(self) -> bool:
        """True for a word that begins a part, such as "and"."""
        return self.said in _JOINS


def words(text: str) -> tuple[Word, ...]:
    """The words of a text in order."""
    small = text.lower() if len(text.lower()) == len(text) else text
    small = small.replace("\u2019", "'")
    ends = [match.start() for match in _CLAUSE_END.finditer(small)]
    found: list[Word] = []
    clause = part = 0
    for match in _WORD.finditer(small):
        while clause < len(ends) and ends[clause] < match.start():
            clause += 1
        said = match.group()
        if found and (found[-1].clause != clause or (said in _JOINS and not found[-1].joins)):
            part += 1
        joined = said in _JOINS or (bool(found) and found[-1].part == part and found[-1].joined)
        found.append(Word(said, stem(said), match.start(), match.end(), clause, part, joined))
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
