"""Atomic writing, file names, and hashes of content."""

import hashlib
import json
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import RunFolderError
from lab.files import (
    atomic_write,
    content_id,
    file_name,
    make_writable_folder,
    remove_temp_files,
    sha256_file,
    write_json,
    write_text,
)

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_a_block_that_ends_leaves_the_file_alone(tmp_path: Path) -> None:
    """After the block there is the file, readable by everybody, and no temporary file."""
    with atomic_write(tmp_path / "table.csv") as part:
        part.write_text("a,b")
        assert part.name.endswith(".csv.part")
        assert not (tmp_path / "table.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    assert (tmp_path / "table.csv").read_text() == "a,b"
    assert (tmp_path / "table.csv").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_what_was_there(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    """A failed or interrupted block leaves the old file and no temporary file."""
    (tmp_path / "table.csv").write_text("before")

    def write() -> None:
        with atomic_write(tmp_path / "table.csv") as part:
            part.write_text("half")
            raise failure

    with pytest.raises(failure):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    assert (tmp_path / "table.csv").read_text() == "before"


def test_a_killed_writer_leaves_only_a_temporary_file(tmp_path: Path) -> None:
    """A killed process leaves only a temporary file, which `remove_temp_files` deletes."""
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from lab.files import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as part:\n"
        "    part.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "clip.mp4")], check=False)
    left = list(tmp_path.iterdir())
    assert [path.suffix for path in left] == [".part"]
    (tmp_path / "below").mkdir()
    for keep in (tmp_path / "clip.part", tmp_path / "below" / ".x.part", tmp_path / ".hidden"):
        keep.write_text("mine")
    remove_temp_files(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "below", "clip.part"]
    assert (tmp_path / "below" / ".x.part").exists()


def test_text_is_utf8(tmp_path: Path) -> None:
    """Text is written as UTF-8 in any locale."""
    write_text(tmp_path / "note.txt", "ΔE 3 ‰")
    assert (tmp_path / "note.txt").read_bytes() == "ΔE 3 ‰".encode()


def test_json_is_canonical(tmp_path: Path) -> None:
    """Equal data written from differently ordered dictionaries gives equal bytes."""
    write_json(tmp_path / "a.json", {"b": 1, "a": [True, None]})
    write_json(tmp_path / "b.json", {"a": [True, None], "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [True, None], "b": 1}


def test_nan_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    """A NaN cannot be written as JSON, and trying leaves nothing behind."""
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"score": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_files_hash_is_sha256_of_its_bytes(tmp_path: Path) -> None:
    """A file's hash is the one every other tool computes."""
    content = bytes(range(256)) * 5000
    (tmp_path / "x").write_bytes(content)
    assert sha256_file(tmp_path / "x") == hashlib.sha256(content).hexdigest()


@given(PLAIN)
def test_an_id_survives_a_trip_through_json(value: object) -> None:
    """Plain data read back from a file has the id it had before."""
    assert content_id(json.loads(json.dumps(value))) == content_id(value)


@given(PLAIN, PLAIN)
def test_ids_differ_where_content_does(one: object, other: object) -> None:
    """Two pieces of plain data share an id exactly when their canonical JSON is the same."""
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (content_id(one) == content_id(other)) == same


def test_an_id_never_changes() -> None:
    """Ids written into ledgers long ago still match."""
    assert content_id({"prompt": "slow push-in", "repeat": 1}) == "04685b0523d5"


@pytest.mark.parametrize("length", [8, 12, 40])
def test_an_id_is_hex_of_the_length_asked(length: int) -> None:
    """An id is made of lower-case hex digits, as many as asked for."""
    made = content_id("x", length)
    assert len(made) == length
    assert set(made) <= set("0123456789abcdef")


def test_a_writable_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    """A missing folder is created, and the check leaves no file in it."""
    folder = make_writable_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder below a file is refused in one line that names it and the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot write here") as refused:
        make_writable_folder(tmp_path / "file" / "runs")
    assert str(tmp_path / "file" / "runs") in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["a" * 300, "木" * 77, "e\u0301" * 60, "🦀" * 60, "a\u202eb", "a/b", "a\nb", "\udcff"]
)
def test_a_name_made_from_a_name_fits(tmp_path: Path, text: str) -> None:
    """A long name is cut between letters, and control characters are replaced."""
    name = file_name(text, "-1d76b847.jpg")
    assert len(name.encode()) <= 143
    assert name.endswith("-1d76b847.jpg")
    assert name.isprintable()
    write_text(tmp_path / name, "")
    stem = name[: -len("-12345678-1d76b847.jpg")]
    if text.startswith(stem):
        assert not unicodedata.combining(text[len(stem)])


@given(st.lists(st.text(max_size=120), min_size=2, max_size=4, unique=True))
def test_different_names_stay_different(texts: list[str]) -> None:
    """Different texts give different file names."""
    assert len({file_name(text) for text in texts}) == len(texts)


def test_a_short_name_is_kept() -> None:
    """A name of up to 80 bytes of letters, spaces and accents stays as it is."""
    for text in ("a" * 80, "Café im Regen (1)", "東京", "-x", "CON [1]"):
        assert file_name(text, ".png") == f"{text}.png"


def test_a_file_with_the_longest_name_is_written_whole(tmp_path: Path) -> None:
    """A file name of 255 bytes can be written, because the temporary name is shorter."""
    for name in (f"{'x' * 251}.png", f"{'木' * 83}.jpg", f"a.{'y' * 253}"):
        write_text(tmp_path / name, "whole")
        assert (tmp_path / name).read_text() == "whole"
    assert not list(tmp_path.glob(".*"))
