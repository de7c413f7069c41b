"""Starts a real JupyterLab and drives a notebook in it."""

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import nbformat
from nbformat import v4
from playwright.sync_api import Locator

from tests.browser.visit import Visit
from tests.waiting import until

SECRET = "api-key-kling-s3cr3t-000000000000000000000000000000000000"
# No dialog about news, no autosave, and no debugger, which logs errors when a kernel restarts.
_CONFIGURATION = {
    "default_setting_overrides": {
        "@jupyterlab/apputils-extension:notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
            "doNotDisturbMode": True,
        },
        "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    },
    "page_config": {"disabledExtensions": {"@jupyterlab/debugger-extension": True}},
}
# The state of the open notebook: cells that have not run yet, and errors.
_STATE = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  const cells = [...panel?.content?.model?.cells ?? []].filter((cell) => cell.type === "code");
  const outputs = cells.flatMap((cell) => cell.outputs.toJSON());
  return {
    ready: panel?.sessionContext?.session?.kernel?.status === "idle",
    cells: panel?.content?.model?.cells.length,
    open: cells.filter((cell) => cell.executionCount === null).length,
    errors: outputs.filter((output) => output.output_type === "error")
      .map((output) => `${output.ename}: ${output.evalue}`),
  };
}"""


@dataclass(frozen=True)
class Server:
    """A running JupyterLab. root: the folder that it serves."""

    root: Path
    url: str
    token: str
    log: Path

    def write(self, name: str, cells: Sequence[str]) -> None:
        """Write a notebook with these code cells into the root."""
        book = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(book, self.root / name)

    def end_kernels(self, name: str) -> None:
        """End the kernels of a notebook. They keep running when its page is closed."""
        with self._ask("api/sessions") as answer:
            sessions = json.load(answer)
        for session in sessions:
            if session["path"] == name:
                self._ask(f"api/sessions/{session['id']}", "DELETE").close()

    def _ask(self, path: str, method: str = "GET") -> Any:
        headers = {"Authorization": f"token {self.token}"}
        return urlopen(Request(f"{self.url}{path}", headers=headers, method=method), timeout=60)


@contextmanager
def serving(base: Path, **environment: str) -> Iterator[Server]:
    """Start a server with an empty configuration over base/root."""
    root, config = base / "root", base / "config"
    root.mkdir(exist_ok=True)
    (config / "labconfig").mkdir(parents=True)
    for name, content in _CONFIGURATION.items():
        (config / "labconfig" / f"{name}.json").write_text(json.dumps(content))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(root, f"http://127.0.0.1:{port}/", secrets.token_hex(16), base / "server.log")
    folders = {
        "JUPYTER_CONFIG_DIR": config,
        "JUPYTER_DATA_DIR": base / "share",
        "JUPYTER_RUNTIME_DIR": base / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": base / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": base / "workspaces",
        "IPYTHONDIR": base / "ipython",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    command += [f"--IdentityProvider.token={server.token}", "--LabApp.expose_app_in_browser=True"]
    variables = {name: str(folder) for name, folder in folders.items()} | environment
    with (
        server.log.open("wb") as log,
        subprocess.Popen(
            command, cwd=root, env={**os.environ, **variables}, stdout=log, stderr=log
        ) as process,
    ):
        try:
            _wait(server, process)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(server: Server, process: "subprocess.Popen[bytes]") -> None:
    def answers() -> bool:
        try:
            with urlopen(f"{server.url}api?token={server.token}", timeout=10):
                return True
        except OSError:
            return False

    until(lambda: process.poll() is not None or answers())
    log = server.log.read_text()[-3000:]
    assert process.poll() is None, f"JupyterLab did not start:\n{log}"


class Notebook:
    """A notebook of a server, open in the browser."""

    def __init__(self, server: Server, name: str, open_page: Callable[..., Visit]) -> None:
        self.server = server
        self.path = server.root / name
        self.visit = open_page(
            f"{server.url}lab/tree/{name}?token={server.token}&reset", allowed=(server.url,)
        )
        self.page = self.visit.page
        self.ready()

    def close(self) -> None:
        """Close the page and end the kernel."""
        self.page.context.close()
        self.server.end_kernels(str(self.path.relative_to(self.server.root)))

    def ready(self) -> None:
        """Wait until the kernel answers."""
        self.page.locator(".jp-Notebook").wait_for(timeout=120_000)
        self.page.wait_for_function(f"({_STATE})().ready", timeout=120_000)

    def state(self) -> dict[str, Any]:
        """The state of the open notebook."""
        return self.page.evaluate(_STATE)

    def menu(self, menu: str, entry: str) -> None:
        """Choose an entry of the menu bar."""
        self.page.locator(".lm-MenuBar-item", has_text=menu).first.click()
        self.page.locator(".lm-Menu-item", has_text=entry).first.click()

    def run_all(self, timeout_s: float = 120, *, restart: bool = True) -> None:
        """Restart the kernel if asked to, run all cells, and wait until none is left."""
        if restart:
            self.menu("Run", "Restart Kernel and Run All Cells")
            self.page.locator(".jp-Dialog .jp-mod-accept").click()
        else:
            self.menu("Run", "Run All Cells")
        self.page.wait_for_function(
            f"() => {{ const s = ({_STATE})(); return s.ready && !s.open || s.errors.length; }}",
            timeout=1000 * timeout_s,
        )
        assert self.state()["errors"] == [], self.state()["errors"]

    def save(self) -> nbformat.NotebookNode:
        """Save the notebook in JupyterLab and return the saved file."""
        with self.page.expect_response(
            lambda answer: answer.request.method == "PUT" and "/api/contents/" in answer.url
        ) as answer:
            self.menu("File", "Save Notebook")
        assert answer.value.ok
        return nbformat.read(self.path, 4)

    def cell(self, index: int) -> Locator:
        """A cell, scrolled into view."""
        cell = self.page.locator(".jp-Notebook .jp-Cell").nth(index)
        cell.scroll_into_view_if_needed()
        return cell

    @property
    def active(self) -> int:
        """The index of the active cell."""
        return self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex"
        )

    def reload(self) -> None:
        """Reload the page in the browser."""
        self.page.reload()
        self.ready()

    def panel(self, index: int) -> Locator:
        """The panel in the output of a cell."""
        shown = self.cell(index).locator(".i2v-panel")
        shown.wait_for()
        return shown
