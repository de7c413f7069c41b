"""Real runs are interrupted and resumed."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.runs import Ledger, RunFolder
from tests.waiting import HANGS_S, until

STILLS = Path(__file__).resolve().parents[2] / "data" / "stills"


@pytest.fixture(autouse=True)
def two_workers(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers, and no search for the subject, which does not matter here."""
    monkeypatch.setenv("I2VLAB_WORKERS", "2")


def written(path: Path, prompts: Sequence[str], **settings: object) -> Path:
    """Writes a sweep file with this many takes."""
    path.write_text(
        json.dumps(
            {
                "stills": [str(STILLS / "coffee.jpg")],
                "prompts": prompts,
                "settings": {"seed": 1, **settings},
            }
        )
    )
    return path


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    """Four takes: two workers have two left when the first clip is there."""
    prompts = ["push in", "pan left", "zoom in", "orbit"]
    return written(tmp_path / "sweep.yaml", prompts, duration_s=0.6, aspect_ratio="1:1")


def start(sweep: Path, out: Path, **more: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lab", "run", str(sweep), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )


def fetched(folder: RunFolder) -> list[str]:
    if not folder.exists:
        return []
    with Ledger.read(folder.ledger) as ledger:
        return [take for take, state in ledger.states().items() if state == "fetched"]


def wait_for_a_clip(folder: RunFolder, process: subprocess.Popen[str]) -> None:
    """Wait until the ledger has the first clip; the others take seconds more."""
    until(lambda: fetched(folder), process)


def finish(sweep: Path, out: Path, takes: int = 4) -> None:
    """Run to the end; check that every clip exists and no temporary file is left."""
    process = start(sweep, out)
    _, errors = process.communicate(timeout=HANGS_S)
    assert process.returncode == 0, errors
    folder = RunFolder(out)
    assert len(list(folder.clips.glob("*.mp4"))) == takes
    assert not [path for path in out.rglob("*.part")]
    with Ledger.read(folder.ledger) as ledger:
        ledger.verify()


def test_ctrl_c_ends_cleanly_and_the_same_command_goes_on(tmp_path: Path, sweep_file: Path) -> None:
    """Ctrl-C exits with 130 and says how to continue; finished clips are not made again."""
    out = tmp_path / "run"
    process = start(sweep_file, out)
    wait_for_a_clip(RunFolder(out), process)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=HANGS_S)
    assert process.returncode == 130
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    clips = [RunFolder(out).clip_path(take) for take in fetched(RunFolder(out))]
    times = {path: path.stat().st_mtime_ns for path in clips}
    assert 0 < len(times) < 4
    finish(sweep_file, out)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in times.items())


@pytest.mark.slow
def test_a_killed_run_goes_on_and_a_second_runner_is_refused(
    tmp_path: Path, sweep_file: Path
) -> None:
    """A second runner is refused; after SIGKILL the lock is free and nothing is lost."""
    out = tmp_path / "run"
    process = start(sweep_file, out)
    wait_for_a_clip(RunFolder(out), process)
    second = start(sweep_file, out)
    _, errors = second.communicate(timeout=HANGS_S)
    assert second.returncode == 2
    assert f"process {process.pid}" in errors
    process.kill()
    process.communicate()
    finish(sweep_file, out)


# The quick tier keeps Ctrl-C and a killed runner.
@pytest.mark.slow
def test_a_full_disk_keeps_what_is_there(tmp_path: Path) -> None:
    """On a full disk the run ends in one line, and continues once there is space."""
    out = tmp_path / "run"
    # Each clip is larger than what may be written, and the ledger of so few takes is not.
    sweep = written(tmp_path / "sweep.yaml", ["push in", "zoom in"], duration_s=1)

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))

    process = start(sweep, out, preexec_fn=small_files_only)
    _, errors = process.communicate(timeout=HANGS_S)
    assert process.returncode == 2
    assert "the disk is full" in errors
    assert "Traceback" not in errors
    finish(sweep, out, takes=2)
