"""The terms of directing, every row of the file."""

import math
import tomllib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import PromptError
from lab.prompts import KINDS, Term, find_term, recognise, vocabulary
from lab.prompts.words import words

TERMS = list(vocabulary().values())
CAMERA = [term for term in TERMS if term.kind == "camera"]
WORDINGS = [
    pytest.param(wording, term, id=f"{term.name}: {wording}")
    for term in TERMS
    for wording in (term.name, term.phrase, *term.synonyms)
]


@pytest.mark.parametrize(("wording", "term"), WORDINGS)
def test_every_wording_is_found_again(wording: str, term: Term) -> None:
    """Each name, phrase and synonym means its own term and nothing else, in text and by name."""
    assert recognise(f"Then, {wording.upper()}!") == (term,)
    assert find_term(wording, term.kind) is term


def test_no_wording_belongs_to_two_terms() -> None:
    """A wording belongs to one term, and a name to one row of the file."""
    rows = tomllib.loads((files("lab.prompts") / "vocabulary.toml").read_text())["term"]
    names = [row["name"] for row in rows]
    assert len(set(names)) == len(names) == len(TERMS)
    owners: dict[str, set[str]] = {}
    for row in rows:
        for wording in (row["phrase"], *row.get("synonyms", ())):
            stems = " ".join(word.stem for word in words(wording))
            owners.setdefault(stems, set()).add(row["name"])
    assert [wording for wording, names in owners.items() if len(names) > 1] == []


def test_every_kind_has_terms() -> None:
    """A prompt can name a camera move, a subject action, a pace and a mood."""
    assert {term.kind for term in TERMS} == set(KINDS)


@pytest.mark.parametrize("term", CAMERA, ids=lambda term: term.name)
def test_a_move_that_can_be_played_says_what_it_does_to_the_picture(term: Term) -> None:
    """A move has a signature exactly where its course is known; that of the lock-off is empty."""
    assert (term.camera is None) == (term.signature is None)
    if term.camera is not None and term.signature is not None:
        holds = term.name == "lock_off"
        assert any(term.camera.model_dump().values()) != holds
        assert any(term.signature.model_dump().values()) != holds


DIRECTED = [
    term
    for term in CAMERA
    if term.signature and any(term.signature.model_dump().values()) and not term.signature.sway
]


@pytest.mark.parametrize("term", DIRECTED, ids=lambda term: term.name)
def test_every_move_has_its_opposite(term: Term) -> None:
    """For each directed move there is one that undoes it, and one shot cannot hold both."""
    undone = [other for other in DIRECTED if _against(term, other) < -0.999]
    assert undone
    assert all(term.excludes(other) and other.excludes(term) for other in undone)


def _against(one: Term, other: Term) -> float:
    """Cosine between two signatures."""
    assert one.signature is not None
    assert other.signature is not None
    first, second = (list(term.signature.model_dump().values()) for term in (one, other))  # type: ignore[union-attr]
    inner = sum(a * b for a, b in zip(first, second, strict=True))
    return inner / math.hypot(*first) / math.hypot(*second)


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_every_row_is_whole(term: Term) -> None:
    """Whatever its kind, a term has what that kind is played and judged by, and no other's."""
    assert len(term.synonyms) >= 2
    assert (term.pace is not None) == (term.kind == "pace")
    assert (term.extent is not None) == (term.kind == "strength")
    assert term.kind == "camera" or term.signature is None
    assert term.kind == "subject" or term.ambient is None
    assert term.name not in term.conflicts


def test_the_vocabulary_is_large_enough_to_direct_with() -> None:
    """There are camera moves, small human, ambient and mechanical actions to choose from."""
    counts = {kind: sum(term.kind == kind for term in TERMS) for kind in KINDS}
    assert len(TERMS) >= 60
    assert counts["camera"] >= 20
    assert counts["subject"] >= 25


@pytest.mark.parametrize("decoy", [(term, decoy) for term in TERMS for decoy in term.decoys])
def test_a_decoy_is_not_its_term(decoy: tuple[Term, str]) -> None:
    """A frying pan is no pan, and rolling hills do not roll the camera."""
    term, wording = decoy
    assert term not in recognise(f"there is {wording} here")


def test_slower_words_move_less() -> None:
    """The paces stand in the order of their names."""
    amplitudes = [
        term.pace.amplitude
        for name in ("lingering", "slow", "gentle", "steady", "brisk", "energetic", "fast")
        if (term := vocabulary()[name]).pace
    ]
    assert amplitudes == sorted(set(amplitudes))
    assert len(amplitudes) == 7


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    """Whatever is written, recognising it gives terms of the vocabulary, each once."""
    found = recognise(text)
    assert len({term.name for term in found}) == len(found)
    assert all(term in TERMS for term in found)


PIECES = st.sampled_from(
    [wording for term in TERMS for wording in (term.phrase, *term.synonyms)]
    + ["then", ",", ";", "!", "a cup", "over"]
)


@given(st.lists(PIECES, max_size=12))
def test_any_directing_is_read(pieces: list[str]) -> None:
    """However wordings are strung together, each term is found once at most."""
    found = recognise(" ".join(pieces))
    assert len({term.name for term in found}) == len(found)
    assert bool(found) == any(recognise(piece) for piece in pieces)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("slow blink", ["blinks"]),
        ("clouds roll by", ["clouds_drift"]),
        ("clockwise roll, then roll left", ["roll_clockwise", "roll_counterclockwise"]),
        ("subtle handheld sway", ["handheld_drift"]),
        ("the panda rolls its eyes", []),
        ("slowpush-in", []),
        ("PUSH-IN", ["push_in"]),
        ("push_in", ["push_in"]),
        ("pan\nleft", ["pan_left"]),
    ],
)
def test_the_longest_wording_wins_and_only_whole_words_count(text: str, names: list[str]) -> None:
    """A wording inside a longer one, or inside a word, is not another term."""
    assert [term.name for term in recognise(text)] == names


def test_terms_come_in_the_order_they_are_written() -> None:
    """A term named twice stands where it is named first, however it is worded later."""
    text = "steam, then push in, then steam drifts upward, slowly"
    assert [term.name for term in recognise(text)] == ["steam_rises", "push_in", "slow"]


@pytest.mark.parametrize(
    ("name", "kind", "hint"),
    [
        ("push inn", "camera", "did you mean 'push_in'"),
        ("slw", "pace", "did you mean 'slow'"),
        ("teleport", "mood", "accepted: cinematic, documentary, dreamy"),
        ("slow", "camera", "not in the vocabulary"),
    ],
)
def test_an_unknown_term_gets_a_hint(name: str, kind: str, hint: str) -> None:
    """A term that is not there, or is of another kind, is refused with the nearest that is."""
    with pytest.raises(PromptError, match=hint) as refused:
        find_term(name, kind)  # type: ignore[arg-type]
    assert str(refused.value).startswith(f"{kind} term {name!r}")
