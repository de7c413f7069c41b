"""MobileNetV2's published weights, read without torch and written as an ONNX file.

The weights travel as a state dict in the file format of torch before 1.6: five pickles, then the
numbers. The network is that of Sandler et al., "MobileNetV2: Inverted Residuals and Linear
Bottlenecks", CVPR 2018, without its classifier.
"""

import io
import math
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.errors import WeightsError

SIDE_PX = 224
LENGTH = 1280
CHANNELS = 320  # of the last block
# Table 2 of the paper: expansion, blocks in a row, stride of the first of them.
_BLOCKS = ((1, 1, 1), (6, 2, 2), (6, 3, 2), (6, 4, 2), (6, 3, 1), (6, 3, 2), (6, 1, 1))
_IR_VERSION, _OPSET, _FLOAT = 8, 13, 1
_EPSILON = 1e-5  # torch's, in every batch norm
_HEAD = (0x1950A86A20F9469CFC6C, 1001)  # torch's magic number and protocol

Array = NDArray[Any]


def mobilenet_onnx(content: bytes) -> bytes:
    """The ONNX file of a MobileNetV2 state dict; the same bytes on every machine.

    Takes "picture" (1, 3, h, w) float32 to "embedding" (1, 1280) float32 and to the output of its
    last block, "features" (1, 320, h / 32, w / 32). Every batch norm is folded into the convolution
    before it. Raises WeightsError when `content` is anything else.
    """
    try:
        return _Graph(read_state(content)).file()
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(f"the state dict does not fit MobileNetV2 ({error})") from error


def read_state(content: bytes) -> dict[str, Array]:
    """The tensors of a torch state dict by name, from the bytes of its file.

    Reading can make nothing but ordered dicts, plain data and contiguous tensors of float32 or
    int64. Raises WeightsError when `content` asks for anything else, or is no such file.
    """
    stream = io.BytesIO(content)
    try:
        if (_Unpickler(stream).load(), _Unpickler(stream).load()) != _HEAD:
            raise pickle.UnpicklingError("no magic number")
        _Unpickler(stream).load()  # sizes of the writer's types, which the storages' names imply
        unpickler = _Unpickler(stream)
        tensors = unpickler.load()
        numbers = {}
        for key in _Unpickler(stream).load():
            kind = np.dtype(unpickler.kinds[key])
            count = int.from_bytes(stream.read(8), "little")
            numbers[key] = np.frombuffer(stream.read(count * kind.itemsize), kind, count)
        return {name: numbers[key].reshape(shape) for name, (key, shape) in tensors.items()}
    except Exception as error:  # what hostile bytes raise has no bound
        raise WeightsError(f"this is not the state dict expected ({error})") from error


class _Unpickler(pickle.Unpickler):
    """Knows four names. A tensor becomes its storage's key and its shape."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.kinds: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch", "FloatStorage"): "<f4",
            ("torch", "LongStorage"): "<i8",
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module!r}.{name!r}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> str:
        _, kind, key, _, _, _ = pid
        self.kinds[key] = kind
        return str(key)

    def _tensor(
        self, key: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
    ) -> tuple[str, tuple[int, ...]]:
        if offset or strides != tuple(math.prod(shape[place + 1 :]) for place in range(len(shape))):
            raise pickle.UnpicklingError("a tensor is not contiguous")
        return key, shape


class _Graph:
    """The network as the fields of an ONNX file, grown from the picture to the embedding.

    The wire format is protobuf's and the field numbers are those of onnx.proto3; so few are needed
    that the package that writes them all, and its size, are spared.
    """

    def __init__(self, state: dict[str, Array]) -> None:
        self._state = state
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        for name, value in (("zero", 0), ("six", 6)):
            self._constant(name, np.array(value))
        end = self._convolution("features.0", 0, "picture", stride=2)
        place = 1
        for expansion, repeats, first_stride in _BLOCKS:
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                end = self._block(f"features.{place}.conv", end, expansion, stride, repeat > 0)
                place += 1
        self._node("Identity", [end], "features")
        end = self._convolution(f"features.{place}", 0, end)
        self._node("GlobalAveragePool", [end], "pooled")
        self._node("Flatten", ["pooled"], "embedding")

    def file(self) -> bytes:
        graph = (
            [_field(1, node) for node in self._nodes]
            + [_field(2, b"mobilenetv2")]
            + [_field(5, constant) for constant in self._constants]
            + [_field(11, _described("picture", (1, 3, SIDE_PX, SIDE_PX)))]
            + [_field(12, _described("embedding", (1, LENGTH)))]
            + [_field(12, _described("features", (1, CHANNELS, SIDE_PX // 32, SIDE_PX // 32)))]
        )
        return _field(1, _IR_VERSION) + _field(7, b"".join(graph)) + _field(8, _field(2, _OPSET))

    def _block(self, name: str, source: str, expansion: int, stride: int, residual: bool) -> str:
        """Widen, filter each channel, narrow: an inverted residual with a linear bottleneck."""
        end, index = source, 0
        if expansion > 1:
            end, index = self._convolution(name, index, end), index + 3
        end, index = self._convolution(name, index, end, stride=stride), index + 3
        end = self._convolution(name, index, end, linear=True)
        return self._node("Add", [source, end], f"{name}.sum") if residual else end

    def _convolution(
        self, name: str, index: int, source: str, *, stride: int = 1, linear: bool = False
    ) -> str:
        """A convolution, the batch norm after it and, unless `linear`, ReLU6."""
        kernel = self._state[f"{name}.{index}.weight"].astype(np.float64)
        gain, offset, mean, variance = (
            self._state[f"{name}.{index + 1}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        # Each of these steps is rounded alike on every machine, so the file can have one hash.
        gain = gain / np.sqrt(variance + _EPSILON)
        name = f"{name}.{index}"
        self._constant(f"{name}.kernel", kernel * gain[:, None, None, None])
        self._constant(f"{name}.offset", offset - mean * gain)
        outputs, inputs, side, _ = kernel.shape
        end = self._node(
            "Conv",
            [source, f"{name}.kernel", f"{name}.offset"],
            name,
            kernel_shape=(side, side),
            strides=(stride, stride),
            pads=(side // 2,) * 4,
            group=outputs if inputs == 1 else 1,
        )
        return end if linear else self._node("Clip", [end, "zero", "six"], f"{name}.relu6")

    def _node(
        self, kind: str, sources: list[str], target: str, **how: int | tuple[int, ...]
    ) -> str:
        fields = [_field(1, source) for source in sources]
        fields += [_field(2, target), _field(3, target), _field(4, kind)]
        for name, value in how.items():
            whole = isinstance(value, int)
            values = (value,) if isinstance(value, int) else value
            numbers = b"".join(_field(3 if whole else 8, number) for number in values)
            fields.append(_field(5, _field(1, name) + numbers + _field(20, 2 if whole else 7)))
        self._nodes.append(b"".join(fields))
        return target

    def _constant(self, name: str, values: Array) -> None:
        shape = b"".join(_field(1, side) for side in values.shape)
        numbers = _field(9, values.astype("<f4").tobytes())
        self._constants.append(shape + _field(2, _FLOAT) + _field(8, name) + numbers)


def _described(name: str, shape: tuple[int, ...]) -> bytes:
    """The name and type of what goes in or comes out."""
    sides = b"".join(_field(1, _field(1, side)) for side in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, _FLOAT) + _field(2, sides)))


def _field(number: int, value: int | str | bytes) -> bytes:
    """One field of a protobuf message: a varint, or a length and that many bytes."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    septets = []
    while value > 0x7F:
        septets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*septets, value])
