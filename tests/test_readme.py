"""The README's own lines work for a newcomer."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cli import main
from lab.sweeps import Sweep
from lab.sweeps.document import parse, read_yaml

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_photograph_becomes_a_verdict_by_the_line_shown(tmp_path: Path) -> None:
    """After the install line, the other prints a verdict of four lines and two paths."""
    block = README.split("<!-- tested:")[1].split("```console\n")[1].split("```")[0]
    install, line = block.strip().splitlines()
    assert install == "pip install -e ."
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    (tmp_path / "data").symlink_to(ROOT / "data")
    done = subprocess.run(
        shlex.split(line), cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *verdict, clip, sheet = done.stdout.splitlines()
    assert [part.partition(":")[0] for part in verdict] == ["still", "prompt", "camera", "scores"]
    assert (tmp_path / clip).is_file()
    assert (tmp_path / sheet).is_file()


def test_the_sweep_shown_is_a_sweep(tmp_path: Path) -> None:
    """The README's sweep passes the checks of a sweep file."""
    shown = README.split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "shown.yaml"
    path.write_text(shown, encoding="utf-8")
    document = parse(read_yaml(path), "shown")
    data = {**document.model_dump(exclude_none=True), "stills": ["data/stills/coffee.jpg"]}
    sweep = Sweep.of(folder=ROOT, **json.loads(json.dumps(data)))
    assert len(sweep.takes()) == 20


def test_every_command_shown_exists(capsys: pytest.CaptureFixture[str]) -> None:
    """Each `lab` command on the page answers --help."""
    for command in sorted(set(re.findall(r"^lab (\w+)", README, re.MULTILINE))):
        with pytest.raises(SystemExit) as stopped:
            main([command, "--help"])
        assert stopped.value.code == 0, command
        assert command in capsys.readouterr().out
