"""`lab shoot`: from a photograph to a verdict in one command."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.cli import main
from lab.media import open_image
from lab.metrics import HEADLINES
from lab.stills import Still

pytestmark = pytest.mark.usefixtures("in_process")


def _shoot(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["shoot", *map(str, arguments)])
    printed = capsys.readouterr()
    return int(stopped.value.code or 0), printed.out, printed.err


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that the tests of this module share."""
    return tmp_path_factory.mktemp("shots") / "run"


def test_a_photograph_becomes_a_verdict(
    capsys: pytest.CaptureFixture[str], coffee: Still, out: Path
) -> None:
    """Four lines, then the path of the clip and that of a picture of six of its frames."""
    call = (coffee.path, "slow push-in; steam rises", "--duration", 0.3, "--seed", 1, "--out", out)
    code, text, _ = _shoot(capsys, *call)
    assert code == 0
    *lines, clip, sheet = text.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["still", "prompt", "camera", "scores"]
    assert "push_in" in lines[2]
    assert all(name in lines[3] for name in HEADLINES)
    assert Path(clip).is_file()
    height, width, _ = open_image(Path(sheet)).rgb.shape
    assert width > 5 * height

    written = Path(clip).stat().st_mtime_ns
    code, text, _ = _shoot(capsys, *call, "--json")
    assert code == 0
    plain: dict[str, Any] = json.loads(text)
    assert (plain["clip"], plain["contact_sheet"]) == (clip, sheet)
    assert plain["prompt"]["factors"]["camera"] == "push_in"
    assert [judged["term"] for judged in plain["compliance"]] == ["push_in"]
    assert set(HEADLINES) <= set(plain["scores"])
    assert {"findings", "checks"} <= set(plain["preflight"])
    assert Path(clip).stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("photo", "prompt", "options", "says"),
    [
        ("nowhere.jpg", "push in", (), "no such file"),
        ("", "", (), "prompt is empty"),
        ("", "push in", ("--duration", "99"), "duration_s"),
        ("", "push in", ("--ratio", "2:1"), "16:9"),
        ("", "push in", ("--backend", "ofline"), "did you mean 'offline'?"),
    ],
)
def test_a_bad_photo_or_prompt_is_one_line(
    capsys: pytest.CaptureFixture[str],
    coffee: Still,
    tmp_path: Path,
    photo: str,
    prompt: str,
    options: tuple[str, ...],
    says: str,
) -> None:
    """Exit 2, what to change, and no run folder."""
    out = tmp_path / "run"
    code, text, err = _shoot(capsys, photo or coffee.path, prompt, "--out", out, *options)
    (line,) = err.splitlines()
    assert (code, text) == (2, "")
    assert says in line
    assert not out.exists()


def test_a_paid_backend_needs_an_agreed_price(
    capsys: pytest.CaptureFixture[str], coffee: Still, tmp_path: Path
) -> None:
    """Without --yes, a budget or somebody to ask it shows findings and price, and sends nothing."""
    out = tmp_path / "run"
    code, text, err = _shoot(
        capsys, coffee.path, "slow push in", "--backend", "kling", "--out", out
    )
    assert (code, text) == (2, "")
    assert "price" in err
    assert "--yes" in err.splitlines()[-1]
    code, _, err = _shoot(
        capsys, coffee.path, "slow push in", "--backend", "kling", "--out", out, "--budget", 0.01
    )
    assert code == 2
    assert "the budget is" in err.splitlines()[-1]


def test_a_clip_that_holds_still_is_not_judged(
    capsys: pytest.CaptureFixture[str], coffee: Still, out: Path
) -> None:
    """The scores of a frozen clip say nothing, and the line says so first."""
    call = (coffee.path, "locked-off camera, nothing moves", "--duration", 0.3, "--out", out)
    code, text, _ = _shoot(capsys, *call)
    assert code == 0
    assert text.splitlines()[3].startswith("scores: too still to judge")
