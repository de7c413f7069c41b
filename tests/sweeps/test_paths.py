"""File names and patterns in a sweep file."""

import shutil
from pathlib import Path

import pytest

from lab.stills import Still
from lab.sweeps import Sweep
from tests.sweeps.building import build_sweep


def test_a_pattern_names_every_still_it_matches(folder: Path) -> None:
    """A pattern gives its files in order of name."""
    sweep = build_sweep(folder, stills=["*.jpg"])
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
        stills = build_sweep(folder, stills=[pattern]).levels["still"]
        assert [still.name for still in stills] == ["coffee"], (pattern, folder)


def test_a_file_with_wildcards_in_its_name(folder: Path) -> None:
    """[1].jpg and ~x.jpg are files if they exist; other wildcards are patterns."""
    for name in ("b[1].jpg", "~x.jpg"):
        (folder / "a.jpg").rename(folder / name)
        stills = build_sweep(folder, stills=[name]).levels["still"]
        assert [still.path.name for still in stills] == [name]
        (folder / name).rename(folder / "a.jpg")
    assert [still.name for still in build_sweep(folder, stills=["[ab].jpg"]).levels["still"]] == [
        "a",
        "b",
    ]


def test_paths_are_relative_to_the_sweep_file(folder: Path) -> None:
    """A sweep without a name gets the name of its file."""
    path = folder / "night.yaml"
    path.write_text("stills: a.jpg\nprompts: pan left\nbudget_usd: 4\n")
    sweep = Sweep.load(path)
    assert (sweep.name, sweep.budget_usd) == ("night", 4)
    assert Sweep.load(path, budget_usd=0).budget_usd == 0


def test_a_file_name_with_brackets_is_not_a_pattern(tmp_path: Path, coffee: Still) -> None:
    """An existing file of that name is used; another pattern matches as usual."""
    shutil.copy(coffee.path, tmp_path / "photo [1].jpg")
    sweep = Sweep.of(stills=[tmp_path / "photo [1].jpg"], prompts="push in")
    assert [trial.factors["still"] for trial in sweep.trials()] == ["photo [1]"]
    assert len(Sweep.of(stills=str(tmp_path / "photo*"), prompts="push in").trials()) == 1
