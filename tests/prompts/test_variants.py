"""Alternatives of a prompt that differ in one thing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import PromptError
from lab.prompts import KINDS, VARIED, Prompt, Segment, vary, vocabulary
from tests.prompts.labelled import labelled
from tests.tiers import examples

NAMES = {kind: [term.name for term in vocabulary().values() if term.kind == kind] for kind in KINDS}
DEVELOP = [row.text for row in labelled("develop") if len(row.text) < 2500]


def _texts(text: str, what: str, *levels: str) -> dict[str, str]:
    made = vary(Prompt.from_text(text), what, levels or None)
    return {each.name.removeprefix(f"{what}: "): each.text for each in made}


@pytest.mark.parametrize(
    ("text", "what", "made"),
    [
        (
            "Slow push in; steam rises",
            "camera",
            {
                "lock_off": "Slow static lock-off; steam rises",
                "push_in": "Slow push in; steam rises",
                "pull_out": "Slow pull-out; steam rises",
            },
        ),
        (
            "The camera slowly pans left",
            "camera",
            {
                "lock_off": "The camera slowly stays still",
                "pan_left": "The camera slowly pans left",
                "pan_right": "The camera slowly pans right",
            },
        ),
        (
            "Calm, unhurried dolly in; the cat moves slowly",
            "pace",
            {
                "slow": "Calm, unhurried dolly in; the cat moves slowly",
                "steady": "Steady dolly in; the cat moves steadily",
                "fast": "Fast dolly in; the cat moves quickly",
            },
        ),
        (
            "Dolly in; she smiles",
            "strength",
            {
                "none": "Dolly in; she smiles",
                "subtle": "Subtle dolly in; she smiles",
                "moderate": "Moderate dolly in; she smiles",
                "strong": "Strong dolly in; she smiles",
            },
        ),
        (
            "she smiles",
            "pace",
            {
                "none": "she smiles",
                "slow": "she smiles; slow pace",
                "steady": "she smiles; steady pace",
                "fast": "she smiles; fast pace",
            },
        ),
        (
            "slow push-in",
            "negatives",
            {
                "none": "slow push-in",
                "no warping, no flicker": "slow push-in; no warping, no flicker",
                "no camera shake": "slow push-in; no camera shake",
            },
        ),
    ],
)
def test_one_thing_is_exchanged_in_place(text: str, what: str, made: dict[str, str]) -> None:
    """The words of that kind change, in their form; the others stay; the prompt is among them."""
    assert _texts(text, what) == made


def test_levels_may_be_given() -> None:
    """A level may be said by a synonym; the prompt's own joins where it is not among them."""
    assert list(_texts("slow push-in", "camera", "orbit", "dolly in")) == ["orbit_right", "push_in"]
    assert list(_texts("slow push-in", "pace", "brisk")) == ["slow", "brisk"]
    assert list(_texts("slow push-in", "negatives", "no text")) == ["none", "no text"]


def test_other_wordings_are_other_texts() -> None:
    """The same terms are said in three different ways."""
    texts = list(_texts("Slow push in; steam rises", "wording").values())
    assert len(set(texts)) == 3
    assert {Prompt.from_text(text).terms for text in texts} == {("slow", "push_in", "steam_rises")}


BUILT = st.builds(
    lambda camera, subject, strength, pace, mood: Prompt.of(
        camera, subject, strength=strength, pace=pace, mood=mood
    ),
    st.lists(st.sampled_from(NAMES["camera"]), min_size=1, max_size=2, unique=True),
    st.lists(st.sampled_from(NAMES["subject"]), max_size=2, unique=True),
    *(st.sampled_from(["", *NAMES[kind]]) for kind in ("strength", "pace", "mood")),
)


@settings(max_examples=examples(200))
@given(
    BUILT | st.sampled_from(DEVELOP).map(Prompt.from_text),
    st.sampled_from(VARIED),
    st.sampled_from([*NAMES["camera"]]),
)
def test_only_that_factor_differs(prompt: Prompt, what: str, move: str) -> None:
    """Each variant reads back to the prompt's terms, but for the factor that is varied."""
    variants = vary(prompt, what, [move] if what == "camera" else None)
    assert prompt.text in [variant.text for variant in variants]
    assert len({variant.text for variant in variants}) == len(variants)
    own = Prompt.from_text(prompt.text).factors()
    for variant in variants:
        level = variant.name.removeprefix(f"{what}: ")
        intended = {**own, what: level.replace("none", "")} if what in own else own
        read = Prompt.from_text(variant.text)
        assert read.factors() == variant.factors()
        assert {kind: sorted(said.split("+")) for kind, said in read.factors().items()} == {
            kind: sorted(said.split("+")) for kind, said in intended.items()
        }, variant.text


@given(st.text(max_size=200).filter(lambda text: text.split()), st.sampled_from(VARIED))
def test_any_text_can_be_varied(text: str, what: str) -> None:
    """Whatever is written, it stands among its variants."""
    prompt = Prompt.from_text(text)
    assert prompt.text in [variant.text for variant in vary(prompt, what)]


@pytest.mark.parametrize(
    ("what", "levels", "says"),
    [
        ("camra", None, "varied by 'camra'; did you mean 'camera'"),
        ("camera", ["orbit_lft"], "did you mean 'orbit_left'"),
        ("strength", ["slow"], "strength term 'slow'"),
        ("wording", ["secnd"], "did you mean 'second'"),
        ("negatives", ["flicker"], "negatives has no level 'flicker'"),
    ],
)
def test_an_unknown_thing_or_level_is_refused(
    what: str, levels: list[str] | None, says: str
) -> None:
    """What cannot be varied, or varied so, is refused with the nearest that can."""
    with pytest.raises(PromptError, match=says):
        vary(Prompt.from_text("slow push-in"), what, levels)


def test_a_prompt_with_cuts_is_refused() -> None:
    """Its parts can be varied, one by one."""
    cut = Prompt.cut([Segment("slow push in", 2), Segment("steam rises", 3)])
    with pytest.raises(PromptError, match="vary its segments"):
        vary(cut, "camera")


def test_a_variant_that_is_too_long_is_refused() -> None:
    """A text at the limit cannot take another clause."""
    with pytest.raises(PromptError, match="negatives: no camera shake makes"):
        vary(Prompt.from_text("slow push-in " + "a" * 2980), "negatives", ["no camera shake"])


@pytest.mark.parametrize(
    ("text", "level", "varied"),
    [
        (
            "The cat blinks slowly while the camera orbits",
            "push_in",
            "The cat blinks slowly while the camera moves closer",
        ),
        (
            "A dog runs as we dolly back and the sun sets",
            "lock_off",
            "static lock-off; a dog runs and the sun sets",
        ),
        (
            "The camera slowly orbits around the cup",
            "orbit_left",
            "The camera slowly circles left around the cup",
        ),
    ],
)
def test_a_move_within_a_sentence_leaves_a_sentence(text: str, level: str, varied: str) -> None:
    """Nothing dangles where a move was exchanged, and what it goes around stays."""
    made = {prompt.name: prompt.text for prompt in vary(text, "camera", [level])}
    assert made[f"camera: {level}"] == varied
