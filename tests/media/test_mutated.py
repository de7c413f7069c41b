"""Damaged and hostile files give frames or a ClipError that names them, nothing else."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.media.mutated import CONTAINERS, mutate, write_small

QUICK, MANY = 8, 120  # mutations of each of the five containers
# A few hundred files of a dozen small frames take seconds; a process that takes this long hangs.
HANGING_S = 900


@pytest.fixture(scope="module")
def mutations(
    tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray
) -> Callable[[str, int], list[Path]]:
    """Write mutations of a small clip in a container; equal counts give equal files."""

    def write(suffix: str, count: int) -> list[Path]:
        folder = tmp_path_factory.mktemp("mutated")
        whole = folder / f"whole{suffix}"
        write_small(whole, [photo[100 + n : 148 + n, 9 * n : 9 * n + 64] for n in range(12)])
        paths = []
        for seed in range(count):
            paths.append(folder / f"{seed}{suffix}")
            paths[-1].write_bytes(mutate(whole.read_bytes(), np.random.default_rng(seed)))
        return paths

    return write


def _outcomes(paths: list[Path]) -> dict[str, str]:
    """Read every file in a child process, which may crash or hang; return each file's outcome."""
    outcomes: dict[str, str] = {}
    script = str(Path(__file__).with_name("mutated.py"))
    while remaining := [str(path) for path in paths if str(path) not in outcomes]:
        command = [sys.executable, script, *remaining]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=HANGING_S)
            output, failure = (
                done.stdout,
                f"ended the process with {done.returncode}: {done.stderr}",
            )
        except subprocess.TimeoutExpired as hanging:
            output, failure = bytes(hanging.stdout or b"").decode(), f"took more than {HANGING_S} s"
        completed = dict(json.loads(line) for line in output.splitlines())
        outcomes |= completed
        if len(completed) < len(remaining):
            outcomes[remaining[len(completed)]] = failure
    return outcomes


def _check(paths: list[Path]) -> None:
    outcomes = _outcomes(paths)
    assert {path: end for path, end in outcomes.items() if end not in ("frames", "refused")} == {}
    counts = Counter(outcomes.values())
    assert set(counts) == {"frames", "refused"}, f"all mutations have the same outcome: {counts}"


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_a_mutated_clip_is_read_or_refused_by_name(
    suffix: str, mutations: Callable[[str, int], list[Path]]
) -> None:
    """A few damaged files of every container give frames or an error of one line."""
    _check(mutations(suffix, QUICK))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", CONTAINERS)
def test_many_mutated_clips_are_read_or_refused_by_name(
    suffix: str, mutations: Callable[[str, int], list[Path]]
) -> None:
    """Hundreds of damaged files of every container neither hang, nor crash, nor raise another
    error.
    """
    _check(mutations(suffix, MANY))
