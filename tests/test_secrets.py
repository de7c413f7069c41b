"""Keys appear nowhere: not in a ledger, a log, a traceback, a notebook or a report."""

import base64
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from lab.cli import main
from lab.emulator import Account, Emulator, Fault, RunningServer, TaskTiming, serving

Lab = Callable[..., tuple[int, bytes]]
ROOT = Path(__file__).resolve().parents[1]
STILL = ROOT / "data" / "stills" / "coffee.jpg"
ACCOUNT = Account(
    api_key="api-key-kling-s3cr3t-000000000000000000000000000000000000",
    access_key="s3cr3t-access-0000000000000000000000",
    secret_key="s3cr3t-secret-0000000000000000000000000000",
    webhook_secret="whsec_" + base64.b64encode(b"s3cr3t-webhook-0000000000000").decode(),
)
MARKS = (
    b"s3cr3t",
    base64.b64encode(b"s3cr3t-webhook-0000000000000"),
    b"Bearer ",
    b"eyJhbGciOiJIUzI1NiI",  # how every signed token begins
)
FAULTS = [
    {"kind": "html_502", "method": "POST", "times": 1},
    {"kind": "accept_then_drop", "method": "POST", "times": 1},
    {"kind": "bad_json", "times": 2},
    {"kind": "wrong_type_download", "times": 9},
]


@pytest.fixture(params=["new", pytest.param("legacy", marks=pytest.mark.slow)])
def service(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningServer]:
    """A service with many faults, and an environment with every key."""
    faults = [Fault.from_mapping(fault) for fault in FAULTS]
    emulator = Emulator(
        account=ACCOUNT, timing=TaskTiming.instant(), faults=faults, short_side_px=64
    )
    with serving(emulator) as running:
        for name, value in {
            "KLING_URL": running.url,
            "KLING_API_KEY": ACCOUNT.api_key,
            "KLING_ACCESS_KEY": ACCOUNT.access_key,
            "KLING_SECRET_KEY": ACCOUNT.secret_key,
            "KLING_WEBHOOK_SECRET": ACCOUNT.webhook_secret or "",
            "KLING_PROTOCOL": request.param,
            "KLING_POLL_S": "0.05",
        }.items():
            monkeypatch.setenv(name, value)
        if request.param == "legacy":
            monkeypatch.delenv("KLING_API_KEY")
        yield running


@pytest.fixture
def lab(capfdbinary: pytest.CaptureFixture[bytes]) -> Lab:
    """Run a command; return its exit code, and the output of it and its workers."""

    def command(*arguments: object) -> tuple[int, bytes]:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = capfdbinary.readouterr()
        return stopped.value.code, captured.out + captured.err  # type: ignore[return-value]

    return command


def content_of(folder: Path) -> bytes:
    """The bytes of all files below a folder, with tables as CSV."""
    parts = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            parts.append(pd.read_parquet(path).to_csv().encode())
        elif path.is_file():
            parts.append(path.read_bytes())
    return b"\n".join(parts)


def leaks(text: bytes) -> list[bytes]:
    return [mark for mark in MARKS if mark in text]


def test_a_failing_run_shows_no_key(
    lab: Lab, offline: Path, service: RunningServer, tmp_path: Path
) -> None:
    """No key is in the run folder, the output, the report or the user's data folder."""
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(
        f"stills: {STILL}\nprompts: [push in, risk-control pan left, forbidden-at-submit tilt]\n"
        "settings: {duration_s: 3}\nbackend: kling\nbudget_usd: 5\n"
    )
    out = tmp_path / "run"
    code, output = lab("run", sweep, "--out", out)
    assert code == 1, output.decode()
    service.emulator.add_fault(Fault("accept_then_drop", method="POST", times=1))
    element = ("element", "hero", STILL, "--yes")
    for command in (("reconcile", out), ("report", out), element, ("element",)):
        output += lab(*command)[1]
    assert b"take" in output
    assert leaks(output) == []
    assert leaks(content_of(tmp_path)) == []
    assert leaks(content_of(Path(os.environ["I2VLAB_DATA_DIR"]))) == []


def test_a_wrong_key_is_refused_without_being_shown(
    lab: Lab, service: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped key ends the run with exit 2 and one line that does not contain it."""
    monkeypatch.setenv("KLING_API_KEY", "api-key-kling-s3cr3t-mistyped")
    monkeypatch.setenv("KLING_SECRET_KEY", "s3cr3t-mistyped-000000000000000000000000")
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(
        f"stills: {STILL}\nprompts: push in\nsettings: {{duration_s: 3}}\n"
        "backend: kling\nbudget_usd: 5\n"
    )
    service.emulator.clear_faults()
    code, output = lab("run", sweep, "--out", tmp_path / "run")
    assert code == 2, output.decode()
    assert output.splitlines()[-1].startswith(b"error: ")
    assert leaks(output) == []
    assert leaks(content_of(tmp_path / "run")) == []


def test_a_notebook_that_fails_shows_no_key(
    offline: Path, service: RunningServer, tmp_path: Path
) -> None:
    """Neither a traceback in a cell nor the backend's repr contains a key."""
    cells = [
        "import lab; backend = lab.open_backend('kling'); backend",
        "vars(backend)",
        f"lab.shoot({str(STILL)!r}, 'forbidden-at-submit', backend='kling', duration_s=3, "
        f"out={str(tmp_path / 'run')!r}, budget_usd=5)",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(book, allow_errors=True).execute()
    text = nbformat.writes(book).encode()
    assert b"ename" in text
    assert leaks(text) == []
