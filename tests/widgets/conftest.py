"""A working folder with a still, as Jupyter would serve it, and a short sweep."""

import shutil
from pathlib import Path

import pytest

from lab.stills import Still
from lab.sweeps import Sweep
from lab.widgets.jupyter_files import server_root

HOSTILE = """<img src=x onerror=alert(1)>"'</script>"""


@pytest.fixture
def folder(tmp_path: Path, coffee: Still, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a still in it. Jupyter would serve this folder."""
    shutil.copy(coffee.path, tmp_path / "cup.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_PARENT_PID", "none")
    server_root.cache_clear()
    return tmp_path


@pytest.fixture
def sweep(folder: Path) -> Sweep:
    """A sweep with two short takes."""
    return Sweep.of(
        stills="cup.jpg",
        prompts=["slow push-in; steam rises", {"name": "left", "text": "fast pan left"}],
        settings={"duration_s": 0.4, "seed": 7, "flaws": 0.5},
        name="two",
        question=HOSTILE,
    )
