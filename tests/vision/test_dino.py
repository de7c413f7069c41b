"""DINO's network: the same as torch's own layers, and careful about where its weights come from."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import WeightsError
from lab.vision.dino import Dino, dino

State = Callable[..., dict[str, Any]]
PARTS = {
    "self_attn.in_proj_": "attn.qkv.",
    "self_attn.out_proj.": "attn.proj.",
    "linear1.": "mlp.fc1.",
    "linear2.": "mlp.fc2.",
    "norm1.": "norm1.",
    "norm2.": "norm2.",
}


@pytest.fixture
def picture() -> np.ndarray:
    """224x224 pixels of noise, 0..255."""
    return np.random.default_rng(0).uniform(0, 255, (224, 224, 3)).astype(np.float32)


def test_it_is_the_transformer_of_torchs_own_layers(dino_state: State, picture: np.ndarray) -> None:
    """Two blocks with two heads give what torch's pre-norm encoder gives with the same weights."""
    state = dino_state(blocks=2, width=128)
    import torch

    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    shown = ((torch.from_numpy(picture) / 255 - mean) / std).permute(2, 0, 1)[None]
    cut = torch.nn.Conv2d(3, 128, 16, 16)
    cut.load_state_dict({k: state[f"patch_embed.proj.{k}"] for k in ("weight", "bias")})
    with torch.no_grad():
        x = torch.cat((state["cls_token"], cut(shown).flatten(2).mT), 1) + state["pos_embed"]
        for block in range(2):
            layer = torch.nn.TransformerEncoderLayer(
                128, 2, 512, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True
            )
            layer.load_state_dict(
                {
                    theirs + kind: state[f"blocks.{block}.{ours}{kind}"]
                    for theirs, ours in PARTS.items()
                    for kind in ("weight", "bias")
                }
            )
            x = layer(x)
        token = torch.nn.functional.layer_norm(
            x, (128,), state["norm.weight"], state["norm.bias"], 1e-6
        )[0, 0]
    expected = (token / token.norm()).numpy()
    np.testing.assert_allclose(Dino(state).features(picture), expected, atol=2e-5)


def test_features_are_unit_vectors_of_any_shape_of_picture(dino_state: State) -> None:
    """A wide or a tall picture is seen whole, a centre is a square; each answer has length 1."""
    network = Dino(dino_state(blocks=2, width=32))
    rgb = np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)
    found = [network.whole(rgb), network.whole(rgb.swapaxes(0, 1).copy()), network.centre(rgb)]
    for vector in found:
        assert vector.shape == (32,)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    # The sides beyond the centre are not seen.
    beside = rgb.copy()
    beside[:, :30] = 0
    np.testing.assert_array_equal(network.centre(beside), found[2])
    assert not np.allclose(network.whole(beside), found[0], atol=1e-4)


def test_positions_are_stretched_not_repeated(dino_state: State) -> None:
    """Positions that rise evenly along the square rise evenly along a wide picture."""
    state = dino_state(blocks=1, width=32)
    import torch

    ramp = torch.arange(14.0).repeat(14)
    state["pos_embed"] = torch.cat((torch.zeros(1), ramp))[None, :, None].expand(1, -1, 32)
    columns = Dino(state)._positions(224, 448)[0, 1:, 0].reshape(14, 28)
    assert torch.allclose(columns, columns[:1])
    # Two new columns to an old one, but for the tenth of a patch that DINO adds.
    steps = columns[0, 4:24:2].diff().numpy()
    np.testing.assert_allclose(steps, 2 * 14 / 28.1, atol=0.01)


def test_another_network_is_refused(
    dino_state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_settings: None
) -> None:
    """A smaller network would give other numbers under the same name; it is not taken."""
    state = dino_state(blocks=2, width=32)
    import torch

    path = tmp_path / "small.pth"
    torch.save(state, path)
    monkeypatch.setenv("I2VLAB_DINO", str(path))
    with pytest.raises(WeightsError, match=r"small\.pth: not DINO's ViT-B/16"):
        dino()


def test_weights_that_do_not_fit_are_named(dino_state: State) -> None:
    """A missing tensor is named; one of another shape is told in one line."""
    state = dino_state(blocks=2, width=32)
    with pytest.raises(WeightsError, match=r"no 'blocks\.1\.mlp\.fc2\.bias' among"):
        Dino({name: each for name, each in state.items() if name != "blocks.1.mlp.fc2.bias"})
    with pytest.raises(WeightsError, match="do not fit together") as refused:
        Dino({**state, "norm.weight": state["cls_token"]})
    assert "\n" not in str(refused.value)
    with pytest.raises(WeightsError, match="among the weights"):
        Dino({})


@pytest.mark.parametrize("content", ["words", "code", None])
def test_a_file_of_anything_else_is_refused(
    dino_state: State,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fresh_settings: None,
    content: str | None,
) -> None:
    """Text, a pickle that would run code, and no file at all are one line each; nothing runs."""
    import torch

    path = tmp_path / f"{content}.pth"
    if content == "words":
        path.write_text("words")
    elif content == "code":
        torch.save({"cls_token": tmp_path}, path)
    monkeypatch.setenv("I2VLAB_DINO", str(path))
    said = "no such file" if content is None else "not a file of weights"
    with pytest.raises(WeightsError, match=said) as refused:
        dino()
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_without_torch_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_settings: None
) -> None:
    """The reason names the extra and the setting."""
    monkeypatch.setenv("I2VLAB_DINO", str(tmp_path / "dino.pth"))
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(WeightsError, match=r"torch.*i2v-lab\[dino\].*I2VLAB_DINO"):
        dino()


def test_unset_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch, fresh_settings: None) -> None:
    """The same reason where nothing was set."""
    monkeypatch.delenv("I2VLAB_DINO", raising=False)
    with pytest.raises(WeightsError, match=r"i2v-lab\[dino\].*I2VLAB_DINO"):
        dino()


def test_nothing_is_fetched_where_that_is_forbidden(
    dino_state: State, monkeypatch: pytest.MonkeyPatch, offline: Path
) -> None:
    """With fetching forbidden, "hub" is answered with the setting that would do."""
    monkeypatch.setenv("I2VLAB_DINO", "hub")
    with pytest.raises(WeightsError, match="I2VLAB_FETCH_WEIGHTS forbids"):
        dino()
    assert not offline.exists()
