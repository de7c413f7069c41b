"""Every public function refuses a value of the wrong kind in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.errors import InputError

COFFEE = Path(__file__).resolve().parents[1] / "data" / "stills" / "coffee.jpg"


@pytest.mark.parametrize(
    "call",
    [
        lambda out: lab.Still.open(None),
        lambda out: lab.Prompt.from_text(5),
        lambda out: lab.Prompt.of("push_inn"),
        lambda out: lab.ShotSettings(duration_s="long"),
        lambda out: lab.ShotSettings(aspect_ratio="2:1"),
        lambda out: lab.preflight(lab.Still.open(COFFEE), aspect_ratio="5:4"),
        lambda out: lab.Sweep.of(stills=None, prompts=None),
        lambda out: lab.Sweep.load(7),
        lambda out: lab.run("nowhere.yaml", out),
        lambda out: lab.shoot(None, "push in", out=out),
        lambda out: lab.shoot(COFFEE, None, out=out),
        lambda out: lab.shoot(COFFEE, "push in", out=out, fps=23),
        lambda out: lab.load(None),
        lambda out: lab.load("nowhere"),
        lambda out: lab.write_report(5),
        lambda out: list(lab.score(COFFEE, still=3)),
        lambda out: lab.open_backend("klingon"),
    ],
)
def test_wrong_values_get_one_clear_line(call: Callable[[Path], Any], tmp_path: Path) -> None:
    """The error is an InputError with a message, and no run folder is made."""
    with pytest.raises(InputError) as caught:
        call(tmp_path / "run")
    assert all(line.strip() for line in str(caught.value).splitlines())
    assert not (tmp_path / "run").exists()


def test_one_clip_may_be_named_without_a_list() -> None:
    """A string is one path, not a list of letters."""
    (record,) = lab.score(str(COFFEE), quiet=True)
    assert "not a video" in record["error"]
    assert list(lab.score([], quiet=True)) == []
