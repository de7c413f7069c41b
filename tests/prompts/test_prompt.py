"""One motion prompt."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import PromptError
from lab.prompts import KINDS, Prompt, Segment, lint, vocabulary
from lab.prompts.prompt import MAX_CHARS

STRONG = (
    "slow cinematic push-in; subject turns head toward camera and softly smiles; "
    "steam drifts upward; warm, calm pacing"
)
NAMES = {kind: [term.name for term in vocabulary().values() if term.kind == kind] for kind in KINDS}


def _some(kind: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["", *NAMES[kind]])


def test_a_strong_prompt_is_understood() -> None:
    """The craft's own example gives its camera move, actions, pace and mood, and no warning."""
    prompt = Prompt.from_text(STRONG)
    assert prompt.terms == (
        *("slow", "cinematic", "push_in", "turns_head", "smiles", "steam_rises", "warm"),
    )
    assert prompt.factors() == {
        "camera": "push_in",
        "subject": "turns_head+smiles+steam_rises",
        "strength": "",
        "pace": "slow",
        "mood": "cinematic+warm",
    }
    assert lint(prompt) == ()


@given(_some("camera"), _some("subject"), _some("pace"), _some("mood"))
def test_what_is_built_is_read_back(camera: str, subject: str, pace: str, mood: str) -> None:
    """The text made of terms says those terms and no others, and is that prompt when written."""
    asked = {camera, subject, pace, mood} - {""}
    if not asked:
        return
    built = Prompt.of(camera, subject, pace=pace, mood=mood)
    assert set(built.terms) == asked
    assert Prompt.from_text(built.text) == built


def test_several_terms_of_a_kind_make_one_sentence() -> None:
    """Camera moves are joined, actions follow, pace and mood stand before."""
    prompt = Prompt.of(["push_in", "tilt_up"], ["steam_rises"], pace="slow", mood="warm")
    assert prompt.text == "slow warm push-in and tilt up; steam rises"
    assert Prompt.of(subject="smiles", mood="warm").text == "subject softly smiles; warm mood"


def test_synonyms_are_terms_too() -> None:
    """A term can be named as users write it."""
    assert Prompt.of("dolly in", "fur ruffles").terms == ("push_in", "hair_moves")


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_an_empty_prompt_is_refused(text: str) -> None:
    """A prompt without words is refused with what it could say."""
    with pytest.raises(PromptError, match="empty; name a camera move"):
        Prompt.from_text(text)
    with pytest.raises(PromptError, match="empty"):
        Prompt.of()


def test_an_endless_prompt_is_refused() -> None:
    """A prompt over 3000 characters is refused with its length."""
    assert len(Prompt.from_text("a" * MAX_CHARS).text) == MAX_CHARS
    with pytest.raises(PromptError, match="3001 characters; at most 3000"):
        Prompt.from_text("a" * (MAX_CHARS + 1))


def test_an_unknown_term_is_refused_with_the_nearest() -> None:
    """A misspelt term is refused, and the nearest of its kind is suggested."""
    with pytest.raises(PromptError, match=r"camera term 'orbit_lft'.*did you mean 'orbit_left'"):
        Prompt.of("orbit_lft")


def test_line_breaks_and_doubled_blanks_do_not_matter() -> None:
    """The same words laid out in another way are the same prompt."""
    assert Prompt.from_text(" slow\n  push-in ") == Prompt.from_text("slow push-in")


@given(st.text(max_size=200).filter(lambda text: text.split()), st.text(max_size=10))
def test_a_prompt_survives_a_trip_through_json(text: str, name: str) -> None:
    """A prompt written as JSON text and read back is equal."""
    prompt = Prompt.from_text(text, name)
    assert Prompt.from_json(json.loads(json.dumps(prompt.to_json()))) == prompt


def test_tables_call_a_prompt_by_its_name_or_its_beginning() -> None:
    """A label is the name, or the text, shortened where it is long."""
    assert Prompt.from_text(STRONG, "strong").label == "strong"
    assert Prompt.from_text("slow push-in").label == "slow push-in"
    assert Prompt.from_text(STRONG).label == "slow cinematic push-in; subject turns head towa…"


def test_a_prompt_with_cuts_keeps_its_segments() -> None:
    """Segments carry their seconds, terms come from all of them, plain data brings it back."""
    prompt = Prompt.cut([Segment(" slow  push in ", 2), Segment("steam rises", 3)], name="two")
    assert prompt.text == "2 s: slow push in; 3 s: steam rises"
    assert [segment.text for segment in prompt.multi_shot] == ["slow push in", "steam rises"]
    assert prompt.terms == ("slow", "push_in", "steam_rises")
    assert Prompt.from_json(json.loads(json.dumps(prompt.to_json()))) == prompt
    with pytest.raises(PromptError, match="empty"):
        Prompt.cut([Segment("  ", 2)])
