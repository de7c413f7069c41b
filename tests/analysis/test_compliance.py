"""Compliance of clips with the requested camera moves."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.analysis import Outcome, Results, compliance
from lab.analysis.camera_moves import MIN_SWAY, canonical_move
from lab.analysis.compliance import MIN_COMPLIANCE, by_term, clip_compliance, describe_counts
from lab.prompts import Prompt, Signature, vocabulary

SIGNED = [term for term in vocabulary().values() if term.signature is not None]
MOVING = [term for term in SIGNED if term.name != "lock_off"]
RATE = st.floats(-20, 20, allow_nan=False)


def _scores(name: str, times: float = 1.0, **other: float) -> dict[str, float]:
    """The motion scores of a clip that follows a term's signature. times: the relative speed."""
    signature = vocabulary()[name].signature
    assert signature is not None
    course = {part: times * rate for part, rate in signature.model_dump().items()} | other
    return {f"motion.{part}": rate for part, rate in course.items()}


@pytest.mark.parametrize("term", SIGNED, ids=lambda term: term.name)
def test_a_clip_that_follows_a_signature_complies(term: object) -> None:
    """At half, full and double speed a signature is recognised as its own move."""
    name = term.name  # type: ignore[attr-defined]
    for times in (0.5, 1.0, 2.0):
        if 0 < _scores(name, times)["motion.sway"] < MIN_SWAY:
            continue  # held still enough
        (judged,) = clip_compliance(_scores(name, times), Prompt.of(name))
        assert judged.score > MIN_COMPLIANCE
        assert judged.seen == canonical_move(name)
        assert math.isnan(judged.speed) == (name == "lock_off")
        assert name == "lock_off" or judged.speed == pytest.approx(times)


@pytest.mark.parametrize("asked", MOVING, ids=lambda term: term.name)
def test_the_opposite_move_and_no_move_do_not_comply(asked: object) -> None:
    """A clip with the opposite move or without motion has compliance 0."""
    name = asked.name  # type: ignore[attr-defined]
    held = clip_compliance(_scores("lock_off"), Prompt.of(name))[0]
    assert held.score == 0
    assert held.seen == "lock_off"
    if "handheld" not in name:
        assert clip_compliance(_scores(name, -1), Prompt.of(name))[0].score == 0


def test_a_lock_off_is_broken_by_any_motion() -> None:
    """The compliance of a lock-off falls with the camera motion; noise is ignored."""
    asked = Prompt.of("lock_off")
    scores = [
        clip_compliance(_scores("pan_left", times), asked)[0].score for times in (0, 0.02, 0.2, 1)
    ]
    assert scores[:2] == [1, 1]
    assert scores[2] < 0.3
    assert scores[3] < 0.02


def test_motion_that_was_not_asked_for_lowers_the_score() -> None:
    """A pan with as much tilt scores lower than a pure pan, and the description names both."""
    pure, mixed = (
        clip_compliance(_scores("pan_right", tilt=tilt), Prompt.of("pan_right"))[0]
        for tilt in (0.0, 4.0)
    )
    assert mixed.score < 0.8 * pure.score
    assert "right 4 % of the width/s" in mixed.description
    assert "up 4 % of the height/s" in mixed.description


def test_two_moves_in_one_prompt_are_judged_separately() -> None:
    """If a prompt asks for a push-in and a pan, a clip that only pans complies with one term."""
    prompt = Prompt.of(["push_in", "pan_left"])
    both = {part: rate + _scores("pan_left")[part] for part, rate in _scores("push_in").items()}
    assert all(judged.score > MIN_COMPLIANCE for judged in clip_compliance(both, prompt))
    pushed, panned = clip_compliance(_scores("pan_left"), prompt)
    assert pushed.score == pytest.approx(0, abs=0.01)
    assert panned.score > MIN_COMPLIANCE


def test_without_a_subject_a_pan_passes_for_a_truck() -> None:
    """Without parallax a pan cannot be told from a truck in the same direction, which is said."""
    blind = dict.fromkeys(("motion.parallax_x", "motion.parallax_y", "motion.approach"), math.nan)
    panned = _scores("pan_right") | blind
    (trucked,) = clip_compliance(panned, Prompt.of("truck_right"))
    assert (trucked.outcome, trucked.seen) == (Outcome.DID, "truck_right")
    assert trucked.alike == ("pan_right",)
    assert "looks the same without a followed subject: pan_right" in str(trucked)
    assert clip_compliance(panned, Prompt.of("truck_left"))[0].score == 0
    assert clip_compliance(_scores("pan_right"), Prompt.of("pan_right"))[0].alike == ()


@pytest.mark.parametrize("name", ["orbit_left", "orbit_right", "dolly_zoom_in", "dolly_zoom_out"])
def test_without_a_subject_an_orbit_is_not_judged(name: str) -> None:
    """A move that keeps the subject in place looks like another where none was followed. The rest
    of the prompt is still judged.
    """
    blind = dict.fromkeys(("motion.parallax_x", "motion.parallax_y", "motion.approach"), math.nan)
    moves = _scores(name, roll=2.5) | blind
    orbit, roll = clip_compliance(moves, Prompt.of([name, "roll_clockwise"]))
    assert (orbit.outcome, orbit.seen) == (Outcome.CANNOT_TELL, "")
    assert "looks like another move" in str(orbit)
    assert roll.outcome is Outcome.DID


@pytest.mark.parametrize("action", [(), "walks_right"])
def test_a_subject_that_moves_alone_is_not_taken_for_camera_motion(
    action: str | tuple[str, ...],
) -> None:
    """A subject that walks right in front of a fixed camera is not a camera that trucks left,
    whether the prompt asks for the walk or not.
    """
    walking = _scores("lock_off", parallax_x=6.0)
    assert clip_compliance(walking, Prompt.of("lock_off", action))[0].score == 1
    assert clip_compliance(walking, Prompt.of("truck_left", action))[0].score == 0


def test_a_requested_walk_says_nothing_about_the_camera() -> None:
    """A camera that pans with a subject told to walk is not one that orbits it."""
    followed = _scores("pan_right", parallax_x=8.0)
    assert clip_compliance(followed, Prompt.of("pan_right", "walks_right"))[0].score > 0.9
    assert clip_compliance(followed, Prompt.of("orbit_left"))[0].outcome is Outcome.DID


def test_part_of_a_move_does_not_comply() -> None:
    """A crane alone does not fly away, and a pan does not orbit a subject that goes along."""
    for part, whole in (("crane_up", "fly_away"), ("pan_left", "orbit_right")):
        assert clip_compliance(_scores(part), Prompt.of(whole))[0].outcome is Outcome.DID_NOT
        assert clip_compliance(_scores(whole), Prompt.of(whole))[0].outcome is Outcome.DID


def test_a_second_move_is_named() -> None:
    """A clip that tilts while it zooms shows both; the description and the table say so."""
    (zoomed,) = clip_compliance(_scores("zoom_in", tilt=2.0), Prompt.of("pan_left"))
    assert {zoomed.seen, zoomed.combined_with} == {"zoom_in", "tilt_up"}
    assert f"seen: {zoomed.seen} combined with {zoomed.combined_with};" in str(zoomed)
    assert (
        clip_compliance(_scores("zoom_in", tilt=0.4), Prompt.of("zoom_in"))[0].combined_with == ""
    )


@pytest.mark.parametrize(
    ("motion", "asked", "reason"),
    [
        ({}, "push_in", "not measured"),
        (_scores("push_in"), "rack_focus", "depends on the scene"),
        (_scores("push_in") | {"events.cuts": 2.0}, "push_in", "has cuts"),
    ],
)
def test_what_cannot_be_judged_says_why(motion: dict[str, float], asked: str, reason: str) -> None:
    """Unknown camera motion, a term without a signature and a clip with cuts give NaN with a
    reason.
    """
    (judged,) = clip_compliance(motion, Prompt.of(asked))
    assert math.isnan(judged.score)
    assert judged.outcome is Outcome.CANNOT_TELL
    assert reason in judged.reason
    assert judged.seen == ""


@given(st.fixed_dictionaries({part: RATE for part in Signature.model_fields}))
def test_any_camera_motion_is_judged(course: dict[str, float]) -> None:
    """Every score is in 0..1 and every recognised move is in the vocabulary."""
    motion = {f"motion.{part}": rate for part, rate in course.items()}
    for term in SIGNED:
        (judged,) = clip_compliance(motion, Prompt.of(term.name))
        assert 0 <= judged.score <= 1
        assert judged.seen in vocabulary()
        assert judged.combined_with in ("", *vocabulary())


def test_a_runs_takes_are_judged_by_their_prompts(results: Results) -> None:
    """There is one row a take and camera term; a prompt without camera terms has none."""
    table = compliance(results)
    assert set(table["term"]) == {"lock_off", "pan_left"}
    assert set(table["outcome"]) <= set(Outcome)
    assert set(table["backend"]) == {"offline"}
    joined = table.merge(results.takes[["take_id", "prompt"]], on="take_id")
    assert "make it move" not in set(joined["prompt"])
    (panned,) = table[table["term"] == "pan_left"].to_dict("records")
    assert panned["seen"] == "pan_left"
    assert panned["compliance"] > MIN_COMPLIANCE
    assert panned["speed"] > 0


def _outcomes(**columns: list[object]) -> pd.DataFrame:
    """A table of `compliance` for a pan to the left."""
    takes = len(columns["outcome"])
    return pd.DataFrame({"take_id": range(takes), "term": ["pan_left"] * takes, **columns})


def test_outcomes_are_counted_by_term() -> None:
    """Each term has counts, the interval of the share, and the move that was seen instead."""
    table = _outcomes(
        outcome=["did", "did not", "did not", "cannot tell"],
        speed=[1.0, 2.0, 3.0, math.nan],
        seen=["pan_left", "tilt_up", "tilt_up", ""],
        backend=["one", "one", "two", "two"],
    )
    (row,) = by_term(table).to_dict("records")
    # The interval of 1 of 3 by the formula of Wilson (1927), computed elsewhere.
    assert row.pop("low") == pytest.approx(0.0615, abs=1e-4)
    assert row.pop("high") == pytest.approx(0.7923, abs=1e-4)
    assert row == {
        "term": "pan_left",
        "takes": 4,
        "did": 1,
        "cannot_tell": 1,
        "speed": 2.0,
        "seen_instead": "tilt_up",
    }
    assert list(by_term(table, "backend")["takes"]) == [2, 2]


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [
        (["did", "did not"], "1 of 2 did; too few takes to say how often"),
        (["did"] * 12 + ["did not"], "12 of 13 did"),
        (["did"] * 12 + ["cannot tell"], "12 of 12 did, 1 cannot tell"),
        (["cannot tell"] * 3, "3 cannot tell"),
    ],
)
def test_counts_are_described(outcomes: list[object], text: str) -> None:
    """What cannot be told is not counted as a failure, and too few takes are called so."""
    seen: list[object] = ["tilt_up"] * len(outcomes)
    (row,) = by_term(_outcomes(outcome=outcomes, speed=[1.0] * len(outcomes), seen=seen)).to_dict(
        "records"
    )
    assert describe_counts(row) == text
