"""How far a run is."""

import json
from pathlib import Path

import pytest

from lab.errors import RunFolderError
from lab.runs import RunFolder, run, status
from lab.sweeps import Sweep

pytestmark = pytest.mark.usefixtures("in_process")


def test_the_status_counts_takes_and_measurements(tmp_path: Path, stills_dir: Path) -> None:
    """By state, for people and as data; a missing measurement and a missing still are named."""
    out = tmp_path / "run"
    settings = {"duration_s": 0.3, "seed": 1}
    run(
        Sweep.of(stills=[stills_dir / "coffee.jpg"], prompts=["push in"], settings=settings),
        out,
        quiet=True,
    )
    whole = status(out)
    assert (whole.takes, dict(whole.states), whole.still_errors) == (1, {"fetched": 1}, ())
    assert str(whole) == f"{out}: 1 take: 1 fetched; 1 measured; spent 0 USD"
    folder = RunFolder(out)
    (measure,) = folder.measures.folder.glob("*.json")
    measure.unlink()
    (still,) = folder.stills.iterdir()
    still.unlink()
    broken = status(out)
    assert "0 measured, 1 not measured" in str(broken)
    assert f"take {measure.stem}: " in str(broken)
    assert len(broken.still_errors) == 1
    plain = json.loads(json.dumps(broken.to_json()))
    assert (plain["measured"], plain["measures"]) == (0, {"missing": 1})


def test_a_folder_without_a_run_has_no_status(tmp_path: Path) -> None:
    """The message says how to make a run there."""
    with pytest.raises(RunFolderError, match="lab run"):
        status(tmp_path)
