"""Fixtures for the tests of every room: photographs, small scenes, small clips."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from filelock import FileLock
from hypothesis import settings as hypothesis_settings
from numpy.typing import NDArray

from lab.errors import WeightsError
from lab.media import open_image, write_clip
from lab.render import Scene
from lab.settings import settings
from lab.stills import Still
from lab.vision import weight_path
from tests import tiers

if TYPE_CHECKING:
    from lab.emulator import RunningServer

REPOSITORY = Path(__file__).parent.parent
Pixels = NDArray[np.uint8]

# Notebooks with slow renders. The quick tier runs the same calls in tests/test_cli.py,
# tests/stills, tests/prompts, tests/widgets and tests/test_cli_money.py.
_LONG_NOTEBOOKS = (
    "02_sweep.ipynb",
    "03_stills_and_prompts.ipynb",
    "04_panels.ipynb",
    "06_kling.ipynb",
)
# The slowest files start first, so that no worker waits at the end for another.
_LONGEST_FIRST = (
    "test_recipes.py",
    "test_event_sequences.py",
    "test_validation.py",
    "test_crash.py",
    "test_jupyter.py",
    "test_cli.py",
    "test_interrupt.py",
    "test_cli_money.py",
)

# No deadline, because slow machines must not fail. Derandomized, so that runs are repeatable.
hypothesis_settings.register_profile(
    "lab", deadline=None, derandomize=True, max_examples=tiers.QUICK
)
hypothesis_settings.register_profile(
    "thorough", hypothesis_settings.get_profile("lab"), max_examples=tiers.THOROUGH
)
hypothesis_settings.load_profile("lab")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cells of slow notebooks as slow, and sort the slowest files first."""
    for item in items:
        if item.path.name in _LONG_NOTEBOOKS:
            item.add_marker(pytest.mark.slow)
    rank = {name: number for number, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


@pytest.fixture(scope="session")
def stills_dir() -> Path:
    """The folder of photographs in the repository."""
    return REPOSITORY / "data" / "stills"


@pytest.fixture(scope="session")
def coffee(stills_dir: Path) -> Still:
    """A valid still: a cup on a table, 600x400."""
    return Still.open(stills_dir / "coffee.jpg")


@pytest.fixture(scope="session")
def photo(coffee: Still) -> Pixels:
    """Pixels of that still."""
    return coffee.rgb()


@pytest.fixture(scope="session")
def texture(stills_dir: Path) -> Pixels:
    """Pixels of a photograph with fine detail almost everywhere, 512x512."""
    return open_image(stills_dir / "astronaut.jpg").rgb


@pytest.fixture(scope="session")
def pan_clip() -> Callable[..., Path]:
    """Write a clip in which a photograph moves left by `step_px` per frame."""

    def write(
        path: Path,
        rgb: Pixels,
        *,
        count: int = 12,
        fps: float = 24,
        step_px: int = 4,
        **options: object,
    ) -> Path:
        height = rgb.shape[0] // 2 * 2
        width = (rgb.shape[1] - step_px * count) // 2 * 2
        pictures = (
            np.ascontiguousarray(rgb[:height, step_px * index : step_px * index + width])
            for index in range(count)
        )
        write_clip(path, pictures, fps=fps, **options)  # type: ignore[arg-type]
        return path

    return write


@pytest.fixture(scope="session")
def scene_of() -> Callable[..., Scene]:
    """Build a small scene: a disc of one image in front of another image.

    `radius_px` 0 gives a scene without a subject.
    """

    def build(
        background: Pixels,
        subject: Pixels,
        *,
        width: int = 320,
        height: int = 240,
        radius_px: int = 60,
    ) -> Scene:
        margin = 40
        size = (width + 2 * margin, height + 2 * margin)
        canvas = cv2.resize(background, size, interpolation=cv2.INTER_AREA)
        colours = cv2.resize(subject, size, interpolation=cv2.INTER_AREA)
        y, x = np.mgrid[: size[1], : size[0]]
        distance = np.hypot(x - (size[0] - 1) / 2, y - (size[1] - 1) / 2)
        alpha = np.clip((radius_px - distance) / 2 + 0.5, 0, 1) if radius_px else 0 * distance
        premultiplied = (colours * alpha[..., None]).round().astype(np.uint8)
        layer = np.dstack([premultiplied, (alpha * 255).round().astype(np.uint8)])
        return Scene(canvas, layer, margin, margin, width, height)

    return build


@pytest.fixture(scope="session", autouse=True)
def one_worker() -> Iterator[None]:
    """Score with one worker: pytest-xdist already uses every core."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("I2VLAB_WORKERS", "1")
        yield


class _ThreadWorker(ThreadPoolExecutor):
    """Replaces the pool of worker processes by a thread of this process."""

    def __init__(self, workers: int | None = None, *, fetch_weights: bool = True) -> None:
        super().__init__(1)

    def stop(self) -> None:
        self.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def in_process() -> Iterator[None]:
    """Measure clips in a thread of this process, for a module that does not test processes.

    A worker process costs 1.5 s of imports and detects the subject of each still again.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.runs.worker_pool.WorkerPool", _ThreadWorker)
        yield


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> "Iterator[RunningServer]":
    """A paid service on loopback with instant jobs; the environment points at it."""
    from lab.emulator import Emulator, TaskTiming, serving

    with serving(Emulator(timing=TaskTiming.instant(), short_side_px=64)) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("KLING_POLL_S", "0.05")
        monkeypatch.setenv("KLING_SETTLE_S", "0")
        yield running


@pytest.fixture(scope="session")
def shared_dir(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Open a named folder that all workers share; the first one fills it."""
    base = tmp_path_factory.getbasetemp()
    shared_base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    @contextmanager
    def shared(name: str) -> Iterator[tuple[Path, bool]]:
        """Yield its path, and whether the caller must fill it; other workers wait meanwhile."""
        folder = shared_base / name
        with FileLock(shared_base / f"{name}.lock"):
            if fresh := not (folder / "filled").exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
            yield folder, fresh
            (folder / "filled").touch()

    return shared


@pytest.fixture(autouse=True)
def own_data_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own purchase index, separate from the user's."""
    monkeypatch.setenv("I2VLAB_DATA_DIR", str(tmp_path_factory.mktemp("data")))
    settings.cache_clear()


@pytest.fixture
def fresh_settings() -> Iterator[None]:
    """Clear the caches of settings and weights before and after the test."""
    _clear_caches()
    yield
    _clear_caches()


@pytest.fixture(scope="session")
def no_weights() -> Callable[[Path], AbstractContextManager[None]]:
    """Begin a time with an empty weight cache, in this folder, and with downloads disabled."""

    @contextmanager
    def begin(cache: Path) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            _forbid_weights(patch, cache)
            yield
        _clear_caches()

    return begin


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A test without weights, so that nothing looks for the subject; the cache's folder.

    By the test's own monkeypatch: what the test changes on top of it is undone before it.
    """
    _forbid_weights(monkeypatch, tmp_path / "cache")
    yield tmp_path / "cache"
    _clear_caches()


@pytest.fixture
def subject_weights() -> Path:
    """Weights of the subject network; skips with the reason if they are unavailable."""
    try:
        return weight_path("u2netp")
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def dino_state() -> Callable[..., dict[str, Any]]:
    """Make random weights with DINO's names; skips if torch is not installed."""
    reason = "torch is not installed; the optional extra dino brings it"
    torch = pytest.importorskip("torch", reason=reason)

    def build(*, blocks: int, width: int, patch_px: int = 16, side: int = 14) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(0)
        shapes: dict[str, tuple[int, ...]] = {
            "cls_token": (1, 1, width),
            "pos_embed": (1, side * side + 1, width),
            "patch_embed.proj.weight": (width, 3, patch_px, patch_px),
            "patch_embed.proj.bias": (width,),
        }
        layers = {"norm": (width,)}
        for block in (f"blocks.{index}." for index in range(blocks)):
            layers |= {f"{block}norm1": (width,), f"{block}norm2": (width,)}
            layers |= {f"{block}attn.qkv": (3 * width, width), f"{block}attn.proj": (width, width)}
            layers |= {f"{block}mlp.fc1": (4 * width, width), f"{block}mlp.fc2": (width, 4 * width)}
        for name, shape in layers.items():
            shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        return {
            name: 0.2 * torch.randn(shape, generator=generator) for name, shape in shapes.items()
        }

    return build


def _forbid_weights(patch: pytest.MonkeyPatch, cache: Path) -> None:
    patch.setenv("I2VLAB_CACHE_DIR", str(cache))
    patch.setenv("I2VLAB_FETCH_WEIGHTS", "false")
    _clear_caches()


def _clear_caches() -> None:
    from lab.metrics.measure import _reference
    from lab.stills.look import look
    from lab.vision.weights import _try_fetch

    for cached in (settings, weight_path, _try_fetch, look, _reference):
        cached.cache_clear()
