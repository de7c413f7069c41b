"""Remarks on a prompt, each with a rewrite: vague ones drift, crowded ones warp."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations, pairwise

from lab.findings import Finding, Severity, worst_first
from lab.prompts.actions import DETERMINERS, PREPOSITIONS, Action, stands_bare
from lab.prompts.editing import Span
from lab.prompts.lexicon import lexicon
from lab.prompts.prompt import Prompt
from lab.prompts.reading import Match, Reading, negated_at, read
from lab.prompts.rewriting import rewritings
from lab.prompts.vocabulary import Term
from lab.prompts.words import Word, words
from lab.stills import Still, room_findings

RECOMMENDED_CHARS = 2500
MAX_DOMINANT_MOTIONS = 1
LINTED = (
    *("no_camera_move", "no_subject_action", "no_pace", "many_motions", "contradiction"),
    *("describes_scene", "unlikely_physics", "too_long"),
)
_LATER = frozenset(("then", "before", "after", "until", "finally", "afterwards", "later", "next"))
_EXCEPT = frozenset(("only", "except", "but", "else", "apart", "save", "besides", "other", "just"))
_FAST = frozenset(("fast", "energetic"))
_PROSE = frozenset(  # words of talking to somebody, not of naming what a picture shows
    (
        *("i", "you", "we", "it", "he", "she", "they", "me", "is", "are", "was", "were", "be"),
        *("do", "does", "should", "would", "will", "not", "no", "if", "so", "that", "please"),
    )
)
_DESCRIBING_CLAUSES = 3
_DESCRIBING_WORDS = 12
_PHRASE_WORDS = 4


@dataclass(frozen=True)
class _Remark:
    """A finding without its rewrite, and the spans that a rewrite drops, worst first."""

    finding: Finding
    spans: tuple[Span, ...] = ()
    instead: str = ""


def dominant_motions(prompt: Prompt) -> int:
    """How many things a prompt sets in motion: each camera move, and the subject if it acts.

    Ambient motion (steam, leaves) does not count; a subject doing two small things counts once.
    """
    reading = prompt.reading
    terms = [*prompt.of_kind("subject"), *reading.terms]
    acts = any(term.kind == "subject" and _acts(term) for term in terms) or any(
        action.actor == "subject" and not action.negated for action in reading.actions
    )
    return sum(term.moves_camera for term in prompt.of_kind("camera")) + acts


def lint(
    prompt: Prompt | str,
    still: Still | None = None,
    *,
    aspect_ratio: str | None = None,
    max_chars: int = RECOMMENDED_CHARS,
) -> tuple[Finding, ...]:
    """Findings about a prompt or a text, worst first; empty when there is nothing to say.

    still, aspect_ratio: what the motion asks of that picture is checked too; a ratio that does not
    exist raises InputError. max_chars: the longest text that the backend takes. A rewrite is the
    whole new prompt, in which that finding is gone and none of another kind is new.
    """
    prompt = Prompt.from_text(prompt) if isinstance(prompt, str) else prompt
    found = [finding for text in _texts(prompt) for finding in _linted(text, max_chars)]
    if prompt.multi_shot:
        firsts = {finding.kind: replace(finding, rewrite="") for finding in reversed(found)}
        found = list(firsts.values())
    if still is not None:
        room = room_findings(still, prompt.needs, aspect_ratio=aspect_ratio)
        kinds = {finding.kind for finding in (*found, *room)}

        def fits(text: str) -> set[str]:
            return {
                finding.kind
                for finding in (
                    *_remarked(text, max_chars),
                    *room_findings(still, Prompt.from_text(text).needs, aspect_ratio=aspect_ratio),
                )
            }

        found = [
            *(
                replace(finding, rewrite=_rewrite(_Remark(finding), prompt.text, kinds, fits))
                if finding.severity != "note" and not prompt.multi_shot
                else finding
                for finding in room
            ),
            *(
                finding
                if not finding.rewrite or fits(finding.rewrite) <= kinds - {finding.kind}
                else replace(finding, rewrite="")
                for finding in found
            ),
        ]
    return worst_first(found)


def rewritten(
    prompt: Prompt,
    still: Still | None = None,
    *,
    aspect_ratio: str | None = None,
    max_chars: int = RECOMMENDED_CHARS,
) -> Prompt:
    """The prompt with one rewrite after the other taken, until none is left to take."""
    for _ in (*LINTED, "no_room", "needs_subject"):
        found = lint(prompt, still, aspect_ratio=aspect_ratio, max_chars=max_chars)
        better = next((finding.rewrite for finding in found if finding.rewrite), "")
        if not better:
            break
        prompt = Prompt.from_text(better, prompt.name)
    return prompt


def _texts(prompt: Prompt) -> tuple[str, ...]:
    return tuple(segment.text for segment in prompt.multi_shot) or (prompt.text,)


@lru_cache(maxsize=4096)
def _linted(text: str, max_chars: int) -> tuple[Finding, ...]:
    remarks = _remarks(text, max_chars)
    kinds = {remark.finding.kind for remark in remarks}

    def kinds_of(new: str) -> set[str]:
        return {finding.kind for finding in _remarked(new, max_chars)}

    return tuple(
        replace(remark.finding, rewrite=_rewrite(remark, text, kinds, kinds_of))
        for remark in remarks
    )


def _remarked(text: str, max_chars: int) -> tuple[Finding, ...]:
    return tuple(remark.finding for remark in _remarks(text, max_chars))


def _rewrite(
    remark: _Remark, text: str, kinds: set[str], kinds_of: Callable[[str], set[str]]
) -> str:
    """The first rewriting that removes the finding and adds no kind; "" when none does."""
    allowed = kinds - {remark.finding.kind}
    for new in rewritings(remark.finding.kind, text, remark.spans, remark.instead):
        if new != text and new and kinds_of(new) <= allowed:
            return new
    return ""


@lru_cache(maxsize=8192)
def _remarks(text: str, max_chars: int) -> tuple[_Remark, ...]:
    reading, found = read(text), words(text)
    unlikely = tuple(_unlikely(found))
    return (
        *_too_long(text, max_chars),
        *_scene(text, reading, found),
        *_contradictions(text, reading, found),
        *unlikely,
        *_crowd(text, reading, found),
        *_missing(reading, found, acts=bool(unlikely)),
    )


def _missing(reading: Reading, found: Sequence[Word], *, acts: bool) -> Iterator[_Remark]:
    """What a prompt does not name. acts: something impossible happens, which is an action too."""
    kinds = {term.kind for term in reading.terms}
    actors = {action.actor for action in reading.actions if not action.negated}
    camera = "camera" in kinds or "camera" in actors
    subject = acts or "subject" in kinds or "subject" in actors
    severity: Severity = "note" if camera or subject else "warning"
    if not camera:
        yield _Remark(
            Finding(
                "no_camera_move",
                severity,
                "names no camera move, so the model picks one",
                "say how the camera moves, or that it holds",
            )
        )
    if not subject:
        yield _Remark(
            Finding(
                "no_subject_action",
                severity,
                "names nothing that moves in the picture",
                "say what the subject does, or that it holds still",
            )
        )
    if "pace" not in kinds and not _names_tempo(found):
        yield _Remark(Finding("no_pace", "note", "names no pace", "say how fast"))


def _names_tempo(found: Sequence[Word]) -> bool:
    """True for "luxurious tempo": an adjective of tempo that is no term."""
    idle = PREPOSITIONS | DETERMINERS
    return any(
        word.said in lexicon().pace_nouns and before.part == word.part and before.said not in idle
        for before, word in pairwise(found)
    )


def _too_long(text: str, max_chars: int) -> Iterator[_Remark]:
    if len(text) > max_chars:
        yield _Remark(
            Finding(
                "too_long",
                "warning",
                f"has {len(text)} characters",
                "keep what moves and drop the rest",
                len(text),
                max_chars,
                "characters",
            )
        )


def _scene(text: str, reading: Reading, found: Sequence[Word]) -> Iterator[_Remark]:
    """Describing clauses: nothing moves in them, and they name looks or only things."""
    book = lexicon()
    spans: list[Span] = []
    said = loose = heavy = 0
    by_clause: dict[int, list[Word]] = {}
    for word in found:
        by_clause.setdefault(word.clause, []).append(word)
    moods = {_span(match) for match in reading.matches if match.term.kind == "mood"}
    moving = [span for span in reading.spans if span not in moods]
    for clause in by_clause.values():
        start, end = clause[0].start, clause[-1].end
        looks = sum(word.said in book.describing for word in clause)
        if any(first < end and last > start for first, last in moving):
            if looks >= _DESCRIBING_CLAUSES:
                said, heavy = said + len(clause), heavy + looks
            continue
        if not looks and any(word.said in _PROSE for word in clause):
            continue
        said, heavy = said + len(clause), heavy + looks
        if looks or len(clause) >= _PHRASE_WORDS:
            spans.append((start, end))
            loose += len(clause)
    many = len(spans) >= _DESCRIBING_CLAUSES or loose >= _DESCRIBING_WORDS
    if many and heavy >= 2 and said >= 0.5 * len(found):
        share = round(100 * said / len(found))
        yield _Remark(
            Finding(
                "describes_scene",
                "warning",
                f"spends {share} % of its words on what the picture shows already",
                "say what changes",
                share,
                50,
                "%",
            ),
            tuple(spans),
        )


def _unlikely(found: Sequence[Word]) -> Iterator[_Remark]:
    by_part: dict[int, list[int]] = {}
    by_clause: dict[int, list[int]] = {}
    for at, word in enumerate(found):
        by_part.setdefault(word.part, []).append(at)
        by_clause.setdefault(word.clause, []).append(at)
    for rule, groups in lexicon().unlikely:
        for places in (by_clause if rule.across else by_part).values():
            part = [found[at] for at in places]
            if any(word.said in rule.unless for word in part):
                continue
            hits = _in_order(part, groups)
            if hits and not negated_at(found, places[hits[-1]]):
                span = (part[0].start, part[-1].end)
                said = " ".join(dict.fromkeys(part[hit].said for hit in hits))
                yield _Remark(
                    Finding(
                        "unlikely_physics",
                        "warning",
                        f"asks for {rule.says} ({said})",
                        "ask for something small that the picture can do",
                    ),
                    (span,),
                    rule.instead,
                )
                return


def _in_order(part: Sequence[Word], groups: Sequence[frozenset[str]]) -> tuple[int, ...]:
    """Places of one word of each group, in order; () when one is missing."""
    hits: list[int] = []
    for group in groups:
        after = hits[-1] + 1 if hits else 0
        at = next((at for at in range(after, len(part)) if part[at].stem in group), None)
        if at is None:
            return ()
        hits.append(at)
    return tuple(hits)


def _contradictions(text: str, reading: Reading, found: Sequence[Word]) -> Iterator[_Remark]:
    pair = next(
        (pair for check in _EXCLUDING for pair in check(reading, found)),
        None,
    )
    if pair is not None:
        first, second = pair
        says = f"asks for {_quoted(text, first)} and for {_quoted(text, second)}"
        yield _Remark(
            Finding("contradiction", "warning", says, "one excludes the other; keep one"),
            (second,),
        )


def _quoted(text: str, span: Span) -> str:
    return f'"{text[span[0] : span[1]]}"'


def _excluding_moves(reading: Reading, found: Sequence[Word]) -> Iterator[tuple[Span, Span]]:
    """Moves or actions that exclude each other, unless one follows the other in time."""
    moving = [match for match in reading.matches if match.term.kind in ("camera", "subject")]
    matches = list({(match.term.name, match.negated): match for match in moving[::-1]}.values())
    for first, second in combinations(matches[::-1], 2):
        if first.negated != second.negated:
            clash = first.term == second.term
        else:
            still = "holds_still" in (first.term.name, second.term.name)
            clash = not (first.negated or still) and first.term.excludes(second.term)
        early, late = sorted((_span(first), _span(second)))
        if clash and not _later(found, early[1], late[0]):
            yield early, late
    for match in matches:
        if match.term.name == "lock_off" and not match.negated:
            for action in reading.actions:
                if action.actor == "camera" and not action.negated and action.size != "subtle":
                    yield _span(match), _span(action)


def _still_but_acting(reading: Reading, found: Sequence[Word]) -> Iterator[tuple[Span, Span]]:
    """A subject that holds still and acts; or nothing that moves, and something that does."""
    acting = list(_acting(reading, found))
    for match in reading.matches:
        if match.term.name != "holds_still" or match.negated:
            continue
        part = next(word.part for word in found if word.start == match.start)
        whose = {word.said for word in found if word.part == part}
        absolute = not whose.isdisjoint(("nothing", "nobody", "everything", "everyone"))
        for other, bare, size in acting:
            goes_on = bare and size in ("moderate", "strong") and other[0] > match.end
            if not (absolute or goes_on) or other == _span(match):
                continue
            between = _said(found, min(match.end, other[1]), max(match.start, other[0]))
            if between.isdisjoint(_LATER | _EXCEPT):
                yield _span(match), other


def _acting(reading: Reading, found: Sequence[Word]) -> Iterator[tuple[Span, bool, str]]:
    """Where something acts; whether its words name no other subject; how much it moves."""
    at_start = {word.start: at for at, word in enumerate(found)}
    for match in reading.matches:
        term = match.term
        if term.kind == "subject" and term.strength != "none" and not match.negated:
            size = "ambient" if term.ambient else term.strength
            yield _span(match), stands_bare(found, at_start[match.start]), size
    for action in reading.actions:
        if action.actor == "subject" and not action.negated:
            yield _span(action), action.opens, action.size


def _excluding_paces(reading: Reading, found: Sequence[Word]) -> Iterator[tuple[Span, Span]]:
    """Tempos and strengths that exclude each other and say it of the same thing."""
    part_of = {word.start: word.part for word in found}
    moving: dict[int, str] = {}
    for match in reading.matches:
        if match.term.kind in ("camera", "subject"):
            moving[part_of[match.start]] = match.term.kind
    for action in reading.actions:
        moving.setdefault(part_of[action.start], action.actor)
    listed = [match for match in reading.matches if not match.negated]
    modifiers = [match for match in listed if match.term.kind in ("pace", "strength", "camera")]
    for first, second in combinations(modifiers, 2):
        if not first.term.excludes(second.term) or first.term.kind == second.term.kind == "camera":
            continue
        here, there = part_of[first.start], part_of[second.start]
        both = {moving.get(here, ""), moving.get(there, "")}
        whole = (
            first.term.kind == second.term.kind == "pace" and "" in both and "subject" not in both
        )
        if (here == there or whole) and not _later(found, first.end, second.start):
            yield _span(first), _span(second)


_EXCLUDING = (_excluding_moves, _still_but_acting, _excluding_paces)


def _crowd(text: str, reading: Reading, found: Sequence[Word]) -> Iterator[_Remark]:
    moves = _camera_moves(reading, found)
    acting = [act for act in _acting(reading, found) if act[2] != "ambient"]
    strong = [span for span, _, size in acting if size == "strong"]
    paces = {term.name for term in reading.terms if term.kind == "pace"}
    steered = [
        match
        for match in reading.matches
        if match.term.moves_camera and match.term.name not in ("follow", "handheld_drift")
    ]
    big_camera = any(match.term.strength == "strong" for match in steered) or (
        bool(steered) and not paces.isdisjoint(_FAST)
    )
    motions, spans = len(moves), moves[1:]
    if strong and (big_camera or len(strong) >= 3 or (len(strong) >= 2 and len(acting) >= 4)):
        motions, spans = motions + len(strong), [*spans, *strong[len(moves) == 0 :]]
    if motions > MAX_DOMINANT_MOTIONS:
        listed = ", ".join(_quoted(text, span) for span in (*moves[:1], *spans))
        yield _Remark(
            Finding(
                "many_motions",
                "warning",
                f"asks for {motions} dominant motions: {listed}",
                "keep one and drop the others",
                motions,
                MAX_DOMINANT_MOTIONS,
                "motions",
            ),
            tuple(spans),
        )


def _camera_moves(reading: Reading, found: Sequence[Word]) -> list[Span]:
    """The first words of each camera move that is more than a touch."""
    part_of = {word.start: word.part for word in found}
    slight = {
        part_of[match.start]
        for match in reading.matches
        if match.term.name == "subtle" and not match.negated
    }
    moves: dict[str, Span] = {}
    for match in reading.matches:
        term = match.term
        touch = term.strength == "subtle" or (part_of[match.start] in slight and moves)
        if term.moves_camera and not match.negated and not touch:
            moves.setdefault(
                term.direction if term.direction in ("in", "out") else term.name, _span(match)
            )
    if len(moves) > 1:
        moves.pop("follow", None)
    for action in reading.actions:
        if action.actor == "camera" and not action.negated and action.size == "strong":
            moves.setdefault(f"camera {action.verb}", _span(action))
    return sorted(moves.values())


def _acts(term: Term) -> bool:
    return term.ambient is None and term.strength != "none"


def _span(of: Match | Action) -> Span:
    return of.start, of.end


def _said(found: Sequence[Word], start: int, end: int) -> set[str]:
    return {word.said for word in found if start <= word.start < end}


def _later(found: Sequence[Word], start: int, end: int) -> bool:
    return not _said(found, start, end).isdisjoint(_LATER)
