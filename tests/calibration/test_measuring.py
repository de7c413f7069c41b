"""Measuring clips in parallel, with a cache."""

import os
import signal
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.calibration.clean_clips import photographs, sources
from lab.calibration.measuring import chunks, measure_clips
from lab.calibration.probes import probes
from lab.errors import InputError


@dataclass(frozen=True)
class _FakeClip:
    """A clip for the tests below. deadly: measuring it kills the worker."""

    title: str
    deadly: bool = False
    source: str = "one photograph"

    @property
    def key(self) -> str:
        return self.title


def _work(chunk: Sequence[_FakeClip]) -> list[dict[str, Any]]:
    if any(clip.deadly for clip in chunk):
        os.kill(os.getpid(), signal.SIGKILL)
    return [{"key": clip.key} for clip in chunk]


# The quick tier has it for runs and scores: tests/runs.
@pytest.mark.slow
def test_a_clip_that_kills_its_worker_is_named(tmp_path: Path) -> None:
    """The other clips of the call are measured, and the clip is named with the reason."""
    fake_clips = [_FakeClip("a"), _FakeClip("b", deadly=True), _FakeClip("c")]
    how: dict[str, Any] = {"executor": None, "quiet": True, "unit": "clips"}
    measured = measure_clips(fake_clips, _work, tmp_path / "rows.jsonl", **how)
    assert [row["key"] for _, row in measured.pairs] == ["a", "c"]
    (failed,) = measured.failed
    assert failed.startswith("b: its worker process died")


def test_if_nothing_could_be_measured_the_error_has_the_first_reason(
    tiny: Executor, tmp_path: Path
) -> None:
    """Without rows there is no card."""

    def fail(chunk: Sequence[_FakeClip]) -> list[dict[str, Any]]:
        raise MemoryError

    how: dict[str, Any] = {"executor": tiny, "quiet": True, "unit": "clips"}
    with pytest.raises(InputError, match="none of 1 clips could be measured; the first: a: mem"):
        measure_clips([_FakeClip("a")], fail, tmp_path / "rows.jsonl", **how)


def test_chunks_keep_the_order_and_never_mix_sources() -> None:
    """They have at most the given size, and nothing is lost."""
    all_sources = sources(photographs(None)[:4], None, moves_each=1)
    made = probes(all_sources, quick=True)
    cut = list(chunks(made, size=5))
    assert [probe for chunk in cut for probe in chunk] == made
    assert all(len({probe.source for probe in chunk}) == 1 for chunk in cut)
    assert max(len(chunk) for chunk in cut) == 5
    assert list(chunks([])) == []
