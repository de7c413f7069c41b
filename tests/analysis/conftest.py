"""A small run, and copies of it without some of its data."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from lab.analysis import Results, load
from lab.metrics import SPECS
from lab.runs import run
from lab.stills import Still
from lab.sweeps import Sweep


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, coffee: Still) -> Path:
    """A run of three prompts with flaws, 0.3 s each. The first one hardly moves."""
    sweep = Sweep.of(
        stills=[coffee.path.resolve()],
        prompts=["static lock-off, cinematic", "fast pan left", "make it move"],
        settings={"duration_s": 0.3, "seed": 7},
        name="small",
        question="which?",
    )
    out = tmp_path_factory.mktemp("analysis") / "run"
    with ThreadPoolExecutor(2) as executor:
        outcome = run(sweep, out, quiet=True, executor=executor)
    assert outcome.problems == ()
    return out


@pytest.fixture(scope="session")
def results(run_folder: Path) -> Results:
    """The tables of the whole run."""
    return load(run_folder)


@pytest.fixture
def without(run_folder: Path, results: Results, tmp_path: Path) -> Callable[..., Results]:
    """Loads a copy of the run without the scores of some takes, given by position."""

    def lacking(*positions: int) -> Results:
        copy = tmp_path / "copy"
        shutil.copytree(run_folder, copy)
        for position in positions:
            (copy / "measures" / f"{results.takes['take_id'][position]}.json").unlink()
        return load(copy)

    return lacking


@pytest.fixture(scope="session")
def ranked(results: Results) -> Callable[..., Results]:
    """Builds results whose takes have the given scores by metric; other scores are 1, with
    motion.
    """

    def build(*takes: dict[str, float]) -> Results:
        rows = [
            {
                "take_id": f"t{number}",
                "metric": name,
                "value": take.get(name, 0.0 if name == "motion.still" else 1.0),
                "reason": "",
                "version": SPECS[name].version,
            }
            for number, take in enumerate(takes)
            for name in SPECS
        ]
        shots = pd.DataFrame(
            {
                "take_id": [f"t{number}" for number in range(len(takes))],
                "still": "coffee",
                "prompt": [("pan", "orbit")[number % 2] for number in range(len(takes))],
                "repeat": 1,
                "state": "fetched",
                "simulated": False,
                "clip": "clips/a.mp4",
                "measure": "fresh",
                "measure_why": "",
                "damage": "",
            }
        )
        return replace(results, scores=pd.DataFrame(rows), takes=shots)

    return build
