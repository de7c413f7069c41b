"""Sweeps: levels are crossed or zipped into trials and repeated into takes."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import SweepError
from lab.media import write_image
from lab.prompts import Prompt, Segment, vary
from lab.stills import Still
from lab.sweeps import Sweep
from lab.sweeps.document import parse
from lab.sweeps.sweep import MAX_TAKES

PAN, PUSH = "pan left", "slow push in"
NAMES = ["still", "prompt", "camera", "subject", "pace", "text", "name", "seed", "fps", "flaws"]
LEVELS = [*NAMES, PAN, "16:9", "offline", "+", "", 0, 1, 2, 1.5, True, None, float("nan")]


@pytest.fixture
def folder(tmp_path: Path, stills_dir: Path) -> Path:
    """Two photographs, a.jpg and b.jpg."""
    shutil.copy(stills_dir / "coffee.jpg", tmp_path / "a.jpg")
    shutil.copy(stills_dir / "cat.jpg", tmp_path / "b.jpg")
    return tmp_path


def _of(folder: Path, **fields: Any) -> Sweep:
    return Sweep.of(**{"stills": ["a.jpg"], "prompts": [PAN], "folder": folder, **fields})


def _problems(folder: Path, **fields: Any) -> tuple[str, ...]:
    with pytest.raises(SweepError) as caught:
        _of(folder, **fields)
    return caught.value.problems


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
    sweep = _of(folder, stills=["a.jpg", "b.jpg"], prompts=[PAN, PUSH], repeats=2)
    shown = [(take.repeat, t.factors["still"], t.factors["prompt"]) for t, take in sweep.takes()]
    once = [("a", PAN), ("a", PUSH), ("b", PAN), ("b", PUSH)]
    assert shown == [(repeat, *cell) for repeat in (1, 2) for cell in once]


def test_factors_hold_what_tables_show(folder: Path) -> None:
    """A trial has its still, prompt, terms, settings and the backend's options."""
    (trial,) = _of(
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


def test_lists_of_terms_are_crossed(folder: Path) -> None:
    """Terms of different kinds are crossed; a + joins two terms of one kind."""
    sweep = _of(
        folder,
        prompts=[{"camera": ["pan_left", "push_in+tilt_up"], "pace": ["slow", "fast"]}],
    )
    built = {(trial.factors["camera"], trial.factors["pace"]) for trial in sweep.trials()}
    assert built == {
        (camera, pace) for camera in ("pan_left", "push_in+tilt_up") for pace in ("slow", "fast")
    }


def test_varied_names_factors_with_several_levels(folder: Path) -> None:
    """A factor with one level is not varied."""
    sweep = _of(folder, prompts=[PAN, PUSH], settings={"seed": [1, 2], "duration_s": 1})
    assert sweep.varied == ("prompt", "seed")


def test_a_pattern_names_every_still_it_matches(folder: Path) -> None:
    """A pattern gives its files in order of name."""
    sweep = _of(folder, stills=["*.jpg"])
    assert [trial.factors["still"] for trial in sweep.trials()] == ["a", "b"]


@pytest.mark.parametrize(
    "name", ["shoot[1]", "a*b", "what?", "[!x]", "{a,b}", "~me", "-v", "a b\nc"]
)
def test_the_name_of_the_folder_is_not_a_pattern(
    tmp_path: Path, stills_dir: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with wildcards in its name gives its own pictures, never those of another folder."""
    for parent, photograph in (
        (name, "coffee"),
        ("shoot1", "cat"),
        ("aab", "cat"),
        ("whaty", "cat"),
    ):
        (tmp_path / parent).mkdir()
        shutil.copy(stills_dir / f"{photograph}.jpg", tmp_path / parent / f"{photograph}.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / name))
    mine = tmp_path / name
    cases: tuple[tuple[str, Path], ...] = (
        ("*.jpg", mine),  # the sweep lies in it
        ("*.jpg", Path(name)),  # and the path is relative
        (f"{name}/*.jpg", tmp_path),  # the pattern names the folder
        (f"{mine}/*.jpg", tmp_path),
        ("~/*.jpg", tmp_path),  # the home folder is it
    )
    for pattern, folder in cases:
        stills = _of(folder, stills=[pattern]).levels["still"]
        assert [still.name for still in stills] == ["coffee"], (pattern, folder)


def test_a_file_with_wildcards_in_its_name(folder: Path) -> None:
    """[1].jpg and ~x.jpg are files if they exist; other wildcards are patterns."""
    for name in ("b[1].jpg", "~x.jpg"):
        (folder / "a.jpg").rename(folder / name)
        stills = _of(folder, stills=[name]).levels["still"]
        assert [still.path.name for still in stills] == [name]
        (folder / name).rename(folder / "a.jpg")
    assert [still.name for still in _of(folder, stills=["[ab].jpg"]).levels["still"]] == ["a", "b"]


def test_paths_are_relative_to_the_sweep_file(folder: Path) -> None:
    """A sweep without a name gets the name of its file."""
    path = folder / "night.yaml"
    path.write_text("stills: a.jpg\nprompts: pan left\nbudget_usd: 4\n")
    sweep = Sweep.load(path)
    assert (sweep.name, sweep.budget_usd) == ("night", 4)
    assert Sweep.load(path, budget_usd=0).budget_usd == 0


def test_python_and_file_give_the_same_takes(folder: Path) -> None:
    """The same design from Python and from YAML has the same id."""
    path = folder / "s.yaml"
    path.write_text("stills: [a.jpg]\nprompts: [pan left]\nsettings: {duration_s: 2, flaws: 0}\n")
    assert Sweep.load(path).id == _of(folder, settings={"duration_s": 2.0, "flaws": 0}).id


def test_renaming_a_still_buys_nothing_again(folder: Path) -> None:
    """Take ids depend on the content of the picture, not on its path."""
    before = _of(folder).id
    (folder / "a.jpg").rename(folder / "c.jpg")
    assert _of(folder, stills=["c.jpg"]).id == before
    assert _of(folder, stills=["b.jpg"]).id != before


def test_adding_a_level_keeps_existing_takes(folder: Path) -> None:
    """A larger sweep contains all takes of the smaller one."""
    small = {take.id for _, take in _of(folder).takes()}
    grown = _of(folder, prompts=[PUSH, PAN], repeats=2)
    ids = {take.id for _, take in grown.takes()}
    assert small < ids
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stills": ["gone.jpg"]}, "stills[0]: "),
        ({"stills": ["~nobody-of-that-name/a.jpg"]}, "stills[0]: '~nobody"),
        ({"stills": ["a\0.jpg"]}, "is not a path"),
        ({"stills": ["*.png"]}, "stills[0]: '*.png' matches no file"),
        ({"prompts": [{"camera": "pan_lift"}]}, "did you mean 'pan_left'?"),
        ({"prompts": [PAN, "  pan   left "]}, "prompts[1]: has the same text as prompts[0]"),
        (
            {"prompts": [{"text": PAN, "name": "x"}, {"text": PUSH, "name": "x"}]},
            "prompts[1]: has the same name as prompts[0]: 'x'; rename one",
        ),
        ({"prompts": ["   "]}, "prompts[0]: the prompt is empty"),
        ({"backend": "offlin"}, "did you mean 'offline'?"),
        ({"settings": {"flaw": 1}}, "settings.flaw: no such setting; did you mean 'flaws'?"),
        (
            {"backend": "kling", "settings": {"negative_prompt": "blur"}},
            "settings.negative_prompt: kling: the new protocol has no such field",
        ),
        ({"settings": {"durations": 1}}, "did you mean 'duration_s'?"),
        ({"settings": {"seed": [1, 1]}}, "settings.seed: [1, 1] lists a level twice"),
        ({"settings": {"duration_s": [2, 2.0]}}, "lists a level twice"),
        ({"zip": [["prompt", "sead"]]}, "did you mean 'seed'?"),
        ({"zip": [["prompt", "prompt"]]}, "zip[0]: 'prompt' is zipped twice"),
        (
            {"zip": [["prompt", "seed"]], "settings": {"seed": [1, 2]}},
            "equally many levels, but prompt has 1, seed has 2",
        ),
    ],
)
def test_a_wrong_design_is_refused(folder: Path, fields: dict[str, Any], message: str) -> None:
    """A mistake is one line that names its field and what is accepted."""
    (line,) = _problems(folder, **fields)
    assert line.startswith("sweep: ")
    assert message in line


def test_all_mistakes_of_the_design_are_reported_together(folder: Path) -> None:
    """A missing still, an unknown term and an unknown setting give three lines."""
    fields = {"prompts": [{"camera": "no_such"}], "settings": {"flaw": 1}}
    assert len(_problems(folder, stills=["gone.jpg"], **fields)) == 3


def test_the_same_picture_twice_is_refused(folder: Path) -> None:
    """A copy of a still under another name is not a second level."""
    shutil.copy(folder / "a.jpg", folder / "copy.jpg")
    (line,) = _problems(folder, stills=["a.jpg", "copy.jpg"])
    assert "is the same picture as" in line


def test_two_stills_of_one_name_are_refused(folder: Path, photo: Any) -> None:
    """Tables identify stills by name, so two pictures need two names."""
    write_image(folder / "a.png", photo[:, ::-1])
    (line,) = _problems(folder, stills=["a.jpg", "a.png"])
    assert "has the same name as" in line


def test_names_that_look_alike_are_the_same_name(folder: Path) -> None:
    """A composed and a decomposed accent look the same in tables, so they are refused."""
    (folder / "a.jpg").rename(folder / "caf\u00e9.jpg")
    (folder / "b.jpg").rename(folder / "cafe\u0301.jpg")
    (line,) = _problems(folder, stills=["*.jpg"])
    assert "has the same name as" in line


def test_too_many_takes_are_refused_before_they_are_listed(folder: Path) -> None:
    """The error has the size of the design."""
    fields = {"settings": {"seed": list(range(200))}, "repeats": 1000}
    (line,) = _problems(folder, **fields)
    assert f"makes 200000 takes; at most {MAX_TAKES}" in line


def test_the_design_as_plain_data_has_no_paths(folder: Path) -> None:
    """The ledger identifies stills by hash."""
    shown = _of(folder, prompts=[PAN, PUSH], settings={"seed": [1, 2]}).to_json()
    assert str(folder) not in str(shown)
    assert [level["name"] for level in shown["levels"]["still"]] == ["a"]
    assert shown["levels"]["seed"] == [1, 2]


def test_none_is_a_level_without_a_still(folder: Path) -> None:
    """Beside stills, none is a level for text-to-video, shown in the column of the factor."""
    sweep = _of(folder, stills=["a.jpg", "none"])
    assert [trial.factors["still"] for trial in sweep.trials()] == ["a", "none"]
    assert sweep.trials()[1].shot.still is None
    assert len({take.id for _, take in sweep.takes()}) == 2


def test_end_stills_can_be_zipped_with_stills(folder: Path) -> None:
    """Zipped, each still has its own end still; crossed, each meets all."""
    pairs = {"stills": ["a.jpg", "b.jpg"], "end_stills": ["b.jpg", "a.jpg"]}
    zipped = _of(folder, **pairs, zip=["still", "end_still"]).trials()
    assert [(trial.shot.still.name, trial.factors["end_still"]) for trial in zipped] == [
        ("a", "b"),
        ("b", "a"),
    ]
    assert len(_of(folder, **pairs).trials()) == 4


def test_elements_go_with_the_prompts_that_cite_them(folder: Path) -> None:
    """A take has the elements that its prompt cites, and they are part of its id."""
    sweep = _of(
        folder,
        prompts=["push in on @hero", "pan left"],
        elements={"hero": "861500000000000001"},
    )
    cited, plain = sweep.trials()
    assert cited.shot.elements == (("hero", "861500000000000001"),)
    assert plain.shot.elements == ()
    other = _of(folder, prompts=["push in on @hero"], elements={"hero": "2"})
    assert other.takes()[0][1].id != sweep.takes()[0][1].id


def test_misspelt_elements_are_refused(folder: Path) -> None:
    """An element without a citation and a citation without an element are mistakes."""
    problems = _problems(folder, prompts=["push in on @heroo"], elements={"hero": "1"})
    assert any("elements.hero: no prompt cites @hero" in line for line in problems)
    assert any("@heroo is not an element; did you mean 'hero'" in line for line in problems)


def test_cuts_and_sound_come_from_the_file(folder: Path) -> None:
    """Segments become a prompt with cuts; sound accepts on and off."""
    segments = [{"text": PUSH, "duration_s": 2}, {"text": PAN, "duration_s": 3}]
    sweep = _of(
        folder,
        prompts=[{"name": "cut", "multi_shot": segments}],
        settings={"sound": ["on", "off"], "duration_s": 5},
    )
    assert [trial.shot.settings.sound for trial in sweep.trials()] == [True, False]
    assert [part.duration_s for part in sweep.trials()[0].shot.prompt.multi_shot] == [2, 3]
    (problem,) = _problems(folder, prompts=[{"text": PAN, "multi_shot": segments}])
    assert "more than one of text, terms and multi_shot" in problem


def test_takes_without_new_fields_keep_their_ids(folder: Path) -> None:
    """A field that older versions did not have changes only the takes that use it."""
    (_, take), *_ = _of(folder, settings={"duration_s": 2, "seed": 1}).takes()
    assert set(take.shot.content()) == {"still", "prompt", "terms", "settings"}
    assert "sound" not in take.shot.content()["settings"]
    (_, loud), *_ = _of(folder, settings={"duration_s": 2, "seed": 1, "sound": True}).takes()
    assert loud.id != take.id


def test_prompt_objects_are_accepted(folder: Path) -> None:
    """Variants, written prompts and prompts with cuts keep their names."""
    prompts = [
        *vary(Prompt.of("push_in", "steam_rises", pace="slow"), "camera", ["lock_off"]),
        Prompt.cut([Segment("push in", 2), Segment("pan left", 3)], "two shots"),
    ]
    sweep = _of(folder, prompts=prompts)
    levels = [level for level in sweep.levels["prompt"] if isinstance(level, Prompt)]
    assert [level.label for level in levels] == [prompt.label for prompt in prompts]
    assert [level.text for level in levels] == [prompt.text for prompt in prompts]
    assert levels[-1].multi_shot == prompts[-1].multi_shot


def test_a_file_name_with_brackets_is_not_a_pattern(tmp_path: Path, coffee: Still) -> None:
    """An existing file of that name is used; another pattern matches as usual."""
    shutil.copy(coffee.path, tmp_path / "photo [1].jpg")
    sweep = Sweep.of(stills=[tmp_path / "photo [1].jpg"], prompts="push in")
    assert [trial.factors["still"] for trial in sweep.trials()] == ["photo [1]"]
    assert len(Sweep.of(stills=str(tmp_path / "photo*"), prompts="push in").trials()) == 1


def test_elements_may_be_pictures(folder: Path) -> None:
    """Paths are relative, the front view first; an element has a placeholder id at first."""
    sweep = _of(folder, prompts=["push in on @hero"], elements={"hero": ["b.jpg", "a.jpg"]})
    (hero,) = sweep.pictured_elements
    assert (hero.name, hero.files) == ("hero", ("b.jpg", "a.jpg"))
    assert sweep.unregistered_elements == (hero,)
    ((_, placeholder),) = sweep.trials()[0].shot.elements
    assert "unregistered" in placeholder
    known = sweep.with_element_ids({hero.content: "861500000000000001"})
    assert known.trials()[0].shot.elements == (("hero", "861500000000000001"),)
    assert known.unregistered_elements == ()
    named = _of(folder, prompts=["push in on @hero"], elements={"hero": "861500000000000001"})
    assert known.id == named.id != sweep.id
    other = _of(folder, prompts=["push in on @hero"], elements={"hero": ["a.jpg", "b.jpg"]})
    assert other.pictured_elements[0].content != hero.content


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["c.jpg"], "c.jpg: no such file"),
        (["a.jpg", "a.jpg"], "is the same picture"),
        (["*.jpg"], "*.jpg: no such file"),
        ([], "should be an id, or a list of picture files"),
        ([1], "should be an id, or a list of picture files"),
        ("", "should be an id, or a list of picture files"),
        ({"front": "a.jpg"}, "should be an id, or a list of picture files"),
    ],
)
def test_wrong_pictures_of_an_element_are_refused(folder: Path, given: Any, message: str) -> None:
    """The error names the element and the file."""
    problems = _problems(folder, prompts=["push in on @hero"], elements={"hero": given})
    assert any("elements.hero: " in line and message in line for line in problems), problems


def test_two_elements_with_the_same_pictures_are_refused(folder: Path) -> None:
    """The service would hold them as one element."""
    given = {"hero": ["a.jpg"], "copy": ["a.jpg"]}
    problems = _problems(folder, prompts=["@hero meets @copy"], elements=given)
    assert any("elements.copy: has the same pictures as 'hero'" in line for line in problems)
