"""A record keeps everything that was measured, and old files open for ever."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lab.measures import SCHEMA_VERSION, Measure, measure_clip
from lab.media import write_clip
from lab.metrics import SPECS

OLD = Path(__file__).resolve().parents[1] / "data" / "measures"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four frames of moving squares."""
    path = tmp_path_factory.mktemp("record") / "a.mp4"
    rng = np.random.default_rng(0)
    first = np.kron(rng.integers(0, 255, (9, 16, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    write_clip(path, (np.roll(first, 2 * shift, axis=1) for shift in range(4)), fps=24)
    return path


@pytest.fixture(scope="module")
def measured(clip: Path) -> Measure:
    """All its numbers."""
    return Measure.from_json(measure_clip(str(clip), None))


def test_json_keeps_everything(measured: Measure) -> None:
    """What is written reads back the same, with strict JSON in between."""
    text = json.dumps(measured.to_json(), allow_nan=False)
    again = Measure.from_json(json.loads(text))
    assert json.dumps(again.to_json()) == text
    assert set(again.numbers) == set(SPECS)
    for name, number in again.numbers.items():
        assert (number.unit, number.version) == (SPECS[name].unit, SPECS[name].version)
        assert math.isnan(number.value) == bool(number.reason)
    assert 0 <= again.numbers["flicker"].confidence <= 1


def test_schema_1_is_still_read() -> None:
    """A record of the first schema has the same numbers, series and notes."""
    data = json.loads((OLD / "v1.json").read_text())
    old = Measure.from_json(data)
    assert {name: number.version for name, number in old.numbers.items()} == data["versions"]
    record = old.record()
    for part in ("scores", "reasons", "units", "series", "boxes", "times_s", "notes", "frames"):
        assert record[part] == data[part]


def test_schema_2_is_still_read() -> None:
    """A record of the second schema has the same numbers; nothing is known of their confidence."""
    data = json.loads((OLD / "v2.json").read_text())
    old = Measure.from_json(data)
    for name, number in old.numbers.items():
        assert (number.version, number.reason) == (
            data["numbers"][name]["version"],
            data["numbers"][name]["reason"],
        )
    assert old.record()["confidence"] == {}
    assert old.record()["series"] == data["series"]


@pytest.mark.parametrize(
    "data", [{}, [], "words", {"schema": SCHEMA_VERSION + 1}, {"schema": "2"}, {"schema": 2}]
)
def test_what_is_no_record_is_refused(data: object) -> None:
    """Anything else is an error of a kind that readers know, never half a record."""
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        Measure.from_json(data)  # type: ignore[arg-type]


def test_some_numbers_are_measured_alone(clip: Path, measured: Measure) -> None:
    """Only the metrics asked for are run, and they give the same values as all together."""
    alone = Measure.from_json(measure_clip(str(clip), None, ["flicker.local"]))
    assert {name.partition(".")[0] for name in alone.numbers} == {"flicker"}
    for name, number in alone.numbers.items():
        assert number == pytest.approx(measured.numbers[name]) or math.isnan(number.value)


def test_new_numbers_replace_only_their_own(clip: Path, measured: Measure) -> None:
    """The rest of the record stays, series, boxes and notes included."""
    old = Measure.from_json(measured.to_json() | {"notes": {"warp": "kept", "flicker": "replaced"}})
    newer = Measure.from_json(measure_clip(str(clip), None, ["flicker"]))
    both = old.updated(newer)
    assert both.numbers.keys() == measured.numbers.keys()
    assert both.series == measured.series
    assert both.boxes == measured.boxes
    assert both.notes["warp"] == "kept"
    assert both.notes.get("flicker") != "replaced"


def test_other_frames_make_another_record(clip: Path, measured: Measure) -> None:
    """Numbers of two decodings that saw different frames are never mixed."""
    newer = Measure.from_json(measure_clip(str(clip), None, ["flicker"]))
    fewer = replace(newer, times_s=newer.times_s[:-1])
    assert measured.updated(fewer) == fewer
