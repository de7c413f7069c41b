"""The terms of directing, every row of the file."""

import tomllib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import PromptError
from lab.prompts import KINDS, Term, find_term, recognise, vocabulary

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
            owners.setdefault(wording.lower().replace("-", " "), set()).add(row["name"])
    assert [wording for wording, names in owners.items() if len(names) > 1] == []


def test_every_kind_has_terms() -> None:
    """A prompt can name a camera move, a subject action, a pace and a mood."""
    assert {term.kind for term in TERMS} == set(KINDS)


@pytest.mark.parametrize("term", CAMERA, ids=lambda term: term.name)
def test_every_camera_term_moves_the_camera_or_holds_it(term: Term) -> None:
    """Every camera term but the lock-off moves the camera."""
    assert term.camera is not None
    assert term.moves_camera == (term.name != "lock_off")


@pytest.mark.parametrize(
    "term",
    [term for term in CAMERA if term.moves_camera and term.camera and not term.camera.shake],
    ids=lambda term: term.name,
)
def test_every_move_has_its_opposite(term: Term) -> None:
    """For each directed move there is exactly one that undoes it."""
    assert term.camera is not None
    back = {name: -rate for name, rate in term.camera.model_dump().items()}
    undone = [other for other in CAMERA if other.camera and other.camera.model_dump() == back]
    assert len(undone) == 1


def test_slower_words_move_less() -> None:
    """The paces stand in the order of their names: slow, gentle, steady, energetic, fast."""
    amplitudes = [
        term.pace.amplitude
        for name in ("slow", "gentle", "steady", "energetic", "fast")
        if (term := vocabulary()[name]).pace
    ]
    assert amplitudes == sorted(set(amplitudes))
    assert len(amplitudes) == 5


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
        ("teleport", "mood", "accepted: cinematic, documentary, dreamy, tense, warm"),
        ("slow", "camera", "not in the vocabulary"),
    ],
)
def test_an_unknown_term_gets_a_hint(name: str, kind: str, hint: str) -> None:
    """A term that is not there, or is of another kind, is refused with the nearest that is."""
    with pytest.raises(PromptError, match=hint) as refused:
        find_term(name, kind)  # type: ignore[arg-type]
    assert str(refused.value).startswith(f"{kind} term {name!r}")
