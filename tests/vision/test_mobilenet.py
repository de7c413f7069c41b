"""MobileNetV2's published weights, read without torch and written as an ONNX file."""

import io
import pickle
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from lab.errors import WeightsError
from lab.vision import WEIGHTS, weight_path
from lab.vision.mobilenet import mobilenet_onnx, read_state
from lab.vision.weights import _fetch

HEAD = b"".join(
    pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
)
DICT = b"ccollections\nOrderedDict\n)R"


def _put(value: object) -> bytes:
    """The opcodes that leave plain data on the unpickler's stack."""
    return pickle.dumps(value, 2)[2:-1]


def _file(tensors: dict[str, np.ndarray], strides: tuple[int, ...] | None = None) -> bytes:
    """A state dict in the format of torch before 1.6; `strides` to tell a lie about them."""
    pickled = b"\x80\x02" + DICT + b"("
    for key, (name, values) in enumerate(tensors.items()):
        kind = b"ctorch\n" + {"f": b"Float", "i": b"Long"}[values.dtype.kind] + b"Storage\n"
        steps = strides or tuple(step // values.itemsize for step in values.strides)
        storage = b"(" + _put("storage") + kind + _put(str(key)) + _put("cpu")
        pickled += _put(name) + b"ctorch._utils\n_rebuild_tensor_v2\n("
        pickled += storage + _put(values.size) + b"NtQ" + _put(0)
        pickled += _put(values.shape) + _put(steps) + b"\x89" + DICT + b"tR"
    numbers = [values.size.to_bytes(8, "little") + values.tobytes() for values in tensors.values()]
    keys = pickle.dumps([str(key) for key in range(len(tensors))], 2)
    return HEAD + pickled + b"u." + keys + b"".join(numbers)


@pytest.fixture(scope="module")
def original() -> bytes:
    """The published state dict; skips, with the reason, where it cannot be had."""
    try:
        return _fetch(WEIGHTS["mobilenetv2"])
    except WeightsError as error:
        pytest.skip(str(error))


def test_tensors_come_back_by_name() -> None:
    """Names, shapes, kinds and numbers are those that were written."""
    tensors = {
        "kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4, 1),
        "mean": np.float32([0.5, -1]),
        "seen": np.array(7),
    }
    state = read_state(_file(tensors))
    assert list(state) == list(tensors)
    for name, values in tensors.items():
        assert state[name].dtype == values.dtype
        assert np.array_equal(state[name], values)


@pytest.mark.parametrize(
    "opcodes",
    [
        b"\x80\x02cbuiltins\neval\n(" + _put("open({!r}, 'w')") + b"tR.",
        b"\x80\x02cos\nsystem\n(" + _put("touch {}") + b"tR.",
        b"\x80\x02cbuiltins\ngetattr\n.",
        b"\x80\x02ctorch\nload\n.",
        b"\x80\x04" + _put("lab.vision.mobilenet") + _put("pickle.loads") + b"\x93.",
        b"\x80\x02ccollections\nOrderedDict.fromkeys\n.",
    ],
    ids=["eval", "system", "getattr", "torch.load", "dotted", "method"],
)
@pytest.mark.parametrize("place", [0, 3])
def test_a_hostile_pickle_is_refused(opcodes: bytes, place: int, tmp_path: Path) -> None:
    """A pickle that asks for any other name is refused by that name, and nothing runs."""
    trace = tmp_path / "trace"
    hostile = opcodes.replace(b"{!r}", repr(str(trace)).encode()).replace(b"{}", bytes(trace))
    with pytest.raises(WeightsError, match="it asks for '") as refused:
        read_state((HEAD if place else b"") + hostile)
    assert "\n" not in str(refused.value)
    assert not trace.exists()


def _zip() -> bytes:
    """The beginning of what torch writes since 1.6."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
    return file.getvalue()


GOOD = _file({"kernel": np.ones((2, 3), np.float32)})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        GOOD[:100],
        GOOD[:-1],
        GOOD.replace(pickle.dumps(1001, 2), pickle.dumps(1002, 2)),
        _zip(),
        HEAD + pickle.dumps({"kernel": 1}) + pickle.dumps([]),
        HEAD + pickle.dumps({}) + pickle.dumps(["0"]),
        _file({"kernel": np.ones((2, 3), np.float32)}, strides=(1, 2)),
    ],
    ids=["empty", "head", "cut", "protocol", "zip", "number", "unknown storage", "strides"],
)
def test_anything_but_a_state_dict_is_refused(content: bytes) -> None:
    """What is no state dict, or not all of one, is refused in one line."""
    with pytest.raises(WeightsError, match="this is not the state dict expected") as refused:
        read_state(content)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "tensors",
    [
        {"kernel": np.ones((2, 3), np.float32)},
        {
            f"features.0.{name}": np.ones((2, 3), np.float32)
            for name in ("0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var")
        },
    ],
    ids=["names", "shapes"],
)
def test_another_network_is_refused(tensors: dict[str, np.ndarray]) -> None:
    """A state dict with other names or other shapes is no MobileNetV2."""
    with pytest.raises(WeightsError, match="does not fit MobileNetV2"):
        mobilenet_onnx(_file(tensors))


def test_the_published_weights_become_the_pinned_file(original: bytes) -> None:
    """Converting gives the bytes that the cache holds."""
    assert mobilenet_onnx(original) == weight_path("mobilenetv2").read_bytes()


def test_folding_batch_norms_changes_nothing(original: bytes) -> None:
    """The first layer of the file is the convolution, batch norm and ReLU6 of the state dict."""
    state = read_state(original)
    gain, offset, mean, variance = (
        state[f"features.0.1.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
    )
    picture = np.random.default_rng(0).standard_normal((3, 224, 224)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(picture, ((0, 0), (1, 1), (1, 1))), (3, 3), axis=(1, 2)
    )[:, ::2, ::2]
    plain = np.einsum("cyxij,ocij->oyx", windows, state["features.0.0.weight"])
    scaled = (plain - mean[:, None, None]) / np.sqrt(variance + 1e-5)[:, None, None]
    expected = np.clip(scaled * gain[:, None, None] + offset[:, None, None], 0, 6)
    # OpenCV's newer engine reuses what is inside a network before it can be read.
    net = cv2.dnn.readNetFromONNX(str(weight_path("mobilenetv2")), cv2.dnn.ENGINE_CLASSIC)
    net.setInput(picture[None])
    first = net.forward("onnx_node!features.0.0.relu6")[0]
    assert np.allclose(first, expected, atol=1e-4)
