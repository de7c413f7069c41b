"""Agreement with ratings: its file, and how it reads."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from lab.calibration import RatedMaterial, describe_agreement, load_agreement
from lab.calibration.agreement import Agreement, Estimate, Row, save_agreement
from lab.errors import InputError
from lab.metrics import SPECS


def agreement(*, rho: float) -> Agreement:
    """With that rho; nothing is known within generators or about detection."""
    none, known = Estimate(), Estimate(rho, rho - 0.125, rho + 0.125)
    return Agreement(20, 30, known, Estimate(0.1, 0, 0.2), known, none, known, none, none)


@pytest.fixture
def material() -> RatedMaterial:
    """Drift on 24 clips, four of them without a value, beside a baseline."""
    drift = Row(
        *("drift", "metric", "lower", agreement(rho=0.5)),
        missing=4,
        left_out=2.5,
        why="no subject",
        difference=Estimate(-0.25, -0.5, 0.125),
    )
    baseline = Row("whole-frame embedding", "baseline", "lower", agreement(rho=0.75))
    return RatedMaterial(
        material="street scenes",
        rating="drift, lower is better",
        clips=24,
        groups=12,
        generators=3,
        split=(1.5, 3.0),
        versions={"drift": SPECS["drift"].version},
        rows=(drift, baseline),
    )


def test_a_file_returns_what_was_saved(material: RatedMaterial, tmp_path: Path) -> None:
    """Also what is unknown, and more than one material."""
    path = tmp_path / "agreement.json"
    entries = (material, replace(material, material="faces", split=None))
    save_agreement(path, entries)
    assert "NaN" not in path.read_text()
    loaded = load_agreement(path)
    assert [one.to_json() for one in loaded] == [one.to_json() for one in entries]
    assert loaded[0].rows[0].agreement.rho == Estimate(0.5, 0.375, 0.625)
    assert math.isnan(loaded[0].rows[0].agreement.auroc.value)
    assert (loaded[0].split, loaded[1].split) == ((1.5, 3.0), None)


def test_the_text_says_what_was_measured(material: RatedMaterial) -> None:
    """Material, rating, clips, estimates with intervals, missing clips; no column without data."""
    text = describe_agreement([material])
    assert "street scenes: 24 clips in 12 groups by 3 generators; drift, lower is better" in text
    (drift,) = (line for line in text.splitlines() if line.split()[:1] == ["drift"])
    assert drift.split()[2] == "4"
    assert "0.50 [0.38, 0.62]  0.10 [0.00, 0.20]" in drift
    assert "-0.25 [-0.50, +0.12]" in drift
    assert "AUROC: clips rated 1.5 or less against 3 or more." in text
    assert "p90" not in text
    assert "versions" not in text
    assert describe_agreement([]).endswith("not measured for this version.")


def test_another_version_makes_it_stale(material: RatedMaterial) -> None:
    """A changed or removed metric is named."""
    versions = {"drift": SPECS["drift"].version - 1, "warp": SPECS["warp"].version, "gone": 1}
    older = replace(material, versions=versions)
    assert (material.stale, older.stale) == ((), ("drift", "gone"))
    assert "other versions than today's: drift, gone." in str(older)


@pytest.mark.parametrize("text", ["words", "{}x", '[{"material": "faces"}]', '{"rows": 1}', "[3]"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    """In one line that says what would be accepted."""
    path = tmp_path / "agreement.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"agreement\.json: does not hold agreement.*--card"):
        load_agreement(path)
