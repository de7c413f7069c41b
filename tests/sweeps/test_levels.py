"""Levels in tables and as plain data."""

from pathlib import Path

from tests.sweeps.building import PAN, PUSH, build_sweep


def test_the_design_as_plain_data_has_no_paths(folder: Path) -> None:
    """The ledger identifies stills by hash."""
    shown = build_sweep(folder, prompts=[PAN, PUSH], settings={"seed": [1, 2]}).to_json()
    assert str(folder) not in str(shown)
    assert [level["name"] for level in shown["levels"]["still"]] == ["a"]
    assert shown["levels"]["seed"] == [1, 2]


def test_none_is_a_level_without_a_still(folder: Path) -> None:
    """Beside stills, none is a level for text-to-video, shown in the column of the factor."""
    sweep = build_sweep(folder, stills=["a.jpg", "none"])
    assert [trial.factors["still"] for trial in sweep.trials()] == ["a", "none"]
    assert sweep.trials()[1].shot.still is None
    assert len({take.id for _, take in sweep.takes()}) == 2
