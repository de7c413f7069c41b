"""Starting, stopping, and what may go wrong with it."""

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


def test_it_answers_when_the_block_begins_and_is_gone_after() -> None:
    """No thread and no port is left behind."""
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


def test_it_starts_and_stops_by_hand() -> None:
    """For notebooks; stopping twice does nothing."""
    running = start()
    assert httpx.get(f"{running.url}/emulator/faults", trust_env=False).json() == []
    running.stop()
    running.stop()


def test_stopping_waits_for_nobody_who_sleeps(modern_body: Any) -> None:
    """A reply that is an hour late does not keep the server up."""
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


def test_stopping_gives_up_clips_that_are_being_made(
    modern_body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 4k clip of 15 s has 361 frames; after some of them stopping makes no more."""
    made: list[Any] = []

    def counted(*scene: Any, **how: Any) -> Iterator[Any]:
        for frame in render(*scene, **how):
            made.append(None)
            yield frame

    monkeypatch.setattr("lab.emulator.rendering.render", counted)
    emulator = Emulator(timing=TaskTiming.instant())
    headers = {"Authorization": f"Bearer {emulator.account.api_key}"}
    running = start(emulator)
    body = modern_body(duration=15, resolution="4k")
    with httpx.Client(headers=headers, trust_env=False) as client:
        job = client.post(f"{running.url}/image-to-video/kling-3.0", json=body).json()["data"]
        told = client.get(f"{running.url}/tasks?task_ids={job['id']}").json()["data"]
    with ThreadPoolExecutor(1) as pool:
        url = told[0]["outputs"][0]["url"]
        pool.submit(httpx.get, url, trust_env=False, timeout=HANGS_S)
        until(lambda: made)
        running.stop()
    assert 0 < len(made) < 361


def test_tasks_outlive_the_server(modern_body: Any) -> None:
    """The same emulator served again knows them, as the real service would."""
    emulator = Emulator()
    headers = {"Authorization": f"Bearer {emulator.account.api_key}"}
    with serving(emulator) as running:
        path = f"{running.url}/image-to-video/kling-3.0"
        httpx.post(path, json=modern_body(external_id="a"), headers=headers, trust_env=False)
    with serving(emulator) as running:
        path = f"{running.url}/tasks?external_task_ids=a"
        rows = httpx.get(path, headers=headers, trust_env=False).json()["data"]
    assert [row["external_id"] for row in rows] == ["a"]


def test_a_port_that_is_taken_is_named() -> None:
    """One line that says which and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port}: cannot be served on"):
            start(port=port)
        with pytest.raises(InputError, match=f"port {port}: cannot be served on"):
            start(media_port=port)
    with pytest.raises(InputError, match="port 99999"):
        start(port=99999)


@pytest.mark.parametrize("host", ["0.0.0.0", "example.com", "192.168.0.1", ""])
def test_it_serves_this_machine_only(host: str) -> None:
    """Its controls ask for no key."""
    with pytest.raises(InputError, match="this machine only"):
        start(host=host)


def test_without_a_web_server_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the room works; serving names the extra."""
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


def test_serve_says_how_to_point_a_client_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    """Two export lines, the media address, and a clean end."""
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


def test_the_folder_goes_with_the_emulator() -> None:
    """Nothing is left in the temporary folder, and no warning either."""
    emulator = Emulator()
    folder = emulator.folder
    assert folder.is_dir()
    del emulator
    assert not folder.exists()
