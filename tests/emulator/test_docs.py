"""The emulator's documentation: complete, with evidence marked, and a working example."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from lab.emulator import Assumptions, Fault, load_faults
from lab.emulator.faults import KINDS
from lab.emulator.task_spec import FAILED_WORDS, REFUSED_WORDS

PAGE = Path(__file__).parents[2] / "docs" / "kling-emulator.md"
EVIDENCE = {"documented", "seen live", "assumed"}


@pytest.fixture(scope="module")
def page() -> str:
    """The page's text."""
    return PAGE.read_text()


def test_every_behaviour_is_marked(page: str) -> None:
    """Each row is documented, seen live or assumed; no row appears twice."""
    table = page.partition("| behaviour | evidence |\n|---|---|\n")[2].strip()
    rows = [re.fullmatch(r"\| (.+) \| (.+) \|", line) for line in table.splitlines()]
    assert len(rows) > 60
    assert all(rows)
    assert {row[2] for row in rows if row} == EVIDENCE
    behaviours = [row[1] for row in rows if row]
    assert len(behaviours) == len(set(behaviours))


def test_every_fault_is_explained(page: str) -> None:
    """Each kind has its row and each field is mentioned."""
    table = page.partition("| kind | meets | does |\n|---|---|---|\n")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(KINDS)
    for each in fields(Fault):
        assert f"`{each.name}`" in page


def test_every_open_question_and_trigger_is_named(page: str) -> None:
    """The page mentions every assumption and every word that makes a prompt fail."""
    for name in (*(each.name for each in fields(Assumptions)), *REFUSED_WORDS, *FAILED_WORDS):
        assert f"`{name}`" in page


def test_the_example_loads(page: str, tmp_path: Path) -> None:
    """The TOML example on the page is a valid faults file."""
    example = page.partition("```toml\n")[2].partition("```")[0]
    path = tmp_path / "faults.toml"
    path.write_text(example)
    assert [fault.kind for fault in load_faults(path)] == [
        "accept_then_drop",
        "server_error",
        "rate_limited",
        "cut_download",
    ]
