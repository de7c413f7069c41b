"""The sweep of a run is rebuilt from its folder alone."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.backends import BACKENDS
from lab.backends.contract import Option
from lab.errors import Interrupted, LabError, RunFolderError, SweepError
from lab.prompts import vary
from lab.runs import Control, run
from lab.runs.ledger.schema import row_checksum
from lab.stills import Still
from lab.sweeps import Sweep
from tests.runs.conftest import STILLS, Remote, ScriptedBackend

pytestmark = pytest.mark.usefixtures("offline")

LEDGERS = Path(__file__).resolve().parents[1] / "data" / "ledgers"
CUTS = [{"text": "push in on @hero", "duration_s": 2}, {"text": "lock off", "duration_s": 3}]


class Capable(ScriptedBackend):
    """The scripted service with every capability, and options in an unsorted order."""

    capabilities = replace(
        ScriptedBackend.capabilities,
        aspect_ratios=("16:9", "9:16"),
        resolutions=("720p", "1080p"),
        end_frame=True,
        elements=True,
        multi_shot=True,
        sound=True,
        text_to_video=True,
        options=(Option("negative", "", "what not to show"), Option("grain", 0.5, "how much")),
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of photographs; one name looks like a glob pattern."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, target in (("coffee", "cup"), ("cat", "cat [1]")):
        shutil.copy(STILLS / f"{name}.jpg", folder / f"{target}.jpg")
    return folder


@pytest.fixture
def everything(photos: Path, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """A sweep that uses every feature."""
    monkeypatch.setitem(BACKENDS, "scripted", Capable)
    return Sweep.of(
        folder=photos,
        name="everything",
        question="Which?",
        stills=["cup.jpg", "cat*.jpg", "none"],
        end_stills=["cat [1].jpg", "none", "cup.jpg"],
        prompts=[
            {"camera": ["push_in", "orbit_right"], "subject": "steam_rises", "pace": "slow"},
            {"text": "push in on @hero", "name": "cited"},
            {"multi_shot": CUTS, "name": "two shots"},
            *vary("fast pan left; steam rises", "negatives"),
        ],
        settings={
            "duration_s": 5,
            "aspect_ratio": ["16:9", "9:16"],
            "resolution": ["720p", "1080p"],
            "seed": [7, 1234567890123],
            "sound": [True, False],
            "negative": ["blur, text", "", "on"],
            "grain": [0.1, 1],
        },
        elements={"hero": "861500000000000001"},
        zip=[["still", "end_still"], ["aspect_ratio", "resolution"]],
        repeats=2,
        backend="scripted",
        budget_usd=100000.5,
        cap_usd=90000.25,
    )


@pytest.fixture
def begun(tmp_path: Path) -> Callable[[Sweep], Path]:
    """Start a run and stop it before anything is sent; returns its folder."""

    def begin(sweep: Sweep) -> Path:
        control = Control()
        control.stop()
        with pytest.raises(Interrupted, match="lab resume"):
            run(sweep, tmp_path / "run", quiet=True, control=control)
        return tmp_path / "run"

    return begin


def _told(sweep: Sweep) -> tuple[object, ...]:
    takes = [(take.id, trial.index, dict(trial.factors)) for trial, take in sweep.takes()]
    return takes, sweep.to_json()


def _rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Replace the design in a ledger by one that an older version wrote."""
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as ledger, ledger:
        (text,) = ledger.execute("SELECT value FROM facts WHERE name = 'sweep'").fetchone()
        data = json.loads(text)
        change(data)
        row = ("sweep", json.dumps(data))
        ledger.execute(
            "UPDATE facts SET value = ?, seal = ? WHERE name = 'sweep'",
            (row[1], row_checksum("facts", row)),
        )


def test_a_run_gives_its_whole_sweep_back(
    photos: Path, everything: Sweep, begun: Callable[[Sweep], Path]
) -> None:
    """The rebuilt sweep has the same takes, trials and money, even with the originals deleted."""
    before = _told(everything)
    folder = begun(everything)
    shutil.rmtree(photos)
    again = Sweep.from_run(folder)
    assert _told(again) == before
    assert begun(again) == folder  # it is the same sweep: nothing is refused, nothing added
    assert _told(Sweep.from_run(str(folder))) == before
    assert len(list((folder / "stills").iterdir())) == 2


def test_missing_and_changed_stills_are_named(
    everything: Sweep, begun: Callable[[Sweep], Path]
) -> None:
    """Missing and changed stills are named, a line each; restored ones are found again."""
    folder = begun(everything)
    cat, cup = sorted((folder / "stills").iterdir())
    content = cat.read_bytes()
    cat.write_bytes(content + b"\0")
    away = cup.rename(folder / "away.jpg")
    with pytest.raises(SweepError) as caught:
        Sweep.from_run(folder)
    changed, missing = sorted(caught.value.problems, key=lambda line: "is missing" in line)
    assert "'cat [1]' was changed" in changed
    assert "'cup' is missing from" in missing
    cat.write_bytes(content)
    away.rename(cup)
    assert Sweep.from_run(folder).id == everything.id


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_ledger_without_its_design_says_what_it_lacks(tmp_path: Path, version: int) -> None:
    """For ledgers of every version, one line says what is missing and how to continue."""
    shutil.copy(LEDGERS / f"v{version}.sqlite", tmp_path / "ledger.sqlite")
    with pytest.raises(RunFolderError, match=r"lacks .*levels.* `lab run SWEEP.yaml"):
        Sweep.from_run(tmp_path)


def test_cuts_that_an_older_version_left_out_are_named(
    everything: Sweep, begun: Callable[[Sweep], Path]
) -> None:
    """A design without the cuts is refused, because it would describe other takes."""
    folder = begun(everything)
    _rewrite(folder, lambda data: data["levels"]["prompt"][3].pop("multi_shot"))
    with pytest.raises(RunFolderError, match="the cuts of prompt 'two shots'"):
        Sweep.from_run(folder)


def test_a_design_of_an_older_version_gives_the_same_takes(
    sweep_of: Callable[..., Sweep], begun: Callable[[Sweep], Path]
) -> None:
    """A design from before sound, caps and elements describes the same takes."""
    sweep = sweep_of()
    folder = begun(sweep)

    def older(data: dict[str, Any]) -> None:
        del data["levels"]["sound"], data["cap_usd"], data["elements"]

    _rewrite(folder, older)
    assert _told(Sweep.from_run(folder)) == _told(sweep)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    """The message says how to make a run."""
    with pytest.raises(LabError, match="holds no run; make one with `lab run"):
        Sweep.from_run(tmp_path)


def test_a_stored_still_has_the_name_of_its_original(still: Path, tmp_path: Path) -> None:
    """Tables show a stored still under its original name, without the hash in the file name."""
    sha256 = Still.open(still).sha256
    for name, called in ((f"coffee-{sha256[:8]}", "coffee"), ("cup-12345678", "cup-12345678")):
        assert Still.open(shutil.copy(still, tmp_path / f"{name}.jpg")).name == called
