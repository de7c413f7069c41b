"""Sweeps: levels are crossed or zipped into trials and repeated into takes."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import SweepError
from lab.stills import Still
from lab.sweeps import Sweep
from lab.sweeps.document import parse
from lab.sweeps.sweep import MAX_TAKES
from tests.sweeps.building import PAN, PUSH, build_sweep, problems_of

NAMES = ["still", "prompt", "camera", "subject", "pace", "text", "name", "seed", "fps", "flaws"]
LEVELS = [*NAMES, PAN, "16:9", "offline", "+", "", 0, 1, 2, 1.5, True, None, float("nan")]


@pytest.fixture(scope="session")
def coffee_path(coffee: Still) -> str:
    """The absolute path of a good still."""
    return str(coffee.path.resolve())


@given(
    durations=st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=3, unique=True),
    ratios=st.lists(st.sampled_from(["16:9", "1:1", "9:16"]), min_size=1, max_size=3, unique=True),
    seeds=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
    prompts=st.lists(st.sampled_from([PAN, PUSH, "tilt up"]), min_size=1, max_size=3, unique=True),
    repeats=st.integers(1, 3),
)
def test_crossing_makes_every_combination_once(
    coffee_path: str,
    durations: list[int],
    ratios: list[str],
    seeds: list[int],
    prompts: list[str],
    repeats: int,
) -> None:
    """Trials are the product of all levels, and takes are trials times repeats."""
    sweep = Sweep.of(
        stills=[coffee_path],
        prompts=prompts,
        settings={"duration_s": durations, "aspect_ratio": ratios, "seed": seeds},
        repeats=repeats,
    )
    trials, takes = sweep.trials(), sweep.takes()
    cells = {tuple(sorted(trial.factors.items())) for trial in trials}
    expected = len(durations) * len(ratios) * len(seeds) * len(prompts)
    assert len(trials) == len(cells) == expected
    assert len(takes) == len({take.id for _, take in takes}) == expected * repeats
    assert [trial.index for trial in trials] == list(range(expected))


@given(count=st.integers(1, 4), loose=st.integers(1, 3))
def test_zipped_factors_advance_together(coffee_path: str, count: int, loose: int) -> None:
    """A zipped group counts once and is crossed with the other factors."""
    sweep = Sweep.of(
        stills=[coffee_path],
        prompts=[PAN, PUSH, "tilt up"][:loose],
        settings={"duration_s": list(range(1, count + 1)), "seed": list(range(count))},
        zip=[["duration_s", "seed"]],
    )
    trials = sweep.trials()
    assert len(trials) == count * loose
    assert {(t.factors["duration_s"], t.factors["seed"]) for t in trials} == {
        (float(n + 1), n) for n in range(count)
    }


@given(
    fields=st.dictionaries(
        st.sampled_from(["settings", "zip", "backend", "repeats", "prompts", "budget_usd"]),
        st.sampled_from(LEVELS)
        | st.lists(st.sampled_from(LEVELS), max_size=3)
        | st.lists(st.lists(st.sampled_from(LEVELS), max_size=3), max_size=2)
        | st.dictionaries(st.sampled_from(NAMES), st.sampled_from(LEVELS), max_size=3),
    )
)
def test_any_design_is_a_sweep_or_a_sweep_error(coffee_path: str, fields: dict[str, Any]) -> None:
    """Any combination of known words gives a sweep that can be listed, or a SweepError."""
    try:
        document = parse({"stills": [coffee_path], "prompts": [PAN], **fields}, "s")
        sweep = Sweep.from_document(document, Path(), "s")
    except SweepError:
        return
    assert len(sweep.takes()) == len(sweep.trials()) * sweep.repeats > 0
    assert len(sweep.id) == 12


def test_variants_of_a_still_are_adjacent(folder: Path) -> None:
    """Stills vary slowest, and whole repeats follow one another."""
    sweep = build_sweep(folder, stills=["a.jpg", "b.jpg"], prompts=[PAN, PUSH], repeats=2)
    shown = [(take.repeat, t.factors["still"], t.factors["prompt"]) for t, take in sweep.takes()]
    once = [("a", PAN), ("a", PUSH), ("b", PAN), ("b", PUSH)]
    assert shown == [(repeat, *cell) for repeat in (1, 2) for cell in once]


def test_factors_hold_what_tables_show(folder: Path) -> None:
    """A trial has its still, prompt, terms, settings and the backend's options."""
    (trial,) = build_sweep(
        folder,
        prompts=[{"camera": "pan_left", "pace": "slow"}],
        settings={"duration_s": 2, "flaws": 0},
    ).trials()
    assert trial.factors == {
        "still": "a",
        "prompt": "slow pan left",
        "camera": "pan_left",
        "subject": "",
        "strength": "",
        "pace": "slow",
        "mood": "",
        "duration_s": 2.0,
        "aspect_ratio": "16:9",
        "resolution": "720p",
        "fps": 24.0,
        "seed": None,
        "sound": False,
        "flaws": 0,
    }
    assert trial.shot.settings.option("flaws", 1.0) == 0


def test_varied_names_factors_with_several_levels(folder: Path) -> None:
    """A factor with one level is not varied."""
    sweep = build_sweep(folder, prompts=[PAN, PUSH], settings={"seed": [1, 2], "duration_s": 1})
    assert sweep.varied == ("prompt", "seed")


def test_python_and_file_give_the_same_takes(folder: Path) -> None:
    """The same design from Python and from YAML has the same id."""
    path = folder / "s.yaml"
    path.write_text("stills: [a.jpg]\nprompts: [pan left]\nsettings: {duration_s: 2, flaws: 0}\n")
    assert Sweep.load(path).id == build_sweep(folder, settings={"duration_s": 2.0, "flaws": 0}).id


def test_renaming_a_still_buys_nothing_again(folder: Path) -> None:
    """Take ids depend on the content of the picture, not on its path."""
    before = build_sweep(folder).id
    (folder / "a.jpg").rename(folder / "c.jpg")
    assert build_sweep(folder, stills=["c.jpg"]).id == before
    assert build_sweep(folder, stills=["b.jpg"]).id != before


def test_adding_a_level_keeps_existing_takes(folder: Path) -> None:
    """A larger sweep contains all takes of the smaller one."""
    small = {take.id for _, take in build_sweep(folder).takes()}
    grown = build_sweep(folder, prompts=[PUSH, PAN], repeats=2)
    ids = {take.id for _, take in grown.takes()}
    assert small < ids
    assert len(ids) == 4


def test_too_many_takes_are_refused_before_they_are_listed(folder: Path) -> None:
    """The error has the size of the design."""
    fields = {"settings": {"seed": list(range(200))}, "repeats": 1000}
    (line,) = problems_of(folder, **fields)
    assert f"makes 200000 takes; at most {MAX_TAKES}" in line


def test_end_stills_can_be_zipped_with_stills(folder: Path) -> None:
    """Zipped, each still has its own end still; crossed, each meets all."""
    pairs = {"stills": ["a.jpg", "b.jpg"], "end_stills": ["b.jpg", "a.jpg"]}
    zipped = build_sweep(folder, **pairs, zip=["still", "end_still"]).trials()
    assert [(trial.shot.still.name, trial.factors["end_still"]) for trial in zipped] == [
        ("a", "b"),
        ("b", "a"),
    ]
    assert len(build_sweep(folder, **pairs).trials()) == 4


def test_takes_without_new_fields_keep_their_ids(folder: Path) -> None:
    """A field that older versions did not have changes only the takes that use it."""
    (_, take), *_ = build_sweep(folder, settings={"duration_s": 2, "seed": 1}).takes()
    assert set(take.shot.content()) == {"still", "prompt", "terms", "settings"}
    assert "sound" not in take.shot.content()["settings"]
    (_, loud), *_ = build_sweep(
        folder, settings={"duration_s": 2, "seed": 1, "sound": True}
    ).takes()
    assert loud.id != take.id
