"""Two photographs for the tests of sweeps."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, stills_dir: Path) -> Path:
    """Two photographs, a.jpg and b.jpg."""
    shutil.copy(stills_dir / "coffee.jpg", tmp_path / "a.jpg")
    shutil.copy(stills_dir / "cat.jpg", tmp_path / "b.jpg")
    return tmp_path
