"""New wordings of a prompt that lack one flaw, the gentlest change first."""

from collections.abc import Iterator, Sequence

from lab.prompts.editing import Span, clauses_of, dropped, joined, lowered, parts_of, replaced
from lab.prompts.lexicon import lexicon
from lab.prompts.prompt import Prompt
from lab.prompts.reading import Match, Reading, read
from lab.prompts.vocabulary import vocabulary
from lab.prompts.words import words

_HOLDS = "static lock-off"
_STILL = "subject holds still"


def rewritings(
    kind: str, text: str, spans: Sequence[Span] = (), instead: str = ""
) -> Iterator[str]:
    """Texts that may lack a finding of that kind, and at last one that says only the main thing.

    spans: the words that the finding is about. instead: an action to take the place of one.
    """
    reading = read(text)
    ways = {
        "no_camera_move": _with_camera,
        "no_subject_action": _with_action,
        "no_pace": _with_pace,
        "too_long": _shorter,
        "no_room": _smaller,
        "needs_subject": _smaller,
    }
    if kind in ways:
        yield from ways[kind](reading)
    elif kind == "describes_scene":
        yield from _undescribed(text, spans)
    elif kind == "unlikely_physics":
        yield from _plausible(text, spans, instead)
    else:
        yield from _without(text, spans)
    yield from _main_thing(reading, calm=kind in ("no_room", "needs_subject"))


def plausible_action(text: str) -> str:
    """Something small that may move in the picture that a text speaks of."""
    said = {word.said for word in words(text)}
    for mentions, action in lexicon().plausible:
        if not mentions.isdisjoint(said):
            return action
    return _STILL


def _with_camera(reading: Reading) -> Iterator[str]:
    if not reading.spans:
        yield _directed(reading.text)
    yield f"{_HOLDS.capitalize()}; {lowered(reading.text)}"


def _with_action(reading: Reading) -> Iterator[str]:
    if not reading.spans:
        yield _directed(reading.text)
    yield joined(reading.text, plausible_action(reading.text))
    yield joined(reading.text, _STILL)


def _directed(text: str) -> str:
    return f"slow push-in; {plausible_action(text)}"


def _with_pace(reading: Reading) -> Iterator[str]:
    text = reading.text
    if not reading.spans:
        yield _directed(text)
    # What holds still has no pace of its own; then the clip as a whole gets one.
    moves = [match for match in reading.matches if match.term.kind == "camera"]
    holds = any(match.negated or not match.term.moves_camera for match in moves)
    for match in () if holds else moves:
        said = text[match.start : match.end]
        first, _, rest = said.partition(" ")
        if first.lower() == "camera" and rest:
            yield replaced(text, [((match.start, match.end), f"{first} slowly {rest}")])
        elif first.lower().endswith("s") and match.start:
            yield replaced(text, [((match.start, match.end), f"slowly {said}")])
        slow = "slow" if match.start else "Slow"
        yield replaced(text, [((match.start, match.end), f"{slow} {lowered(said)}")])
    if not moves:
        for span in sorted((action.start, action.end) for action in reading.actions)[:1]:
            yield replaced(text, [(span, f"slowly {text[span[0] : span[1]]}")])
    yield joined(text, "slow pace")


def _shorter(reading: Reading) -> Iterator[str]:
    """Without the clauses in which nothing moves, then the first words of each."""
    text = reading.text
    idle = [
        (start, end)
        for start, end in clauses_of(text)
        if not any(first < end and last > start for first, last in reading.spans)
    ]
    yield dropped(text, idle)


def _undescribed(text: str, spans: Sequence[Span]) -> Iterator[str]:
    idle = [
        (start, end)
        for start, end in clauses_of(text)
        if not any(first < end and last > start for first, last in read(text).spans)
    ]
    left = dropped(text, sorted({*idle, *spans}))
    if not left:
        yield _directed(text)
        return
    yield from _completed(text, left)
    yield from _completed(text, dropped(text, spans))
    yield _directed(text)


def _plausible(text: str, spans: Sequence[Span], instead: str) -> Iterator[str]:
    """The clause in which the impossible happens gives way to something that can."""
    fitting = plausible_action(text)
    action = instead if fitting == _STILL else fitting
    moves = [match.start for match in read(text).matches if match.term.kind == "camera"]
    for start, end in spans:
        clause = next(each for each in clauses_of(text) if each[0] <= start < each[1])
        if not any(clause[0] <= at < clause[1] for at in moves):
            yield from _completed(text, replaced(text, [(clause, action)]))
        joiner = text[start:end].split(" ", 1)[0]
        joins = f"{joiner} " if joiner.lower() in ("as", "while", "and", "when") else ""
        yield replaced(text, [((start, max(end, clause[1])), joins + action)])
        yield joined(dropped(text, [(start, end)]), action)


def _without(text: str, spans: Sequence[Span]) -> Iterator[str]:
    """Without the words that are too much: their parts where nothing else asked is in them."""
    matches = read(text).matches
    moving = [match for match in matches if match.term.kind in ("camera", "subject")]
    parts = parts_of(text)
    whole, tails, only = [], [], []
    for start, end in spans:
        part = next((part for part in parts if part[0] <= start < part[1]), (start, end))
        shared = any(
            part[0] <= match.start < part[1] and (match.start, match.end) not in spans
            for match in moving
        )
        whole.append((start if shared else part[0], max(end, part[1])))
        tails.append((start, max(end, part[1])))
        before = text[:start].rstrip(" ,")
        joins = text[part[0] : start].strip().lower() in ("and", "but", "")
        only.append((min(part[0], len(before)) if joins else start, end))
    if {(match.start, match.end) for match in matches if match not in moving}.issuperset(spans):
        yield dropped(text, only)
    for drops in (whole, tails, only):
        yield from _completed(text, dropped(text, drops))


def _completed(text: str, left: str) -> Iterator[str]:
    """What is left of a text; with its pace again where that was lost, and with an action."""
    paces = [term.name for term in read(text).terms if term.kind == "pace"]
    said = {term.kind for term in read(left).terms}
    pace = f"{paces[0]} pace" if paces and "pace" not in said else ""
    yield left
    if pace:
        yield joined(left, pace)
    yield joined(left, plausible_action(text), pace)


def _smaller(reading: Reading) -> Iterator[str]:
    """Less far, then slower, then the other way, then with the camera at rest."""
    text = reading.text
    steer = [m for m in reading.matches if m.term.moves_camera and not m.negated]
    sized = [m for m in reading.matches if m.term.kind == "strength" and not m.negated]
    paced = [m for m in reading.matches if m.term.kind == "pace" and not m.negated]
    less = [((m.start, m.end), "subtle") for m in sized] or [
        ((m.start, m.start), "subtle " if m.start else "Subtle ") for m in steer[:1]
    ]
    slow = [((m.start, m.end), "very slow") for m in paced]
    if less:
        yield replaced(text, less)
    if slow:
        yield replaced(text, slow)
        yield replaced(text, [*less, *slow])
    for match in steer[:1]:
        for name in sorted(match.term.conflicts):
            other = vocabulary()[name]
            if other.moves_camera and other.strength == match.term.strength:
                yield replaced(text, [((match.start, match.end), other.phrase)])
        yield replaced(text, [(_from_camera(text, match), _HOLDS)])


def _from_camera(text: str, match: Match) -> Span:
    """The move's words, from "the camera" on where the sentence says so."""
    part = next(part for part in parts_of(text) if part[0] <= match.start < part[1])
    head = text[part[0] : match.start]
    at = head.lower().rfind("camera")
    if at < 0:
        return match.start, match.end
    start = part[0] + at
    article = text[part[0] : start].rstrip().lower().endswith("the")
    return (text.lower().rindex("the", part[0], start) if article else start), match.end


def _main_thing(reading: Reading, *, calm: bool) -> Iterator[str]:
    """Built anew from the first of what was asked; then the quietest prompt there is."""
    action = plausible_action(reading.text)
    asked = {term.kind: term for term in reversed(reading.terms)}
    camera = "" if calm or "camera" not in asked else asked["camera"].name
    pace = asked["pace"].name if "pace" in asked else "slow"
    subject = asked.get("subject")
    if subject and subject.strength in ("subtle", "none", "moderate"):
        yield Prompt.of(camera or "lock_off", subject.name, pace=pace).text
    yield f"{Prompt.of(camera or 'lock_off', pace=pace).text}; {action}"
    yield f"slow {_HOLDS}; {action}"
    yield f"slow {_HOLDS}; {_STILL}"
