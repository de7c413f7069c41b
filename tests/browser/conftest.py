"""A real browser, pages that remember what they did, and a run whose clips tell their frames."""

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
from tests.browser.codes import CodedBackend, clips
from tests.browser.hostile import Hostile, HostileBackend, make
from tests.browser.visits import Visit

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_HOW = (
    "no browser: the browser tests did not run. Install Chromium (Debian: apt install chromium) "
    "or name its program in I2VLAB_CHROMIUM"
)


@pytest.fixture(scope="session")
def chromium_program() -> str:
    """Where the browser is; skips, with the reason, or fails where one is required."""
    named = os.environ.get("I2VLAB_CHROMIUM")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        if named or os.environ.get("I2VLAB_REQUIRE_BROWSER"):
            pytest.fail(_HOW)
        pytest.skip(_HOW)
    return found


@pytest.fixture(scope="module")
def chromium(chromium_program: str) -> Iterator[Browser]:
    """The browser. Ends with its file: it runs an event loop, beside which others cannot run."""
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
    """Open an address on a fresh page; what it may not ask for is blocked, and remembered."""
    visits: list[Visit] = []

    def opened(address: str | Path, **how: object) -> Visit:
        visits.append(Visit(chromium, address, **how))  # type: ignore[arg-type]
        return visits[-1]

    yield opened
    for made in visits:
        made.page.context.close()


@pytest.fixture(scope="session")
def coded_results(tmp_path_factory: pytest.TempPathFactory, stills_dir: Path) -> Results:
    """A run of small clips whose frames carry their number; one take was never made."""
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
def hostile(shared_dir: Callable[[str], Any]) -> Hostile:
    """Runs in which every text is hostile."""
    with shared_dir("hostile") as (base, fresh), pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKENDS, "hostile", HostileBackend)
        patch.setenv("I2VLAB_DATA_DIR", str(base / "data"))
        settings.cache_clear()
        made = make(base, fresh=fresh)
    settings.cache_clear()
    return made
