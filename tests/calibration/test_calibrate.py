"""A calibration from end to end, stopped and gone on with, on clips of eight frames."""

import importlib
import json
import os
import signal
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pandas.testing import assert_frame_equal

from lab.calibration import Card, calibrate, load_card
from lab.calibration.clean_clips import photographs, sources
from lab.calibration.measuring import VERSIONS
from lab.calibration.probes import Probe, measure_probes, probes
from lab.errors import InputError, Interrupted, RunFolderError
from lab.media import write_image
from lab.metrics import SPECS
from lab.runs.progress import Progress

MODULE = importlib.import_module("lab.calibration.calibrate")
MEASURING = importlib.import_module("lab.calibration.measuring")
# Four photographs, a move each: clean, two nuisances, a defect, and for two one that is held out.
QUICK = 4 * 4 + 2
FULL = 4 * (3 + 5) + 2 * 5


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the clips that are made, by key."""
    counted: Counter[str] = Counter()

    def count(chunk: Sequence[Probe]) -> list[dict[str, Any]]:
        counted.update(probe.key for probe in chunk)
        return measure_probes(chunk)

    monkeypatch.setattr(MODULE, "measure_probes", count)
    return counted


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Rows without the clips, for what does not depend on pixels; counted as well."""
    counted: Counter[str] = Counter()

    def make_up(chunk: Sequence[Probe]) -> list[dict[str, Any]]:
        counted.update(probe.key for probe in chunk)
        return [
            {
                "key": probe.key,
                "base": probe.source.name,
                "group": probe.source.group,
                "move": probe.source.move,
                "final": probe.source.final,
                "kind": probe.kind,
                "name": probe.name,
                "place": probe.strength_index,
                "strength": probe.strength,
                "scores": dict.fromkeys(SPECS, probe.strength),
            }
            for probe in chunk
        ]

    monkeypatch.setattr(MODULE, "measure_probes", make_up)
    return counted


def kept(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "probes.jsonl").read_text().splitlines()]


@pytest.fixture
def photos(tmp_path: Path, texture: NDArray[np.uint8]) -> Path:
    """A folder of four small pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for place, name in enumerate("abcd"):
        small = cv2.resize(texture, (240, 150), interpolation=cv2.INTER_AREA)
        write_image(folder / f"{name}.png", np.roll(small, 40 * place, axis=place % 3))
    return folder


def test_a_calibration_ends_in_a_card(
    offline: Path, tiny: Executor, measured: Counter[str], photos: Path, tmp_path: Path
) -> None:
    """Every clip is measured once; the card is returned and kept, and flicker is told."""
    out = tmp_path / "out"
    card = calibrate(out, stills=photos, executor=tiny, quiet=True)
    assert len(measured) == measured.total() == FULL
    assert card.facts["clips"] == FULL
    assert card.facts["complete"]
    assert card.facts["photographs"] == {"develop": ["a", "c"], "final": ["b", "d"]}
    loaded = load_card(out / "card.json")
    assert loaded.facts == card.facts
    for name in ("detection", "ordering", "nuisances", "crosstalk"):
        assert_frame_equal(getattr(loaded, name), getattr(card, name), atol=0.0006)
    assert card.stale == ()
    assert (card.detection[card.detection["place"] == 4]["value"] == 1).all()


def test_footage_is_measured_as_well(
    tiny: Executor, canned: Counter[str], photos: Path, tmp_path: Path
) -> None:
    """A quick card over four photographs and two clips has a column for the clips."""
    footage = tmp_path / "footage"
    footage.mkdir()
    for name in ("one", "two"):
        (footage / f"{name}.mp4").touch()
    card = calibrate(
        tmp_path, stills=photos, footage=footage, quick=True, executor=tiny, quiet=True
    )
    # Of the clips too, one in two is kept for the end and gets the defect that is held out.
    assert canned.total() == QUICK + 2 * 4 + 1
    assert card.facts["footage"] == ["one", "two"]
    assert "AUROC footage" in card.summary()
    assert not card.facts["complete"]


def test_a_quick_one_takes_four_photographs_and_middle_strengths(
    tiny: Executor, canned: Counter[str], tmp_path: Path
) -> None:
    """Of the shipped ones the first four."""
    card = calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert canned.total() == QUICK
    assert card.facts["photographs"] == {
        "develop": ["astronaut", "china"],
        "final": ["cat", "coffee"],
    }
    assert set(card.detection["place"]) == {2}


def test_what_was_measured_is_not_measured_again(
    tiny: Executor, canned: Counter[str], tmp_path: Path
) -> None:
    """The same call again makes nothing; the full one after a quick one only what is new."""
    first = calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    again = calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert canned.total() == QUICK
    assert str(again) == str(first)
    calibrate(tmp_path, executor=tiny, quiet=True)
    assert canned.most_common(1)[0][1] == 1
    assert len(kept(tmp_path)) == canned.total()


def test_a_line_that_was_cut_short_is_measured_again(
    tiny: Executor, canned: Counter[str], tmp_path: Path
) -> None:
    """Only that one; and the row that follows it is not lost with it."""
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    file = tmp_path / "probes.jsonl"
    file.write_text(file.read_text()[:-40])
    canned.clear()
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert canned.total() == 1
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert canned.total() == 1


def test_rows_of_other_definitions_are_measured_again(
    tiny: Executor, canned: Counter[str], tmp_path: Path
) -> None:
    """A value of one version never stands for another's."""
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    rows = kept(tmp_path)
    assert all(row["versions"] == VERSIONS for row in rows)
    for row in rows[:3]:
        row["versions"] = {**VERSIONS, "flicker": 0}
    (tmp_path / "probes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    canned.clear()
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert set(canned) == {row["key"] for row in rows[:3]}


def test_the_half_is_that_of_today(tiny: Executor, canned: Counter[str], tmp_path: Path) -> None:
    """A row kept before the photographs changed places counts where its photograph is now."""
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    rows = [{**row, "final": not row["final"]} for row in kept(tmp_path)]
    (tmp_path / "probes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    card = calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert card.facts["photographs"]["final"] == ["cat", "coffee"]


def test_ctrl_c_keeps_what_was_measured(
    tiny: Executor, canned: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how far it got and how to go on, and the same call measures only the rest."""

    class Stopped(Progress):
        def advance(self, said: str = "") -> None:
            super().advance(said)
            if self._done == 7:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MEASURING, "Progress", Stopped)
        with pytest.raises(Interrupted, match=rf"7 of {QUICK} clips .* stored in .* to continue"):
            calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert not (tmp_path / "card.json").exists()
    before = {row["key"] for row in kept(tmp_path)}
    assert 7 <= len(before) < QUICK
    tiny.submit(int).result()  # what was asked for before the interrupt has ended
    canned.clear()
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert not before & set(canned)
    assert len(before) + canned.total() == QUICK


def test_progress_is_told_unless_quiet(
    tiny: Executor, canned: Counter[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line where nobody watches; nothing at all when quiet."""
    calibrate(tmp_path / "one", quick=True, executor=tiny)
    assert capsys.readouterr() == ("", f"calibration clips: {QUICK} of {QUICK}\n")
    calibrate(tmp_path / "two", quick=True, executor=tiny, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_folders_without_pictures_are_told_before_any_work(
    tiny: Executor, canned: Counter[str], photos: Path, tmp_path: Path
) -> None:
    """Too few photographs, no such folder, no footage in it: each in one line."""
    (photos / "d.png").unlink()
    empty = tmp_path / "empty"
    empty.mkdir()
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"stills": photos}, "at least four photographs"),
        ({"stills": tmp_path / "gone"}, "gone: no such folder"),
        ({"footage": empty}, "empty: holds no clip"),
        ({"footage": tmp_path / "gone"}, "gone: no such folder"),
    ]
    for how, says in wrong:
        with pytest.raises(InputError, match=says) as error:
            calibrate(tmp_path / "out", executor=tiny, quiet=True, **how)
        assert "\n" not in str(error.value)
    assert not canned


def test_a_place_that_cannot_be_written_is_told(tiny: Executor, tmp_path: Path) -> None:
    """Before anything is measured."""
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="name another folder"):
        calibrate(tmp_path / "file" / "out", executor=tiny, quiet=True)


@dataclass(frozen=True)
class _Thing:
    """Something to measure for the test below."""

    title: str
    deadly: bool = False
    source: str = "one photograph"

    @property
    def key(self) -> str:
        return self.title


def _work(chunk: Sequence[_Thing]) -> list[dict[str, Any]]:
    if any(thing.deadly for thing in chunk):
        os.kill(os.getpid(), signal.SIGKILL)
    return [{"key": thing.key} for thing in chunk]


# The quick tier has it for runs and scores: tests/runs.
@pytest.mark.slow
def test_a_clip_that_kills_its_worker_is_named(tmp_path: Path) -> None:
    """Its neighbours in the same call are measured and kept, and it is named with the reason."""
    things = [_Thing("a"), _Thing("b", deadly=True), _Thing("c")]
    how: dict[str, Any] = {"executor": None, "quiet": True, "unit": "things"}
    found = MEASURING.measure_clips(things, _work, tmp_path / "rows.jsonl", **how)
    assert [row["key"] for _, row in found.pairs] == ["a", "c"]
    (failed,) = found.failed
    assert failed.startswith("b: its worker process died")


def test_when_nothing_could_be_measured_the_first_reason_is_told(
    tiny: Executor, tmp_path: Path
) -> None:
    """There is no card to make of it."""

    def fail(chunk: Sequence[_Thing]) -> list[dict[str, Any]]:
        raise MemoryError

    how: dict[str, Any] = {"executor": tiny, "quiet": True, "unit": "things"}
    with pytest.raises(InputError, match="none of 1 clips could be measured; the first: a: mem"):
        MEASURING.measure_clips([_Thing("a")], fail, tmp_path / "rows.jsonl", **how)


def test_a_card_names_what_could_not_be_measured(
    tiny: Executor, canned: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is worked out from the rest, and says so when read back."""
    make_up = MODULE.measure_probes

    def failing(chunk: Sequence[Probe]) -> list[dict[str, Any]]:
        if any(probe.title == victim for probe in chunk):
            raise MemoryError
        return make_up(chunk)

    every = probes(sources(photographs(None)[:4], None, moves_each=1), quick=True)
    victim = next(probe.title for probe in every if probe.kind == "nuisance")
    monkeypatch.setattr(MODULE, "measure_probes", failing)
    card = calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    (failed,) = card.failed
    assert failed.startswith(f"{victim}: memory ran out")
    assert load_card(tmp_path / "card.json").failed == card.failed
    assert failed in str(card)


def test_a_card_is_what_comes_back(tiny: Executor, canned: Counter[str], tmp_path: Path) -> None:
    """A str is as good a folder as a Path, and is made if need be."""
    card = calibrate(str(tmp_path / "a" / "b"), quick=True, executor=tiny, quiet=True)
    assert isinstance(card, Card)
    assert {path.name for path in (tmp_path / "a" / "b").iterdir()} == {"card.json", "probes.jsonl"}
