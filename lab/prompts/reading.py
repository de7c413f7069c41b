"""Read a written prompt back to terms: which words mean what, and what is said not to happen."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby

from lab.prompts.actions import (
    BEFORE_NOUNS,
    Action,
    actor_at,
    carried,
    find_actions,
    is_verb,
    way_of,
)
from lab.prompts.lexicon import lexicon
from lab.prompts.vocabulary import Term, vocabulary
from lab.prompts.words import Word, words
from lab.units import escape_html

_NEGATIONS = frozenset(
    (
        *("no", "not", "without", "never", "avoid", "avoiding", "nor", "nothing", "neither"),
        *("don't", "doesn't", "isn't", "won't"),
    )
)
_LISTING_NEGATIONS = frozenset(("no", "without", "avoid", "avoiding"))  # of all in "no a and b"
_NEGATION_REACH = 4  # words
# Okabe and Ito's colours, told apart by most colour-blind people; the text keeps its own colour.
_COLOURS = {
    "camera": "#0072b2",
    "subject": "#d55e00",
    "strength": "#cc79a7",
    "pace": "#009e73",
    "mood": "#e69f00",
    "other motion": "#56b4e9",
}
# Words that may stand inside a wording of several words, beside those of pace, strength and mood.
_BETWEEN = frozenset(
    (
        *("a", "an", "the", "her", "his", "its", "their", "my", "our", "this", "that"),
        *("very", "then", "just", "ever", "so", "around", "again", "quite", "only", "also"),
        *("camera", "shot", "view", "frame", "and", "both", "two", "straight"),
        *("in", "on", "of", "to", "toward", "towards", "any"),
    )
)
_GAP = 2


@dataclass(frozen=True)
class Match:
    """Words of a text that mean a term. start, end: places in the text. negated: said not to be."""

    term: Term
    start: int
    end: int
    negated: bool


@dataclass(frozen=True)
class Reading:
    """What was understood of a text: every match in order, none inside another.

    actions: verbs of motion that no term stands for. unread: the clauses in which nothing at all
    was understood.
    """

    text: str
    matches: tuple[Match, ...]
    actions: tuple[Action, ...] = ()
    unread: tuple[str, ...] = ()

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

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Where something was understood, in order: terms, and verbs of motion."""
        terms = [(match.start, match.end) for match in self.matches]
        return tuple(sorted([*terms, *((action.start, action.end) for action in self.actions)]))

    def __str__(self) -> str:
        """The text with its terms marked: "slow [pace slow] push in [camera push_in]"."""
        shown, at = [], 0
        for match in sorted(self.matches, key=lambda match: match.end):
            said = f"{match.term.kind} {match.term.name}"
            shown.append(self.text[at : match.end])
            shown.append(f" [not: {said}]" if match.negated else f" [{said}]")
            at = match.end
        return "".join([*shown, self.text[at:]])

    def to_html(self) -> str:
        """The text with what was understood underlined in colour, negated words struck through.

        Everything is escaped; what each mark means stands below and in its tooltip.
        """
        marks: list[tuple[int, int, str, str, bool]] = [
            (match.start, match.end, match.term.kind, match.term.name, match.negated)
            for match in self.matches
        ]
        marks += [
            (action.start, action.end, "other motion", action.verb, action.negated)
            for action in self.actions
        ]
        shown, at = [], 0
        for start, end, kind, name, negated in sorted(marks):
            if end <= at:
                continue
            start = max(start, at)
            shown.append(escape_html(self.text[at:start]))
            said = escape_html(self.text[start:end])
            title = escape_html(f"{'not: ' * negated}{kind} {name}")
            struck = ";text-decoration:line-through" * negated
            shown.append(f'<span title="{title}" style="{_mark(kind)}{struck}">{said}</span>')
            at = end
        shown.append(escape_html(self.text[at:]))
        kinds = dict.fromkeys(kind for _, _, kind, _, _ in sorted(marks))
        legend = " ".join(f'<span style="{_mark(kind)}">{kind}</span>' for kind in kinds)
        marked = f"<div>{''.join(shown)}</div><div><small>{legend}</small></div>"
        return f'<div class="mathjax_ignore">{marked}</div>'


def _mark(kind: str) -> str:
    colour = _COLOURS[kind]
    return f"border-bottom:3px solid {colour};background:{colour}26;border-radius:2px"


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
    taken: dict[int, str] = {}  # the kind of term that a word belongs to, "" for a decoy
    matches = []
    for wording, places in candidates:
        if not taken.keys().isdisjoint(places):
            continue
        term = wording.term
        if term is None:
            taken.update(dict.fromkeys(places, ""))
        elif not _said_of_another(wording, found, places[0], taken):
            taken.update(dict.fromkeys(places, term.kind))
            start, end = found[places[0]].start, found[places[-1]].end
            matches.append(Match(term, start, end, negated_at(found, places[0])))
    matches.sort(key=lambda match: match.start)
    negated = [negated_at(found, at) for at in range(len(found))]
    at_start = {word.start: at for at, word in enumerate(found)}
    actions = find_actions(
        found,
        {at_start[match.start]: (match.term.kind, _names_camera(match, text)) for match in matches},
        taken={at for at in taken if taken[at]},
        negated=negated,
    )
    named, left = [], []
    for action in actions:
        at = at_start[action.start]
        way = way_of(found, at) if action.actor == "camera" else None
        if way is None or taken.get(way[1]) in ("camera", "subject"):
            left.append(action)
        else:
            named.append(Match(way[0], action.start, found[way[1]].end, action.negated))
    matches = sorted([*matches, *named], key=lambda match: match.start)
    spans = [(match.start, match.end) for match in matches]
    spans += [(action.start, action.end) for action in left]
    return Reading(text, tuple(matches), tuple(left), tuple(_unread(text, found, spans)))


def _names_camera(match: Match, text: str) -> bool:
    said = {word.said for word in words(text[match.start : match.end])}
    return match.term.kind == "camera" and not said.isdisjoint(lexicon().camera)


def _said_of_another(
    wording: _Wording, found: Sequence[Word], at: int, taken: Mapping[int, str]
) -> bool:
    """True for a camera move whose verb has another subject, and for an action of the camera's."""
    assert wording.term is not None
    if wording.term.kind not in ("camera", "subject") or not is_verb(found, at):
        return False
    if not lexicon().camera.isdisjoint(wording.said.split()):
        return False
    camera_words = {place for place, kind in taken.items() if kind == "camera"}
    wrong = "subject" if wording.term.kind == "camera" else "camera"
    return (actor_at(found, at, camera_words) or carried(found, at)) == wrong


def _unread(text: str, found: Sequence[Word], spans: Sequence[tuple[int, int]]) -> Iterator[str]:
    for _, group in groupby(found, key=lambda word: word.clause):
        clause = list(group)
        start, end = clause[0].start, clause[-1].end
        if all(last <= start or first >= end for first, last in spans):
            yield text[start:end]


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
        return at > 0 and found[at - 1].said not in BEFORE_NOUNS
    return said == wanted


def negated_at(found: Sequence[Word], at: int) -> bool:
    """True when found[at] is said not to be: a negation stands close before, in its clause."""
    for word in reversed(found[max(0, at - _NEGATION_REACH) : at]):
        if word.clause != found[at].clause:
            return False
        if word.said in _NEGATIONS:
            return word.part == found[at].part or word.said in _LISTING_NEGATIONS
    return False


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
