"""A run with hostile strings and a missing clip, and its report."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from lab.analysis import Results, load
from lab.report import write_report
from lab.runs import RunFolder, run
from lab.stills import Still
from lab.sweeps import Sweep

HOSTILE = """<img src=x onerror=alert(1)>"'</script>"""
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture(scope="session")
def hostile_results(tmp_path_factory: pytest.TempPathFactory, coffee: Still) -> Results:
    """Two takes with clips, and one whose clip could not be written."""
    base = tmp_path_factory.mktemp("report")
    still = base / "a&b<c>.jpg"
    shutil.copy(coffee.path, still)
    first = Sweep.of(
        stills=[still],
        prompts=[HOSTILE, "slow push in, cinematic"],
        settings={"duration_s": 0.25, "seed": 7},
        name=HOSTILE,
        question=HOSTILE,
    )
    grown = Sweep.of(
        stills=[still],
        prompts=[HOSTILE, "slow push in, cinematic", "pan left"],
        settings={"duration_s": 0.25, "seed": 7},
        name=HOSTILE,
        question=HOSTILE,
    )
    out = base / "run"
    with ThreadPoolExecutor(2) as executor:
        assert run(first, out, quiet=True, executor=executor).problems == ()
        (blocked,) = {take.id for _, take in grown.takes()} - {take.id for _, take in first.takes()}
        # A folder with the name of the third clip makes writing it fail.
        (RunFolder(out).clip_path(blocked) / "blocker").mkdir(parents=True)
        assert len(run(grown, out, quiet=True, executor=executor).problems) == 1
    return load(out)


@pytest.fixture(scope="session")
def page(hostile_results: Results) -> str:
    """The report of that run."""
    return write_report(hostile_results, now=NOW).read_text(encoding="utf-8")
