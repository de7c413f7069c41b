"""Scoring many clips goes on past a bad one."""

from pathlib import Path

import numpy as np

from lab.files import write_json
from lab.media import write_clip
from lab.runs import score
from lab.runs.scoring import kept_measure, measure_clip


def clip(path: Path, frames: int = 8) -> Path:
    rng = np.random.default_rng(0)
    first = np.kron(rng.integers(0, 255, (9, 16, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    write_clip(path, (np.roll(first, 2 * shift, axis=1) for shift in range(frames)), fps=24)
    return path


def test_a_bad_clip_is_named_and_the_others_are_scored(tmp_path: Path) -> None:
    """One record a clip, in any order; the unreadable one carries its reason."""
    (tmp_path / "fake.mp4").write_text("words")
    good = [clip(tmp_path / "a.mp4"), clip(tmp_path / "b.mp4")]
    records = {
        Path(record["clip"]).name: record
        for record in score([*good, tmp_path / "fake.mp4"], quiet=True)
    }
    assert "not a video" in records["fake.mp4"]["error"]
    assert records["a.mp4"]["scores"] == records["b.mp4"]["scores"]


def test_a_measure_of_an_older_definition_is_not_used(tmp_path: Path) -> None:
    """Scores made by another version of a metric never mix with today's."""
    record = measure_clip(str(clip(tmp_path / "a.mp4")), None)
    write_json(tmp_path / "a.json", record)
    assert kept_measure(tmp_path / "a.json") == record
    write_json(tmp_path / "a.json", {**record, "versions": {**record["versions"], "flicker": 0}})
    assert kept_measure(tmp_path / "a.json") is None
    (tmp_path / "a.json").write_text("{cut off")
    assert kept_measure(tmp_path / "a.json") is None
