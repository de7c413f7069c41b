"""A real browser, pages that record errors and requests, and a run of coded clips."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from lab.analysis import Results, load
from lab.backends import BACKENDS
from lab.runs import run
from lab.settings import settings
from lab.sweeps import Sweep
from tests.browser.coded_clips import CodedBackend, clips
from tests.browser.hostile import Hostile, HostileBackend, make
from tests.browser.visit import Visit

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_NO_BROWSER = (
    "no browser: the browser tests did not run. Install Chromium (Debian: apt install chromium) "
    "or name its program in I2VLAB_CHROMIUM"
)


@pytest.fixture(scope="session")
def chromium_program() -> str:
    """The path of the browser. Without one, tests are skipped, or fail if it is required."""
    named = os.environ.get("I2VLAB_CHROMIUM")
    program = (
        shutil.which(named) if named else next(filter(None, map(shutil.which, _PROGRAMS)), None)
    )
    if program is None:
        if named or os.environ.get("I2VLAB_REQUIRE_BROWSER"):
            pytest.fail(_NO_BROWSER)
        pytest.skip(_NO_BROWSER)
    return program


@pytest.fixture(scope="module")
def chromium(chromium_program: str) -> Iterator[Browser]:
    """The browser. It is closed after each test file, because its event loop blocks others."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_program,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Visit]]:
    """A function that opens an address on a new page, which blocks forbidden requests."""
    visits: list[Visit] = []

    def opened(address: str | Path, **options: object) -> Visit:
        visits.append(Visit(chromium, address, **options))  # type: ignore[arg-type]
        return visits[-1]

    yield opened
    for made in visits:
        made.page.context.close()


@pytest.fixture(scope="session")
def coded_results(tmp_path_factory: pytest.TempPathFactory, stills_dir: Path) -> Results:
    """A run of coded clips. One take is never made."""
    base = tmp_path_factory.mktemp("coded")
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as executor:
        patch.setitem(BACKENDS, "coded", CodedBackend)
        patch.setenv("I2VLAB_DATA_DIR", str(base / "data"))
        settings.cache_clear()
        sweep = Sweep.of(
            stills=[stills_dir / "coffee.jpg"],
            prompts=[{"name": name, "text": name} for name in clips()],
            settings={"duration_s": 1, "seed": 7},
            name="coded clips",
            question="Which frame is shown?",
            backend="coded",
            budget_usd=1,
        )
        outcome = run(sweep, base / "run", quiet=True, executor=executor)
    settings.cache_clear()
    assert outcome.scored == len(clips()) - 1
    return load(base / "run")


@pytest.fixture(scope="session")
def hostile(shared_dir: Callable[[str], Any], no_weights: Callable[[Path], Any]) -> Hostile:
    """Runs in which every text is hostile. Nothing looks for the subject of the many stills."""
    with (
        shared_dir("hostile") as (base, fresh),
        pytest.MonkeyPatch.context() as patch,
        no_weights(base / "cache"),
    ):
        patch.setitem(BACKENDS, "hostile", HostileBackend)
        patch.setenv("I2VLAB_DATA_DIR", str(base / "data"))
        settings.cache_clear()
        made = make(base, fresh=fresh)
    settings.cache_clear()
    return made
