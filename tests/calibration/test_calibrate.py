"""A calibration from end to end on clips of eight frames."""

import importlib
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pandas.testing import assert_frame_equal

from lab.calibration import Card, calibrate, load_card
from lab.calibration.clean_clips import Source, moving_sources, photographs, sources
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
    """Counts the measured clips by key."""
    counted: Counter[str] = Counter()

    def count(chunk: Sequence[Probe]) -> list[dict[str, Any]]:
        counted.update(probe.key for probe in chunk)
        return measure_probes(chunk)

    monkeypatch.setattr(MODULE, "measure_probes", count)
    return counted


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Replaces measuring by fixed rows where pixels do not matter, and counts the clips."""
    counted: Counter[str] = Counter()

    def make_up(chunk: Sequence[Probe]) -> list[dict[str, Any]]:
        counted.update(probe.key for probe in chunk)
        return [
            {
                "key": probe.key,
                "base": probe.source.name,
                "group": probe.source.group,
                "move": probe.source.move,
                "base_kinds": list(probe.source.base_kinds),
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


def cached_rows(out: Path) -> list[dict[str, Any]]:
    """The rows in the cache."""
    return [json.loads(line) for line in (out / "probes.jsonl").read_text().splitlines()]


@pytest.fixture
def photos(tmp_path: Path, texture: NDArray[np.uint8]) -> Path:
    """A folder of four small pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, name in enumerate("abcd"):
        small = cv2.resize(texture, (240, 150), interpolation=cv2.INTER_AREA)
        write_image(folder / f"{name}.png", np.roll(small, 40 * index, axis=index % 3))
    return folder


# The quick tier has a card from the command line: tests/test_cli.py.
@pytest.mark.slow
def test_a_calibration_ends_in_a_card(
    offline: Path, tiny: Executor, measured: Counter[str], photos: Path, tmp_path: Path
) -> None:
    """Each clip is measured once, the card is returned and saved, and flicker is detected."""
    out = tmp_path / "out"
    card = calibrate(out, stills=photos, executor=tiny, quiet=True)
    assert len(measured) == measured.total() == FULL
    assert card.facts["clips"] == FULL
    assert card.facts["complete"]
    assert card.facts["photographs"] == {"develop": ["a", "c"], "final": ["b", "d"]}
    loaded = load_card(out / "card.json")
    assert loaded.facts == card.facts
    for name in ("detection", "ordering", "nuisances", "crosstalk", "kinds", "missing"):
        assert_frame_equal(getattr(loaded, name), getattr(card, name), atol=0.0006)
    assert card.stale == ()
    assert (card.detection[card.detection["place"] == 4]["value"] == 1).all()


def test_footage_is_measured_as_well(
    tiny: Executor, canned: Counter[str], photos: Path, tmp_path: Path
) -> None:
    """A quick card over four photographs and two clips has a column for footage."""
    footage = tmp_path / "footage"
    footage.mkdir()
    for name in ("one", "two"):
        (footage / f"{name}.mp4").touch()
    card = calibrate(
        tmp_path, stills=photos, footage=footage, quick=True, executor=tiny, quiet=True
    )
    # Of the clips too, one in two is cached_rows for the end and gets the defect that is held out.
    assert canned.total() == QUICK + 2 * 4 + 1
    assert card.facts["footage"] == ["one", "two"]
    assert "AUROC footage" in card.summary()
    assert not card.facts["complete"]


def test_a_quick_calibration_uses_four_photographs_and_middle_strengths(
    tiny: Executor, canned: Counter[str], tmp_path: Path
) -> None:
    """These are the first four sample stills."""
    card = calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert canned.total() == QUICK
    assert card.facts["photographs"] == {
        "develop": ["astronaut", "china"],
        "final": ["cat", "coffee"],
    }
    assert set(card.detection["place"]) == {2}


def test_moving_subjects_are_measured_as_well(
    tiny: Executor,
    canned: Counter[str],
    all_moving: list[Source],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A quick calibration has one of them in its final half, which a full one measures as well."""
    monkeypatch.setattr(MODULE, "moving_sources", moving_sources)
    card = calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    # One clean clip, two nuisances and two defects more, one of them held out.
    assert canned.total() == QUICK + 5
    assert list(card.kind_table()) == ["camera move", "walk", "plain ground"]
    full = {probe.key for probe in probes(all_moving, quick=False)}
    assert len(full & set(canned)) == 5


def test_what_was_measured_is_not_measured_again(
    tiny: Executor, canned: Counter[str], tmp_path: Path
) -> None:
    """A second call measures nothing; a full one after a quick one measures only new clips."""
    first = calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    again = calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert canned.total() == QUICK
    assert str(again) == str(first)
    calibrate(tmp_path, executor=tiny, quiet=True)
    assert canned.most_common(1)[0][1] == 1
    assert len(cached_rows(tmp_path)) == canned.total()


def test_a_truncated_row_is_measured_again(
    tiny: Executor, canned: Counter[str], tmp_path: Path
) -> None:
    """Only that row is measured again, and the next row is not lost."""
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    file = tmp_path / "probes.jsonl"
    file.write_text(file.read_text()[:-40])
    canned.clear()
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert canned.total() == 1
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert canned.total() == 1


def test_rows_of_other_versions_are_measured_again(
    tiny: Executor, canned: Counter[str], tmp_path: Path
) -> None:
    """Rows of another metric version are not used."""
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    rows = cached_rows(tmp_path)
    assert all(row["versions"] == VERSIONS for row in rows)
    for row in rows[:3]:
        row["versions"] = {**VERSIONS, "flicker": 0}
    (tmp_path / "probes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    canned.clear()
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert set(canned) == {row["key"] for row in rows[:3]}


def test_cached_rows_get_the_current_half(
    tiny: Executor, canned: Counter[str], tmp_path: Path
) -> None:
    """A cached row counts in the half that its photograph belongs to now."""
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    rows = [{**row, "final": not row["final"]} for row in cached_rows(tmp_path)]
    (tmp_path / "probes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    card = calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert card.facts["photographs"]["final"] == ["cat", "coffee"]


def test_ctrl_c_keeps_the_measured_rows(
    tiny: Executor, canned: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the progress and how to continue; the next call measures only the rest."""

    class Stopped(Progress):
        def advance(self) -> None:
            super().advance()
            if self._done == 7:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MEASURING, "Progress", Stopped)
        with pytest.raises(Interrupted, match=rf"7 of {QUICK} clips .* stored in .* to continue"):
            calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert not (tmp_path / "card.json").exists()
    before = {row["key"] for row in cached_rows(tmp_path)}
    assert 7 <= len(before) < QUICK
    tiny.submit(int).result()  # what was asked for before the interrupt has ended
    canned.clear()
    calibrate(tmp_path, quick=True, executor=tiny, quiet=True)
    assert not before & set(canned)
    assert len(before) + canned.total() == QUICK


def test_progress_is_shown_unless_quiet(
    tiny: Executor, canned: Counter[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line is printed without a terminal, nothing with quiet."""
    calibrate(tmp_path / "one", quick=True, executor=tiny)
    assert capsys.readouterr() == ("", f"calibration clips: {QUICK} of {QUICK}\n")
    calibrate(tmp_path / "two", quick=True, executor=tiny, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_folders_without_pictures_are_refused_before_any_work(
    tiny: Executor, canned: Counter[str], photos: Path, tmp_path: Path
) -> None:
    """Too few photographs, a missing folder and no footage each give one line."""
    (photos / "d.png").unlink()
    empty = tmp_path / "empty"
    empty.mkdir()
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"stills": photos}, "at least four photographs"),
        ({"stills": tmp_path / "gone"}, "gone: no such folder"),
        ({"footage": empty}, "empty: holds no clip"),
        ({"footage": tmp_path / "gone"}, "gone: no such folder"),
    ]
    for how, message in wrong:
        with pytest.raises(InputError, match=message) as error:
            calibrate(tmp_path / "out", executor=tiny, quiet=True, **how)
        assert "\n" not in str(error.value)
    assert not canned


def test_an_unwritable_folder_is_refused(tiny: Executor, tmp_path: Path) -> None:
    """The error comes before anything is measured."""
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="name another folder"):
        calibrate(tmp_path / "file" / "out", executor=tiny, quiet=True)


def test_a_card_names_what_could_not_be_measured(
    tiny: Executor, canned: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card is computed from the rest and lists the clip, also after loading."""
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


def test_calibrate_returns_a_card_and_makes_its_folder(
    tiny: Executor, canned: Counter[str], tmp_path: Path
) -> None:
    """The folder may be a str and is created."""
    card = calibrate(str(tmp_path / "a" / "b"), quick=True, executor=tiny, quiet=True)
    assert isinstance(card, Card)
    assert {path.name for path in (tmp_path / "a" / "b").iterdir()} == {"card.json", "probes.jsonl"}
