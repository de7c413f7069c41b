"""Starting and stopping the server, and its errors."""

import builtins
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.emulator import Emulator, Fault, RunningServer, TaskTiming, serving, start
from lab.errors import InputError
from lab.render import render
from tests.waiting import HANGS_S, until


def test_it_serves_inside_the_block_only() -> None:
    """It leaves no thread and no open port."""
    before = set(threading.enumerate())
    with serving(Emulator()) as running:
        assert isinstance(running, RunningServer)
        assert httpx.get(f"{running.url}/emulator/state", trust_env=False).status_code == 200
        assert running.url != running.media_url
        assert running.environment == {
            "KLING_URL": running.url,
            "KLING_API_KEY": running.emulator.account.api_key,
        }
        assert running.emulator.account.api_key not in repr(running)
    assert set(threading.enumerate()) <= before
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{running.url}/emulator/state", trust_env=False)


def test_it_starts_and_stops_without_a_block() -> None:
    """A second stop does nothing."""
    running = start()
    assert httpx.get(f"{running.url}/emulator/faults", trust_env=False).json() == []
    running.stop()
    running.stop()


def test_stopping_ends_delayed_replies(modern_body: Any) -> None:
    """A reply that is delayed by an hour does not delay the stop."""
    emulator = Emulator(faults=[Fault("slow", seconds=3600)])
    running = start(emulator)
    headers = {"Authorization": f"Bearer {emulator.account.api_key}"}
    with (
        httpx.Client(base_url=running.url, headers=headers, trust_env=False) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        body = modern_body()
        pool.submit(client.post, "/image-to-video/kling-3.0", json=body, timeout=HANGS_S)
        until(lambda: emulator.charged_jobs)
        running.stop()
    assert emulator.charged_jobs == 1


def test_stopping_cancels_renders(modern_body: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 4k clip of 15 s has 361 frames; stopping renders no more of them."""
    rendered: list[Any] = []

    def counted(*scene: Any, **options: Any) -> Iterator[Any]:
        for frame in render(*scene, **options):
            rendered.append(None)
            yield frame

    monkeypatch.setattr("lab.emulator.rendering.render", counted)
    emulator = Emulator(timing=TaskTiming.instant())
    headers = {"Authorization": f"Bearer {emulator.account.api_key}"}
    running = start(emulator)
    body = modern_body(duration=15, resolution="4k")
    with httpx.Client(headers=headers, trust_env=False) as client:
        job = client.post(f"{running.url}/image-to-video/kling-3.0", json=body).json()["data"]
        rows = client.get(f"{running.url}/tasks?task_ids={job['id']}").json()["data"]
    with ThreadPoolExecutor(1) as pool:
        url = rows[0]["outputs"][0]["url"]
        pool.submit(httpx.get, url, trust_env=False, timeout=HANGS_S)
        until(lambda: rendered)
        running.stop()
    assert 0 < len(rendered) < 361


def test_tasks_outlive_the_server(modern_body: Any) -> None:
    """An emulator that is served again still has its tasks."""
    emulator = Emulator()
    headers = {"Authorization": f"Bearer {emulator.account.api_key}"}
    with serving(emulator) as running:
        path = f"{running.url}/image-to-video/kling-3.0"
        httpx.post(path, json=modern_body(external_id="a"), headers=headers, trust_env=False)
    with serving(emulator) as running:
        path = f"{running.url}/tasks?external_task_ids=a"
        rows = httpx.get(path, headers=headers, trust_env=False).json()["data"]
    assert [row["external_id"] for row in rows] == ["a"]


def test_a_port_in_use_is_named() -> None:
    """One line names the port and says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port}: cannot be used"):
            start(port=port)
        with pytest.raises(InputError, match=f"port {port}: cannot be used"):
            start(media_port=port)
    with pytest.raises(InputError, match="port 99999"):
        start(port=99999)


@pytest.mark.parametrize("host", ["0.0.0.0", "example.com", "192.168.0.1", ""])
def test_it_serves_loopback_only(host: str) -> None:
    """Other hosts are refused, because the controls need no key."""
    with pytest.raises(InputError, match="loopback only"):
        start(host=host)


def test_a_missing_web_server_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing works without the web server; serving says what to install."""
    for name in ("lab.emulator.hosts", "lab.emulator.web", "lab.emulator.connection"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.split(".")[0] in ("starlette", "uvicorn"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r'pip install "i2v-lab\[emulator\]"'):
        start()


def test_serve_prints_the_environment_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    """It prints two export lines and the media URL, and ends cleanly."""
    program = (
        "import sys, lab.emulator as e\n"
        "lines = []\n"
        "def announce(line):\n"
        "    print(line, flush=True)\n"
        "    lines.append(line)\n"
        "    if len(lines) == 3:\n"
        "        import _thread; _thread.interrupt_main()\n"
        "e.serve(port=0, announce=announce)\n"
        "print('ended')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("export KLING_URL=http://127.0.0.1:")
    assert lines[1].startswith("export KLING_API_KEY=api-key-kling-emulator-")
    assert "media: http://127.0.0.1:" in lines[2]
    assert lines[3] == "ended"
    assert done.stderr == ""


def test_the_folder_is_deleted_with_the_emulator() -> None:
    """The temporary folder is deleted without a warning."""
    emulator = Emulator()
    folder = emulator.folder
    assert folder.is_dir()
    del emulator
    assert not folder.exists()
