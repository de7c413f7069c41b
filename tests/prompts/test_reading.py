"""Written text read back to terms."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.prompts import KINDS, Prompt, read, vocabulary

BY_KIND = {kind: [term for term in vocabulary().values() if term.kind == kind] for kind in KINDS}


@pytest.mark.parametrize(
    ("text", "asked", "negated"),
    [
        ("The camera slowly pans to the right", ["slow", "pan_right"], []),
        ("camera slowly and gently moves closer", ["slow", "gentle", "push_in"], []),
        ("pushing slowly in on the cup", ["push_in", "slow"], []),
        ("no camera movement, only the curtain stirs", ["lock_off", "cloth_ripples"], []),
        ("push in without zooming or panning", ["push_in"], ["zoom_in", "pan_right"]),
        ("she does not blink, hair moves", ["hair_moves"], ["blinks"]),
        ("not slow; fast", ["fast"], ["slow"]),
        ("no zoom. Later zoom in", ["zoom_in"], []),
        ("an egg in a frying pan, steam rises", ["steam_rises"], []),
        ("a steam train waits", [], []),
        ("a smiling woman in a walking suit", [], []),
        ("the train moves along the train tracks", ["vehicle_drives"], []),
        ("camera left, she turns. Head down", [], []),
    ],
)
def test_text_is_read_as_people_mean_it(text: str, asked: list[str], negated: list[str]) -> None:
    """Adverbs may stand inside a wording; what is negated or a decoy is not asked for."""
    reading = read(text)
    assert sorted(term.name for term in reading.terms) == sorted(asked)
    assert [term.name for term in reading.negated] == negated


def test_what_was_understood_is_shown_in_its_place() -> None:
    """Every recognised wording is marked behind its last word, and the text stays whole."""
    shown = str(read("Pushing slowly in, no zoom"))
    assert shown == (
        "Pushing slowly [pace slow] in [camera push_in], no zoom [not: camera zoom_in]"
    )


@given(st.text(max_size=200))
def test_marks_never_lose_a_letter(text: str) -> None:
    """Whatever is written, every match lies inside the text, in order."""
    reading = read(text)
    starts = [match.start for match in reading.matches]
    assert starts == sorted(starts)
    assert all(0 <= match.start < match.end <= len(text) for match in reading.matches)


@pytest.mark.parametrize("camera", BY_KIND["camera"], ids=lambda term: term.name)
def test_a_built_prompt_is_read_back_to_its_terms(camera: object) -> None:
    """What the vocabulary writes, it reads: with every strength, pace and mood."""
    name = camera.name  # type: ignore[attr-defined]
    for strength, pace, mood in product(BY_KIND["strength"], BY_KIND["pace"], BY_KIND["mood"]):
        built = Prompt.of(name, strength=strength.name, pace=pace.name, mood=mood.name)
        assert set(Prompt.from_text(built.text).terms) == set(built.terms), built.text


@given(
    st.lists(st.sampled_from([term.name for term in BY_KIND["subject"]]), max_size=4, unique=True),
    st.sampled_from(["", *(term.name for term in BY_KIND["camera"])]),
    st.sampled_from(["", *(term.name for term in BY_KIND["strength"])]),
    st.sampled_from([term.name for term in BY_KIND["pace"]]),
)
def test_actions_are_read_back_too(
    subjects: list[str], camera: str, strength: str, pace: str
) -> None:
    """Any combination of actions with or without a camera move keeps its terms."""
    built = Prompt.of(camera, subjects, strength=strength, pace=pace)
    assert set(Prompt.from_text(built.text).terms) == set(built.terms), built.text


def test_a_notebook_shows_what_was_understood() -> None:
    """Terms are underlined with their kind as the tooltip, negated ones struck, all is escaped."""
    shown = Prompt.from_text('slow <b>"orbit"</b>, no zoom & no pan; the fox digs')._repr_html_()
    assert "<b>" not in shown
    assert "&lt;b&gt;&quot;" in shown
    assert 'title="camera orbit_right"' in shown
    assert 'title="not: camera zoom_in"' in shown
    assert shown.count("line-through") == 2
    assert "zoom</span> &amp; no" in shown
    assert 'title="other motion digs"' in shown


def test_what_was_not_understood_is_told() -> None:
    """Clauses without a single known word are listed as they were written."""
    reading = read("slow orbit, Misty Vibe; the fox digs; make it cool")
    assert reading.unread == ("Misty Vibe", "make it cool")
    assert [action.verb for action in reading.actions] == ["digs"]
