"""The addresses of files that Jupyter serves."""

import json
import os
from pathlib import Path

import pytest

from lab.errors import InputError
from lab.widgets.jupyter_files import file_url, server_root


def test_a_run_that_jupyter_does_not_serve_is_refused(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The message names the folder and what to change."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with pytest.raises(InputError, match=r"lies outside .* start Jupyter"):
        file_url(elsewhere / "a.mp4")
    with pytest.raises(InputError, match="starts with"):
        file_url(folder / ".hidden" / "a.mp4")
    assert file_url(folder / "run" / "a b.mp4") == "files/run/a b.mp4"


def test_the_server_that_started_this_kernel_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The root folder comes from the file that the server wrote about itself."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("JPY_PARENT_PID", str(os.getpid()))
    (tmp_path / "jpserver-1.json").write_text("{broken")
    (tmp_path / "jpserver-2.json").write_text(
        json.dumps({"pid": os.getpid(), "root_dir": str(tmp_path / "notebooks")})
    )
    server_root.cache_clear()
    try:
        assert server_root() == tmp_path / "notebooks"
    finally:
        server_root.cache_clear()
