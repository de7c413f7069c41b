"""A run folder admits one runner, refuses other files, and can be moved."""

import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from lab.errors import BusyError, RunFolderError
from lab.files import sha256_file
from lab.runs import Ledger, RunFolder
from lab.stills import Still


def test_a_second_runner_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    """A second process is refused with the name of the one that holds the folder."""
    folder = RunFolder(tmp_path / "run")
    folder.make()
    attempt = (
        "import sys\nfrom lab.runs import RunFolder\nfrom lab.errors import BusyError\n"
        "try:\n    with RunFolder(sys.argv[1]).lock(): print('in')\n"
        "except BusyError as error: print(error)"
    )
    with folder.lock():
        done = subprocess.run(
            [sys.executable, "-c", attempt, str(folder.path)], capture_output=True, text=True
        )
    assert f"process {os.getpid()}" in done.stdout
    with folder.lock():  # and afterwards it is free again
        pass


def test_locked_twice_in_one_process(tmp_path: Path) -> None:
    """The lock also keeps two notebooks' threads of one process apart."""
    folder = RunFolder(tmp_path / "run")
    folder.make()
    with folder.lock(), pytest.raises(BusyError), RunFolder(folder.path).lock():
        pass


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    """A folder with other files is refused."""
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunFolderError, match=r"thesis\.tex"):
        RunFolder(tmp_path).make()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A run under a plain file says that it cannot be written."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunFolderError, match="cannot write"):
        RunFolder(tmp_path / "file" / "run").make()


def test_leftovers_of_a_killed_writer_are_deleted(tmp_path: Path) -> None:
    """The next start deletes temporary files of a killed process."""
    folder = RunFolder(tmp_path / "run")
    folder.make()
    (folder.clips / ".abc-x.mp4.part").write_bytes(b"half")
    folder.make()
    with folder.lock():
        assert list(folder.clips.iterdir()) == []


def test_stills_are_copied_by_content(tmp_path: Path, still: Path) -> None:
    """The copy is found by a relative path, also after the folder has moved."""
    folder = RunFolder(tmp_path / "run")
    folder.make()
    copy = folder.copy_still(Still.open(still))
    assert not copy.path.is_absolute()
    moved = RunFolder((tmp_path / "run").rename(tmp_path / "moved"))
    assert moved.locate(copy).rgb().shape == (400, 600, 3)


def test_stills_with_long_and_similar_names_do_not_collide(
    tmp_path: Path, stills_dir: Path
) -> None:
    """Long names fit, and names that differ only by case or accent do not collide."""
    folder = RunFolder(tmp_path / "run")
    folder.make()
    names = ["木" * 77, "木" * 76 + "本", "x" * 240, "Cup", "cup", "caf\u00e9", "cafe\u0301"]
    photographs = [
        "coffee",
        "cat",
        "astronaut",
        "china",
        "flower",
        "rocket",
        "hopper",
    ]
    copies = []
    for name, photograph in zip(names, photographs, strict=True):
        path = Path(shutil.copy(stills_dir / f"{photograph}.jpg", tmp_path / f"{name}.jpg"))
        copies.append(folder.copy_still(Still.open(path)))
        path.unlink()
    for still in copies:
        assert sha256_file(folder.locate(still).path) == still.sha256
    names_without_case = {
        unicodedata.normalize("NFC", still.path.name).casefold() for still in copies
    }
    assert len(names_without_case) == len(names)


@pytest.mark.parametrize("name", ["x" * 300, "/".join(["d" * 80] * 60)])
def test_a_path_too_long_for_the_system_is_refused(tmp_path: Path, name: str) -> None:
    """A path too long for the system is refused in one line, for reading and writing."""
    folder = RunFolder(tmp_path / name)
    with pytest.raises(RunFolderError, match="too long"):
        folder.check()
    with pytest.raises(RunFolderError, match="too long"):
        folder.make()


def test_a_path_too_long_for_sqlite_is_refused(tmp_path: Path) -> None:
    """A path over 500 bytes gets a message about its length, not about permissions."""
    folder = RunFolder(tmp_path.joinpath(*["d" * 90] * 6))
    folder.make()
    with pytest.raises(RunFolderError, match="with a shorter path"):
        Ledger.write(folder.ledger)


def test_too_little_disk_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """A plan larger than the disk is refused with both numbers."""
    with pytest.raises(RunFolderError, match=r"are needed and .* are free"):
        RunFolder(tmp_path).check_space(10**18)
