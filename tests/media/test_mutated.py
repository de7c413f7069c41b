"""Broken and hostile files: each gives its frames or is refused by name, and nothing else."""

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
# Some hundred files of a dozen small frames take seconds; what takes this long hangs.
HANGING_S = 900


@pytest.fixture(scope="module")
def mutations(
    tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray
) -> Callable[[str, int], list[Path]]:
    """Write so many mutations of a small clip in a container; the same ones every time."""

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


def _fates(paths: list[Path]) -> dict[str, str]:
    """How every file fares, read in a process of its own that a crash may end and a hang may not
    hold for ever.
    """
    fates: dict[str, str] = {}
    script = str(Path(__file__).with_name("mutated.py"))
    while left := [str(path) for path in paths if str(path) not in fates]:
        command = [sys.executable, script, *left]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=HANGING_S)
            said, how = done.stdout, f"ended the process with {done.returncode}: {done.stderr}"
        except subprocess.TimeoutExpired as hanging:
            said, how = bytes(hanging.stdout or b"").decode(), f"took more than {HANGING_S} s"
        told = dict(json.loads(line) for line in said.splitlines())
        fates |= told
        if len(told) < len(left):
            fates[left[len(told)]] = how
    return fates


def _hold(paths: list[Path]) -> None:
    fates = _fates(paths)
    assert {path: fate for path, fate in fates.items() if fate not in ("frames", "refused")} == {}
    told = Counter(fates.values())
    assert set(told) == {"frames", "refused"}, f"the mutations are all of one kind: {told}"


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_a_mutated_clip_is_read_or_refused_by_name(
    suffix: str, mutations: Callable[[str, int], list[Path]]
) -> None:
    """A few broken files of every container give frames or one line that names the file."""
    _hold(mutations(suffix, QUICK))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", CONTAINERS)
def test_many_mutated_clips_are_read_or_refused_by_name(
    suffix: str, mutations: Callable[[str, int], list[Path]]
) -> None:
    """Hundreds of broken files of every container hang nothing, end no process and raise nothing
    but the one line that names the file.
    """
    _hold(mutations(suffix, MANY))
