"""Who moves in a text, beyond the vocabulary: verbs of motion, and whether the camera does them."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import Literal

from lab.prompts.lexicon import Lexicon, Size, lexicon
from lab.prompts.vocabulary import Kind, Term, vocabulary
from lab.prompts.words import Word, words

Actor = Literal["camera", "subject"]

_WORDS = lexicon().function_words
DETERMINERS, PREPOSITIONS = _WORDS["determiners"], _WORDS["prepositions"]
BEFORE_NOUNS = DETERMINERS | {"of", "with", "in", "on", "at", "for", "from", "by", "under", "over"}
_PRONOUNS, _PLURALS, _HELPERS = _WORDS["pronouns"], _WORDS["plurals"], _WORDS["helpers"]
_LETS, _MODALS, _WAYS = _WORDS["lets"], _WORDS["modals"], _WORDS["ways"]
_REACH = 5  # words from the camera's verb to the way it goes


@dataclass(frozen=True)
class Action:
    """A verb of motion that is no term. start, end: its place in the text. part: as in words.

    size: how much motion it asks for. opens: the words that it stands behind in its part name no
    one else, as in "and walks". negated: said not to happen.
    """

    verb: str
    actor: Actor
    start: int
    end: int
    part: int
    size: Size
    opens: bool
    negated: bool


def actor_at(found: Sequence[Word], at: int, camera_words: Set[int] = frozenset()) -> Actor | None:
    """Who does found[at], when the words before it in its part say so.

    camera_words: places of words that name a camera move, which nobody but the camera does.
    """
    starts = {found[place].start for place in camera_words}
    before = [word for word in _subject(found, at) if word.start not in starts]
    if any(_camera_leads(before, place) for place in range(len(before))):
        return "camera"
    silent = PREPOSITIONS | DETERMINERS - _PRONOUNS | {"it", "which"}
    return "subject" if any(word.said not in silent for word in before) else None


def is_verb(found: Sequence[Word], at: int) -> bool:
    """True when found[at] stands where a verb can: "the cat runs", not "the runs" or "dry runs"."""
    word, form = found[at], _form(found[at].said)
    before = found[at - 1] if at and found[at - 1].part == word.part else None
    if word.said in lexicon().never_verbs:
        return False
    if before is None or before.joins or before.said == "then":
        return form != "base" and _no_noun_follows(found, at)
    if before.said in BEFORE_NOUNS or before.said.isdigit():
        return False
    if form == "ing":
        return before.said not in lexicon().describing | _modifiers() or _no_noun_follows(found, at)
    if form == "s":
        if before.said in _modifiers() and not before.said.endswith("ly"):
            return False
        return word.said not in lexicon().also_nouns or _named(found, at)
    return _base_is_verb(found, at)


def _form(said: str) -> Literal["base", "s", "ing"]:
    if said in lexicon().bases:
        return "base"
    if said.endswith("ing"):
        return "ing"
    return "s" if said.endswith("s") and not said.endswith("ss") else "base"


def leads(found: Sequence[Word], at: int) -> bool:
    """True when found[at] begins its part, but for adverbs: "then slowly rise"."""
    return not _subject(found, at)


def carried(found: Sequence[Word], at: int) -> Actor | None:
    """Who does found[at] when its part names no one: whoever acts in the part that it joins."""
    if not (found[at].joined and stands_bare(found, at)):
        return None
    part = found[at].part - 1
    for place in range(at - 1, -1, -1):
        word = found[place]
        if word.part < part or word.clause != found[at].clause:
            return None
        if word.part == part and word.said in lexicon().verbs and is_verb(found, place):
            return actor_at(found, place) or carried(found, place)
    return None


def stands_bare(found: Sequence[Word], at: int) -> bool:
    """True when no noun before found[at] in its part says who acts: "and she walks"."""
    return {word.said for word in _subject(found, at)} <= _PRONOUNS


def way_of(found: Sequence[Word], at: int) -> tuple[Term, int] | None:
    """The camera move that "camera <verb> ... <way>" means, and the place of the last word."""
    last = min(len(found), at + 1 + _REACH)
    for place in range(at + 1, last):
        word = found[place]
        if word.clause != found[at].clause or word.joins:
            return None
        term = lexicon().camera_goes.get(word.said)
        if term is not None:
            return term, place
    return None


def _subject(found: Sequence[Word], at: int) -> list[Word]:
    """The words before found[at] in its part that may say who acts."""
    part = found[at].part
    before = list(takewhile(lambda word: word.part == part, reversed(found[:at])))[::-1]
    return [
        word
        for word in before
        if not (word.joins or word.said in _HELPERS or word.said.endswith("ly"))
        and word.said not in _modifiers()
        and word.said not in ("a", "an", "the")
    ]


def _camera_leads(before: Sequence[Word], place: int) -> bool:
    """True for a camera that acts, not one that somebody holds or looks into."""
    if before[place].said not in lexicon().camera:
        return False
    last = before[place - 1].said if place else ""
    if place + 1 < len(before) and before[place + 1].said in ("of", "on", "at"):
        return False
    possessed = ("her", "his", "their", "its", "my")
    return last not in PREPOSITIONS - {"with", "like"} and last not in possessed


def _no_noun_follows(found: Sequence[Word], at: int) -> bool:
    after = found[at + 1] if at + 1 < len(found) else None
    if after is None or after.clause != found[at].clause or after.joins:
        return True
    return (
        after.said in DETERMINERS | PREPOSITIONS | _PRONOUNS | _HELPERS
        or after.said.endswith("ly")
        or after.said in _modifiers()
    )


def _named(found: Sequence[Word], at: int) -> bool:
    """True when a pronoun, or a noun with its article, stands before: "she steps"."""
    before = [word for word in found[max(0, at - 4) : at] if word.part == found[at].part]
    near = [word for word in before if not word.said.endswith("ly")]
    if not near:
        return False
    after = found[at + 1] if at + 1 < len(found) and found[at + 1].part == found[at].part else None
    if near[-1].said in _PRONOUNS or (after is not None and after.said in _WAYS):
        return near[-1].said not in lexicon().describing
    return any(word.said in DETERMINERS for word in near[:-1]) and _no_noun_follows(found, at)


def _base_is_verb(found: Sequence[Word], at: int) -> bool:
    part = found[at].part
    before = [word for word in found[max(0, at - 6) : at] if word.part == part]
    near = [word for word in before if not word.said.endswith("ly")]
    if not near:
        return False
    said = near[-1].said
    if said in _PLURALS or said in _MODALS or said == "not" or said.endswith("n't"):
        return True
    if any(word.said in _LETS for word in near[:-1]):
        return said not in BEFORE_NOUNS and _no_noun_follows(found, at)
    plural = said.endswith("s") and not said.endswith("ss") and said not in _HELPERS | PREPOSITIONS
    return plural and said not in DETERMINERS | {"always", "sideways", "towards", "this"}


def find_actions(
    found: Sequence[Word],
    terms: Mapping[int, tuple[Kind, bool]],
    *,
    taken: Set[int],
    negated: Sequence[bool],
) -> tuple[Action, ...]:
    """The verbs of motion of a text, in order.

    terms: where a term begins, its kind and whether it names the camera in so many words. taken:
    places of words that already mean something. negated: for each word, whether it is said not
    to be.
    """
    book, actions = lexicon(), []
    skipped = taken | _vague_places(found, book)
    last: Actor | None = None
    commanded = commands = False  # the part before, and this one, tell the camera what to do
    for at, word in enumerate(found):
        if at and word.part != found[at - 1].part:
            commanded, commands = commands, False
        if at in terms:
            kind, explicit = terms[at]
            commands = commands or kind == "camera"
            if kind == "subject" or explicit or actor_at(found, at) == "camera":
                last = "subject" if kind == "subject" else "camera"
        size = book.verbs.get(word.said)
        if size is None or at in skipped:
            continue
        opens = leads(found, at)
        heads = word.said in book.camera_moves and not word.joined and _goes_a_way(found, at)
        told = opens and (heads or (commanded and _goes_on(found, at)))
        joined = opens and last == "subject" and word.joined and _goes_on(found, at)
        if not (told or joined or is_verb(found, at)):
            continue
        subject = {each.said for each in _subject(found, at)}
        if word.said in book.vague_verbs and subject and subject <= book.vague_subjects:
            continue
        actor = "camera" if told else actor_at(found, at)
        if actor is None and (opens or found[at].joined):
            actor = last
        last = actor or "subject"
        commands = commands or told
        bare = stands_bare(found, at)
        actions.append(
            Action(word.said, last, word.start, word.end, word.part, size, bare, negated[at])
        )
    return tuple(actions)


def _goes_on(found: Sequence[Word], at: int) -> bool:
    """True for a verb without ending that something follows: "swing round", "raise a hand"."""
    after = found[at + 1] if at + 1 < len(found) else None
    here = after is not None and after.clause == found[at].clause
    return here and _form(found[at].said) == "base" and _no_noun_follows(found, at)


def _goes_a_way(found: Sequence[Word], at: int) -> bool:
    after = found[at + 1] if at + 1 < len(found) else None
    if after is None or after.part != found[at].part:
        return False
    return after.said in _WAYS | lexicon().camera_goes.keys() | {"to"} or after.said.endswith("ly")


def _vague_places(found: Sequence[Word], book: Lexicon) -> Set[int]:
    stems = [word.stem for word in found]
    return {
        place
        for start in range(len(stems))
        for phrase in book.vague
        if tuple(stems[start : start + len(phrase)]) == phrase
        for place in range(start, start + len(phrase))
    }


@cache
def _modifiers() -> frozenset[str]:
    """Single words of tempo, strength and mood: they say how, not who."""
    kinds = ("pace", "strength", "mood")
    return (
        frozenset(
            word.said
            for term in vocabulary().values()
            if term.kind in kinds
            for wording in term.wordings
            if len(said := words(wording)) == 1
            for word in said
        )
        | lexicon().camera_adjectives
    )
