"""A callback from the service shortens the wait; polling alone is enough."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lab.emulator import Account, Emulator, TaskTiming, serving

STILL = Path(__file__).resolve().parents[2] / "data" / "stills" / "coffee.jpg"
SECRET = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


# The quick tier checks signatures: tests/backends/kling/test_callbacks.py.
@pytest.mark.slow
def test_a_signed_callback_ends_the_wait_for_a_job(
    offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an hour between polls, a run ends as soon as a signed callback arrives."""
    port = free_port()
    emulator = Emulator(
        account=Account(webhook_secret=SECRET),
        timing=TaskTiming(submitted_s=0.3, processing_s=0.7),
        short_side_px=64,
    )
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(
        f"stills: {STILL}\nprompts: [push in, pan left]\nsettings: {{duration_s: 3}}\n"
        "backend: kling\nbudget_usd: 1\n"
    )
    with serving(emulator) as running:
        for name, value in {
            **running.environment,
            "KLING_POLL_S": "3600",
            "KLING_CALLBACK_URL": f"http://127.0.0.1:{port}/",
            "KLING_CALLBACK_PORT": str(port),
            "KLING_WEBHOOK_SECRET": SECRET,
        }.items():
            monkeypatch.setenv(name, value)
        done = subprocess.run(
            [sys.executable, "-m", "lab", "run", str(sweep), "--out", str(tmp_path / "run")],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert emulator.callbacks >= 2
