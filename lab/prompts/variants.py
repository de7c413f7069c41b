"""Controlled alternatives of a prompt: they differ in one thing, which a comparison isolates."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

from lab.errors import PromptError, did_you_mean
from lab.prompts.editing import dropped, joined, lowered, replaced
from lab.prompts.prompt import MAX_CHARS, Prompt
from lab.prompts.reading import Match, read
from lab.prompts.vocabulary import KINDS, Term, find_term, vocabulary
from lab.prompts.words import words

What = Literal["camera", "strength", "pace", "wording", "negatives"]
VARIED: tuple[What, ...] = ("camera", "strength", "pace", "wording", "negatives")
_LEVELS = {
    "strength": ("subtle", "moderate", "strong"),
    "pace": ("slow", "steady", "fast"),
    "wording": ("as written", "second", "third"),
    "negatives": ("none", "no warping, no flicker", "no camera shake"),
}
_ENDINGS = ("ing", "ly", "s")
_OURS = re.compile(r"\b(?:we|you|i|to|let's)\s+$", re.IGNORECASE)
_NEGATIVE = ("no ", "without ", "avoid ", "not ", "never ")


def vary(
    prompt: Prompt | str, what: str, levels: Sequence[str] | None = None
) -> tuple[Prompt, ...]:
    """Prompts that differ from this one (or this text) in `what` alone; it is among them.

    what: "camera", "strength" or "pace" exchange the terms of that kind, or put one in; levels are
    terms, by default a static lock-off, the prompt's own move and its opposite; subtle, moderate,
    strong; slow, steady, fast. "wording" says the same terms by other synonyms; levels are
    "as written", "second", "third". "negatives" adds a clause of what shall not happen; levels are
    such clauses, or "none". Each is named "<what>: <level>"; all other words stay where that can
    be, and the text always reads back to the intended terms. Raises PromptError for an unknown
    `what` or level, a prompt with cuts, and a text that would be too long.
    """
    if what not in VARIED:
        raise PromptError(f"a prompt cannot be varied by {what!r}; {did_you_mean(what, VARIED)}")
    prompt = Prompt.from_text(prompt) if isinstance(prompt, str) else prompt
    if prompt.multi_shot:
        raise PromptError("a prompt with cuts has no single direction to vary; vary its segments")
    base = Prompt.from_text(prompt.text)
    asked = tuple(dict.fromkeys(_checked(what, level) for level in levels or _usual(base, what)))
    own = _own_level(base, what)
    made = {level: base.text if level == own else _changed(base, what, level) for level in asked}
    if own not in made:
        made = {own: base.text, **made}
    for level, text in made.items():
        if len(text) > MAX_CHARS:
            raise PromptError(f"{what}: {level} makes {len(text)} characters; at most {MAX_CHARS}")
    named = {text: level for level, text in reversed(made.items())}
    return tuple(
        replace(Prompt.from_text(text), name=f"{what}: {level}")
        for level, text in made.items()
        if named[text] == level
    )


def _checked(what: str, level: str) -> str:
    """The level in its usual form. Raises PromptError for one that there is not."""
    if what in ("camera", "strength", "pace"):
        return find_term(level, what).name  # type: ignore[arg-type]
    plain = " ".join(level.split()) if isinstance(level, str) else ""
    if what == "negatives" and plain.lower().startswith(_NEGATIVE) and not read(plain).terms:
        return plain
    if plain not in _LEVELS[what]:
        hint = did_you_mean(plain, _LEVELS[what])
        also = ', or a clause such as "no text"' if what == "negatives" else ""
        raise PromptError(f"{what} has no level {level!r}; {hint}{also}")
    return plain


def _own_level(base: Prompt, what: str) -> str:
    """What the prompt itself is called among its variants."""
    if what in ("wording", "negatives"):
        return _LEVELS[what][0]
    return base.factors()[what] or "none"


def _usual(base: Prompt, what: str) -> tuple[str, ...]:
    if what != "camera":
        return _LEVELS[what]
    moves = base.of_kind("camera")
    main = next((term for term in moves if term.moves_camera), vocabulary()["push_in"])
    own = [term.name for term in moves] if len(moves) == 1 else []
    return tuple(dict.fromkeys(["lock_off", *own, main.name, _opposite(main).name]))


def _opposite(term: Term) -> Term:
    """The move that undoes it: first the nearest of those that exclude it, else a pull-out."""
    others = [vocabulary()[name] for name in term.conflicts]
    moving = [other for other in others if other.moves_camera]
    return moving[0] if moving else vocabulary()["pull_out"]


def _changed(base: Prompt, what: str, level: str) -> str:
    """The first text that says just what is intended."""
    if what == "negatives":
        return joined(base.text, level)
    if what == "wording":
        return _reworded(base, _LEVELS[what].index(level))
    wanted = {**base.factors(), what: level}
    for text in _exchanged(base, vocabulary()[level]):
        if text and _factors(read(text).terms) == wanted:
            return text
    names = [name for kind in KINDS for name in wanted[kind].split("+") if name]
    return joined(*(vocabulary()[name].phrase for name in names))


def _exchanged(base: Prompt, term: Term) -> Iterator[str]:
    """The term in place of those of its kind; else beside the move; else at one end."""
    text, reading = base.text, base.reading
    same = [m for m in reading.matches if m.term.kind == term.kind and not m.negated]
    # "As we dolly back" has no place for a noun, so there the move is only taken out.
    done_by_us = any(_OURS.search(text[: m.start]) for m in same)
    if same and not (done_by_us and term.kind == "camera"):
        edits = [((m.start, m.end), _inflected(text, m, term, same)) for m in same]
        for before, after in pairwise(range(len(edits))):
            (_, end), (start, last) = edits[before][0], edits[after][0]
            if text[end:start].strip(" ,&") in ("", "and"):  # "calm and slow" becomes one "fast"
                edits[after] = (end, last), ""
        yield replaced(text, edits)
        yield replaced(text, [edits[0], *((span, "") for span, _ in edits[1:])])
    bare = dropped(text, [(m.start, m.end) for m in same])
    if term.kind != "camera":
        lead = [m for m in read(bare).matches if m.term.kind == "camera" and not m.negated]
        for match in lead[:1]:
            said = bare[match.start : match.end]
            first_word, _, rest_of = said.partition(" ")
            if first_word.lower() == "camera" and rest_of:
                new = f"{first_word} {_adverb(term)} {rest_of}"
            else:
                new = f"{term.phrase} {lowered(said)}"
                new = new if match.start else new[:1].upper() + new[1:]
            yield replaced(bare, [((match.start, match.end), new)])
        noun = {"pace": "pace", "strength": "motion"}[term.kind]
        yield joined(bare, f"{term.phrase} {noun}")
        yield joined(f"{term.phrase} {noun}", lowered(bare))
    yield joined(term.phrase, lowered(bare))
    yield joined(bare, term.phrase)


def _inflected(text: str, match: Match, term: Term, same: Sequence[Match]) -> str:
    """How the term is said in a match's place: "slowly" for "quickly", words between kept."""
    said = text[match.start : match.end]
    if term.kind != "camera":
        new = _adverb(term) if said.lower().endswith("ly") else term.phrase
        return new.capitalize() if said[:1].isupper() else new
    between = " ".join(
        text[inner.start : inner.end]
        for inner in read(text).matches
        if match.start <= inner.start < match.end and inner not in same
    )
    first = said.split(" ", 1)[0].lower()
    verbal = first == "camera" or (first.endswith("s") and "camera" in text[: match.start].lower())
    if verbal and term.verb:
        subject = f"{said.split(' ', 1)[0]} " if first == "camera" else ""
        new = f"{subject}{between} {term.verb}" if between else f"{subject}{term.verb}"
    else:
        new = f"{between} {term.phrase}" if between else term.phrase
    if said.lower().endswith(" around") and term.name.startswith("orbit"):
        new = f"{new} around"  # the cup that it goes around comes next
    return new[:1].upper() + new[1:] if said[:1].isupper() else new


def _adverb(term: Term) -> str:
    return next((said for said in term.wordings if said.endswith("ly")), term.phrase)


def _reworded(base: Prompt, turn: int) -> str:
    """Each wording exchanged for another of its term, where the text reads the same after it."""
    text, factors = base.text, base.factors()
    for place in range(len(base.reading.matches)):
        matches = read(text).matches
        match = matches[place] if place < len(matches) else None
        if match is None or match.negated:
            continue
        said = text[match.start : match.end]
        others = _alike(match.term, said)
        for step in range(len(others)):
            other = others[(turn - 1 + step) % len(others)]
            new = other[:1].upper() + other[1:] if said[:1].isupper() else other
            changed = replaced(text, [((match.start, match.end), new)])
            after = read(changed)
            if len(after.matches) == len(matches) and _factors(after.terms) == factors:
                text = changed
                break
    return text


def _factors(terms: Sequence[Term]) -> dict[str, str]:
    return {kind: "+".join(term.name for term in terms if term.kind == kind) for kind in KINDS}


def _alike(term: Term, said: str) -> list[str]:
    """The term's other wordings that can stand where this one stands, as far as forms tell."""
    return [
        other
        for other in (term.phrase, *term.synonyms)
        if _form(other, term) == _form(said, term) and other.lower() != said.lower()
    ]


def _form(said: str, term: Term) -> tuple[object, ...]:
    """What two wordings must share to stand in one place.

    Whether they name the camera, begin and end with a verb's or an adverb's ending, whom they
    speak of; and for a tempo, strength or mood how many words they have.
    """
    listed = [word.said for word in words(said)] or [""]
    ends = [next((end for end in _ENDINGS if word.endswith(end)), "") for word in listed]
    whose = {"her", "his", "its", "their", "subject"} & set(listed)
    short = len(listed) if term.kind in ("pace", "strength", "mood") else 0
    return "camera" in listed, ends[0], ends[-1], frozenset(whose), short
