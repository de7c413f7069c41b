"""Scoring several clips continues after a failure."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from lab.media import write_clip
from lab.runs import score, scoring
from lab.runs.scoring import score_clip


def clip(path: Path, frames: int = 8) -> Path:
    rng = np.random.default_rng(0)
    first = np.kron(rng.integers(0, 255, (9, 16, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    write_clip(path, (np.roll(first, 2 * shift, axis=1) for shift in range(frames)), fps=24)
    return path


def test_a_bad_clip_is_named_and_the_others_are_scored(tmp_path: Path) -> None:
    """Each clip has one record; an unreadable one has its reason."""
    (tmp_path / "fake.mp4").write_text("words")
    good = [clip(tmp_path / "a.mp4"), clip(tmp_path / "b.mp4")]
    records = {
        Path(record["clip"]).name: record
        for record in score([*good, tmp_path / "fake.mp4"], quiet=True)
    }
    assert "not a video" in records["fake.mp4"]["error"]
    assert records["a.mp4"]["scores"] == records["b.mp4"]["scores"]


def test_a_clip_that_kills_its_worker_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a clip kills its worker, the others are scored and its record says so."""
    monkeypatch.setattr(scoring, "score_clip", _deadly_score_clip)
    good = [clip(tmp_path / "a.mp4"), clip(tmp_path / "b.mp4")]
    records = {
        Path(record["clip"]).name: record
        for record in score([good[0], tmp_path / "deadly.mp4", good[1]], quiet=True)
    }
    assert "its worker process died" in records["deadly.mp4"]["error"]
    assert "deadly.mp4" in records["deadly.mp4"]["error"]
    assert records["a.mp4"]["scores"] == records["b.mp4"]["scores"]


def _deadly_score_clip(path: str, *asked: object) -> dict[str, object]:
    """Score a clip; a file with a certain name kills the process."""
    if Path(path).name == "deadly.mp4":
        os.kill(os.getpid(), signal.SIGKILL)
    return score_clip(path, *asked)  # type: ignore[arg-type]


def test_lack_of_memory_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lack of memory for a single clip is one line, not a traceback."""
    monkeypatch.setattr(scoring, "score_clip", _out_of_memory)
    (record,) = score(tmp_path / "a.mp4", quiet=True)
    assert "memory ran out" in record["error"]


def _out_of_memory(*_: object) -> dict[str, object]:
    raise MemoryError
