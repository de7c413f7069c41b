"""What is installed: one version, the samples, and files that say what this is."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import lab
from lab.cli import main
from lab.samples import sample_path
from lab.stills import Still
from lab.sweeps import Sweep

ROOT = Path(__file__).resolve().parents[1]


def test_the_version_stands_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The command, the citation and the changelog name the version of the package."""
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"i2v-lab {lab.__version__}\n"
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == lab.__version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(\d[\d.]*)\]", changes, re.MULTILINE)[0] == lab.__version__
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_samples_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their paths do not depend on the current folder, and every sample sweep is a sweep."""
    monkeypatch.chdir(tmp_path)
    assert Still.open(sample_path("stills/coffee.jpg")).width_px == 600
    sweeps = sorted(sample_path("sweeps").glob("*.yaml"))
    assert sweeps
    for path in sweeps:
        assert Sweep.load(path).takes()


def test_the_licences_of_the_samples_come_with_them() -> None:
    """Each sample still has a line in the file beside it."""
    text = sample_path("stills/LICENCES.md").read_text(encoding="utf-8")
    stills = {path.name for path in sample_path("stills").glob("*.jpg")}
    assert stills
    assert stills == set(re.findall(r"`(\w+\.jpg)`", text))
