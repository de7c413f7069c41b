"""Reading a record tells whether it can be used, and if not, why."""

import json
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import ClipError
from lab.files import sha256_file
from lab.measures import ClipFile, Measure, MeasureState, MeasureStore
from lab.metrics import SPECS

OLD = Path(__file__).resolve().parents[1] / "data" / "measures" / "v1.json"


@pytest.fixture
def clip(tmp_path: Path) -> ClipFile:
    """A clip file with its hash and size; its content does not matter here."""
    path = tmp_path / "take.mp4"
    path.write_bytes(b"a clip" * 100)
    os.utime(path, (1_000_000, 1_000_000))
    return ClipFile(path, sha256_file(path), path.stat().st_size)


@pytest.fixture
def measures(tmp_path: Path, clip: ClipFile) -> MeasureStore:
    """A store with a record of that clip."""
    store = MeasureStore(tmp_path / "measures")
    measure = Measure.from_json(json.loads(OLD.read_text()))
    today = {
        name: replace(number, version=SPECS[name].version)
        for name, number in measure.numbers.items()
        if name in SPECS
    }
    one = next(iter(today.values()))
    absent = SPECS.keys() - today.keys()
    missing = {name: replace(one, version=SPECS[name].version) for name in absent}
    store.write("take", replace(measure, numbers=today | missing, clip_sha256=clip.sha256), clip)
    return store


def test_a_record_of_today_is_fresh(measures: MeasureStore, clip: ClipFile) -> None:
    """All numbers of a fresh record can be used."""
    stored = measures.read("take", clip)
    assert (stored.state, stored.reason, stored.stale) == (MeasureState.FRESH, "", {})


def test_no_record_is_missing(measures: MeasureStore, clip: ClipFile) -> None:
    """Without a record, every number is NaN with a reason that says what to do."""
    stored = measures.read("another", clip)
    assert stored.state is MeasureState.MISSING
    number = stored.number("flicker")
    assert math.isnan(number.value)
    assert "lab measure" in number.reason


def test_one_bumped_number_is_stale_and_the_rest_stays(
    measures: MeasureStore, clip: ClipFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stale number is NaN, has its old version, and has no series."""
    then = SPECS["flicker.local"].version
    bumped = replace(SPECS["flicker.local"], version=then + 1)
    monkeypatch.setitem(SPECS, "flicker.local", bumped)
    stored = measures.read("take", clip)
    assert stored.state is MeasureState.STALE
    assert stored.stale == {"flicker.local": then}
    number = stored.number("flicker.local")
    assert math.isnan(number.value)
    assert f"measured by flicker.local version {then}" in number.reason
    assert stored.measure is not None
    assert "flicker.local" not in stored.measure.series
    assert "flicker" not in stored.measure.boxes
    assert stored.measure.boxes
    assert not math.isnan(stored.value("motion"))


def test_a_number_added_today_is_stale(
    measures: MeasureStore, clip: ClipFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new metric is stale with version 0 and a reason."""
    monkeypatch.setitem(SPECS, "blur", replace(SPECS["flicker"], name="blur"))
    stored = measures.read("take", clip)
    assert stored.stale == {"blur": 0}
    assert stored.number("blur").reason.startswith("blur was not measured yet")


def _spoiled(**changes: object) -> bytes:
    return json.dumps(json.loads(OLD.read_text()) | changes).encode()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b'{"schema": 2, "clip"', b"\xff\xfe", b"[]", b"{}"),
        _spoiled(frames=math.inf),
        _spoiled(series={"flicker": {"99": 1.0}}),
        _spoiled(reasons={}),
    ],
)
def test_a_record_that_cannot_be_read_is_damaged(
    measures: MeasureStore, clip: ClipFile, content: bytes
) -> None:
    """A truncated, empty or foreign record is reported in one line."""
    measures.path("take").write_bytes(content)
    stored = measures.read("take", clip)
    assert stored.state is MeasureState.DAMAGED
    assert stored.measure is None
    assert "\n" not in stored.reason


def test_a_record_of_another_clip_is_detected(measures: MeasureStore, clip: ClipFile) -> None:
    """A record copied from another take is not used."""
    path = measures.path("take")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"clip_sha256": "0" * 64}))
    stored = measures.read("take", clip)
    assert stored.state is MeasureState.OTHER_CLIP
    assert not stored.clip_replaced


@pytest.mark.parametrize("content", [b"shorter", b"A CLIP" * 100], ids=["size", "content"])
def test_a_replaced_clip_is_detected(
    measures: MeasureStore, clip: ClipFile, content: bytes
) -> None:
    """A replaced clip file is detected by its size, or by its time and hash."""
    clip.path.write_bytes(content)
    later = measures.path("take").stat().st_mtime + 60
    os.utime(clip.path, (later, later))
    stored = measures.read("take", clip)
    assert stored.state is MeasureState.OTHER_CLIP
    assert stored.clip_replaced
    assert "not the clip in the ledger" in stored.reason
    measures.path("take").write_bytes(b"damaged")
    assert measures.read("take", clip).clip_replaced  # measuring would not help


def test_a_copied_run_is_fresh(measures: MeasureStore, clip: ClipFile, tmp_path: Path) -> None:
    """A clip that only has a later modification time is the same clip."""
    copy = tmp_path / "copy.mp4"
    shutil.copyfile(clip.path, copy)
    later = measures.path("take").stat().st_mtime + 60
    os.utime(copy, (later, later))
    assert measures.read("take", replace(clip, path=copy)).state is MeasureState.FRESH


def test_a_record_of_another_clip_is_not_written(measures: MeasureStore, clip: ClipFile) -> None:
    """Measurements of a replaced file are not stored for the take."""
    stored = measures.read("take", clip)
    assert stored.measure is not None
    with pytest.raises(ClipError, match="not the clip in the ledger"):
        measures.write("take", replace(stored.measure, clip_sha256="0" * 64), clip)
    assert measures.read("take", clip).state is MeasureState.FRESH


def test_the_stamp_changes_with_what_is_read(measures: MeasureStore, clip: ClipFile) -> None:
    """The stamp changes with a new record and with a new clip."""
    stamps: list[object] = [measures.stamp("take", clip)]
    steps: list[Callable[[], None]] = [
        lambda: os.utime(measures.path("take"), (1, 1)),
        lambda: os.utime(clip.path, (2, 2)),
        measures.path("take").unlink,
    ]
    for step in steps:
        step()
        stamps.append(measures.stamp("take", clip))
    assert len(set(map(str, stamps))) == len(stamps)
