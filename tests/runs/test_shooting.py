"""A single shot becomes a clip without a sweep file."""

from pathlib import Path

import pytest

from lab.errors import SweepError
from lab.runs import shoot

pytestmark = pytest.mark.usefixtures("in_process")


def test_shooting_collects_takes_in_one_folder(tmp_path: Path, still: Path) -> None:
    """Different shots share a folder, and the same shot is not made twice."""
    out = tmp_path / "shots"
    first = shoot(still, "push in", out=out, duration_s=0.25, quiet=True)
    stamp = first.path.stat().st_mtime_ns
    second = shoot(still, "pan left", out=out, duration_s=0.25, quiet=True)
    assert second.path != first.path
    again = shoot(still, "push in", out=out, duration_s=0.25, quiet=True)
    assert again.path.stat().st_mtime_ns == stamp
    with pytest.raises(SweepError, match="duration"):
        shoot(still, "push in", out=out, duration_secs=1, quiet=True)
