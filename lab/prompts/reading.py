"""Read a written prompt back to terms: which words mean what, and what is said not to happen."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from lab.prompts.vocabulary import Term, vocabulary
from lab.prompts.words import Word, words

_NEGATIONS = frozenset(
    (
        *("no", "not", "without", "never", "avoid", "avoiding", "nor", "nothing", "neither"),
        *("don't", "doesn't", "isn't", "won't"),
    )
)
_NEGATION_REACH = 4  # words
# Words that may stand inside a wording of several words, beside those of pace, strength and mood.
_BETWEEN = frozenset(
    (
        *("a", "an", "the", "her", "his", "its", "their", "my", "our", "this", "that"),
        *("very", "then", "just", "ever", "so", "around", "again", "quite", "only", "also"),
        *("camera", "shot", "view", "frame", "and", "both", "two", "straight"),
        *("in", "on", "of", "to", "toward", "towards"),
    )
)
_GAP = 2
_BEFORE_NOUNS = frozenset(
    (
        *("a", "an", "the", "her", "his", "its", "their", "my", "our", "this", "that", "of"),
        *("with", "in", "on", "at", "for", "from", "no", "one", "each", "every"),
    )
)


@dataclass(frozen=True)
class Match:
    """Words of a text that mean a term. start, end: places in the text. negated: said not to be."""

    term: Term
    start: int
    end: int
    negated: bool


@dataclass(frozen=True)
class Reading:
    """What was understood of a text: every match in order, none inside another."""

    text: str
    matches: tuple[Match, ...]

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms asked for, each once, in the order they are first named."""
        asked = {match.term.name: match.term for match in self.matches if not match.negated}
        return tuple(asked.values())

    @property
    def negated(self) -> tuple[Term, ...]:
        """The terms that the text says shall not happen, unless it asks for them elsewhere."""
        asked = {term.name for term in self.terms}
        named = {match.term.name: match.term for match in self.matches if match.negated}
        return tuple(term for name, term in named.items() if name not in asked)

    def __str__(self) -> str:
        """The text with its terms marked: "slow [pace slow] push in [camera push_in]"."""
        shown, at = [], 0
        for match in sorted(self.matches, key=lambda match: match.end):
            said = f"{match.term.kind} {match.term.name}"
            shown.append(self.text[at : match.end])
            shown.append(f" [not: {said}]" if match.negated else f" [{said}]")
            at = match.end
        return "".join([*shown, self.text[at:]])


@dataclass(frozen=True)
class _Wording:
    stems: tuple[str, ...]
    said: str
    term: Term | None  # None for a decoy


@lru_cache(maxsize=4096)
def read(text: str) -> Reading:
    """Find the vocabulary's terms in a text; the longest wording wins, whole words only."""
    found = words(text)
    candidates = [
        (wording, places)
        for start, word in enumerate(found)
        for wording in _by_first_stem().get(word.stem, ())
        if (places := _places(wording, found, start))
    ]
    candidates.sort(key=_precedence)
    taken: set[int] = set()
    matches = []
    for wording, places in candidates:
        if taken.isdisjoint(places):
            taken.update(places)
            if wording.term is not None:
                start, end = found[places[0]].start, found[places[-1]].end
                matches.append(Match(wording.term, start, end, _negated(found, places[0])))
    return Reading(text, tuple(sorted(matches, key=lambda match: match.start)))


def _precedence(candidate: tuple[_Wording, tuple[int, ...]]) -> tuple[object, ...]:
    """More words first, then more letters, a term before a decoy, fewest words in between."""
    wording, places = candidate
    length = (-len(wording.stems), -len(wording.said))
    return (*length, wording.term is None, places[-1] - places[0], places)


def recognise(text: str) -> tuple[Term, ...]:
    """The terms that a written prompt asks for, in the order they are first named."""
    return read(text).terms


def _places(wording: _Wording, found: Sequence[Word], start: int) -> tuple[int, ...]:
    """Which words say this wording when its first one is found[start]; () when they do not."""
    if len(wording.stems) == 1:
        return (start,) if _alone(wording.said, found, start) else ()
    places = [start]
    for wanted in wording.stems[1:]:
        at = places[-1] + 1
        last = min(len(found), at + 1 + _GAP * (wording.term is not None))
        while at < last and found[at].stem != wanted and found[at].said in _fillers():
            at += 1
        if at >= last or found[at].stem != wanted or found[at].clause != found[start].clause:
            return ()
        places.append(at)
    return tuple(places)


def _alone(wanted: str, found: Sequence[Word], at: int) -> bool:
    """True when one word means a term: "smiles" or "they smile", not "a smiling woman"."""
    said = found[at].said
    if said + "s" == wanted:
        return at > 0 and found[at - 1].said not in _BEFORE_NOUNS
    return said == wanted


def _negated(found: Sequence[Word], start: int) -> bool:
    reach = found[max(0, start - _NEGATION_REACH) : start]
    clause = found[start].clause
    return any(word.said in _NEGATIONS for word in reach if word.clause == clause)


@cache
def _by_first_stem() -> dict[str, tuple[_Wording, ...]]:
    found: defaultdict[str, list[_Wording]] = defaultdict(list)
    for term in vocabulary().values():
        listed = [(wording, term) for wording in term.wordings]
        for wording, meant in [*listed, *((decoy, None) for decoy in term.decoys)]:
            said = words(wording.replace("_", " "))
            stems = tuple(word.stem for word in said)
            found[stems[0]].append(_Wording(stems, " ".join(word.said for word in said), meant))
    return {first: tuple(wordings) for first, wordings in found.items()}


@cache
def _fillers() -> frozenset[str]:
    kinds = ("pace", "strength", "mood")
    single = {
        wording
        for term in vocabulary().values()
        if term.kind in kinds
        for wording in term.wordings
        if wording.isalpha()
    }
    return _BETWEEN | single
