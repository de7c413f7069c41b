"""DINO's ViT-B/16, run as published, for numbers that must compare with other people's.

torch is an optional extra and is imported only when the network is wanted. The weights are a plain
state dict under the names of facebookresearch/dino: Caron et al., "Emerging Properties in
Self-Supervised Vision Transformers", ICCV 2021.
"""

import math
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.errors import WeightsError
from lab.files import make_writable_folder
from lab.settings import settings

HUB = "hub"
_FILE = "dino_vitbase16_pretrain.pth"
# As in the authors' hubconf.py; unverified: it was never fetched where this was written.
_URL = f"https://dl.fbaipublicfiles.com/dino/dino_vitbase16_pretrain/{_FILE}"
_WIDTH, _BLOCKS, _PATCH_PX, _SIDE_PX = 768, 12, 16, 224
_HEAD_WIDTH = 64  # in every size of the network
_EPSILON = 1e-6
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_WANTED = f'pip install "i2v-lab[dino]", and set I2VLAB_DINO to {_FILE} or to "{HUB}"'


class Dino:
    """A vision transformer of DINO's shape, of any size, on the processor."""

    def __init__(self, state: dict[str, Any]) -> None:
        """state: tensors by DINO's names; others beside them are left alone.

        Raises WeightsError when one is missing or of another shape than its neighbours ask for.
        """
        self._torch = _torch()
        self._state = state
        try:
            self.blocks = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
            self.width, _, self.patch_px, _ = state["patch_embed.proj.weight"].shape
            side_px = self.patch_px * math.isqrt(state["pos_embed"].shape[1] - 1)
            self.features(np.zeros((side_px, side_px, 3), np.float32))
        except KeyError as missing:
            raise WeightsError(f"no {missing} among the weights") from missing
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
            said = str(error).splitlines()[0]
            raise WeightsError(f"the weights do not fit together ({said})") from error

    def features(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """The normalised class token of a picture: a unit vector, (width,) float32.

        picture: (height, width, 3) float32 in 0..255, at least one patch a side; what exceeds a
        whole number of patches is not seen.
        """
        torch = self._torch
        with torch.inference_mode():
            shown = torch.from_numpy(picture / np.float32(255))
            shown = (shown - torch.tensor(_MEAN)) / torch.tensor(_STD)
            token = self._forward(shown.permute(2, 0, 1)[None])
            vector: NDArray[np.float32] = torch.nn.functional.normalize(token, dim=-1).numpy()
        return vector

    def whole(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of the whole picture, its shorter side brought to 224 px (bilinear).

        rgb: (height, width, 3) uint8.
        """
        return self.features(self._resized(rgb, _SIDE_PX, "bilinear"))

    def centre(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of the middle 224 px, the shorter side brought to 256 px first (bicubic).

        rgb: (height, width, 3) uint8.
        """
        picture = self._resized(rgb, 256, "bicubic")
        top, left = (round((side - _SIDE_PX) / 2) for side in picture.shape[:2])
        return self.features(picture[top : top + _SIDE_PX, left : left + _SIDE_PX])

    def _resized(self, rgb: NDArray[np.uint8], side_px: int, how: str) -> NDArray[np.float32]:
        """As torchvision's Resize does with a float tensor, antialiased."""
        height, width = rgb.shape[:2]
        shorter = min(height, width)
        size = (int(side_px * height / shorter), int(side_px * width / shorter))
        picture = self._torch.from_numpy(rgb.astype(np.float32)).permute(2, 0, 1)[None]
        resized = self._torch.nn.functional.interpolate(
            picture, size, mode=how, align_corners=False, antialias=True
        )
        pixels: NDArray[np.float32] = resized[0].permute(1, 2, 0).contiguous().numpy()
        return pixels

    def _forward(self, x: Any) -> Any:
        functions = self._torch.nn.functional
        kernel = self._state["patch_embed.proj.weight"]
        positions = self._positions(*x.shape[2:])
        x = functions.conv2d(x, kernel, self._state["patch_embed.proj.bias"], stride=self.patch_px)
        x = self._torch.cat((self._state["cls_token"], x.flatten(2).transpose(1, 2)), dim=1)
        x = x + positions
        for place in range(self.blocks):
            block = f"blocks.{place}"
            x = x + self._attended(self._normed(x, f"{block}.norm1"), f"{block}.attn")
            inner = self._linear(self._normed(x, f"{block}.norm2"), f"{block}.mlp.fc1")
            x = x + self._linear(functions.gelu(inner), f"{block}.mlp.fc2")
        return self._normed(x, "norm")[0, 0]

    def _positions(self, height: int, width: int) -> Any:
        """The positions learned on a square, stretched to a picture of another shape."""
        learned = self._state["pos_embed"]
        side = math.isqrt(learned.shape[1] - 1)
        rows, columns = height // self.patch_px, width // self.patch_px
        if height == width and rows == side:
            return learned
        square = learned[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
        # DINO adds the tenth of a patch; it shifts every position a little.
        stretched = self._torch.nn.functional.interpolate(
            square, scale_factor=((rows + 0.1) / side, (columns + 0.1) / side), mode="bicubic"
        )
        return self._torch.cat((learned[:, :1], stretched.flatten(2).transpose(1, 2)), dim=1)

    def _attended(self, x: Any, name: str) -> Any:
        count = x.shape[1]
        heads = max(1, self.width // _HEAD_WIDTH)
        mixed = self._linear(x, f"{name}.qkv").reshape(1, count, 3, heads, self.width // heads)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)
        x = self._torch.nn.functional.scaled_dot_product_attention(query, key, value)
        return self._linear(x.transpose(1, 2).reshape(1, count, self.width), f"{name}.proj")

    def _linear(self, x: Any, name: str) -> Any:
        weight, bias = self._state[f"{name}.weight"], self._state[f"{name}.bias"]
        return self._torch.nn.functional.linear(x, weight, bias)

    def _normed(self, x: Any, name: str) -> Any:
        weight, bias = self._state[f"{name}.weight"], self._state[f"{name}.bias"]
        return self._torch.nn.functional.layer_norm(x, (self.width,), weight, bias, _EPSILON)


def dino() -> Dino:
    """DINO's ViT-B/16 from where I2VLAB_DINO says.

    Raises WeightsError, in one line, when torch or the weights cannot be had, or when they are of
    another network.
    """
    where = settings().dino
    if not where:
        raise WeightsError(f"needs DINO's weights: {_WANTED}")
    return _network(where)


@cache
def _network(where: str) -> Dino:
    torch = _torch()
    # A sum's last digits depend on how many threads share it, and a score may not.
    torch.set_num_threads(1)
    path = _fetched(torch) if where == HUB else Path(where)
    try:
        network = Dino(_state(torch, path))
    except WeightsError as error:
        raise WeightsError(f"I2VLAB_DINO: {path}: {error}") from error
    if (network.width, network.blocks, network.patch_px) != (_WIDTH, _BLOCKS, _PATCH_PX):
        raise WeightsError(f"I2VLAB_DINO: {path}: not DINO's ViT-B/16; {_FILE} is wanted")
    return network


def _state(torch: Any, path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise WeightsError("no such file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what hostile bytes raise has no bound
        raise WeightsError(f"not a file of weights ({type(error).__name__})") from error
    if not isinstance(state, dict):
        raise WeightsError("holds no state dict")
    return state


def _fetched(torch: Any) -> Path:
    """The authors' file in the cache, fetched if it is not there yet."""
    path = settings().cache_dir / "weights" / _FILE
    if path.is_file():
        return path
    if not settings().fetch_weights:
        raise WeightsError(
            f"DINO's weights are not in the cache, and I2VLAB_FETCH_WEIGHTS forbids fetching them; "
            f"set I2VLAB_DINO to {_FILE}"
        )
    make_writable_folder(path.parent)
    try:
        torch.hub.download_url_to_file(_URL, str(path), progress=False)
    except OSError as error:
        raise WeightsError(
            f"DINO's weights could not be fetched ({error}); connect, or set I2VLAB_DINO to {_FILE}"
        ) from error
    return path


def _torch() -> Any:
    try:
        return import_module("torch")
    except ImportError as error:
        raise WeightsError(f"needs torch, which is not installed: {_WANTED}") from error
