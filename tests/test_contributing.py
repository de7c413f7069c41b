"""CONTRIBUTING and README do not drift from the tree."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md"])
def test_every_path_named_exists(page: str) -> None:
    """Each path in backticks or in a link is there."""
    text = (ROOT / page).read_text(encoding="utf-8")
    # What a recipe adds is not there; tests/test_recipes.py follows the recipes.
    text = re.sub(r"^New file .*$", "", text, flags=re.MULTILINE)
    named = re.findall(r"`((?:lab|tests|data|notebooks|benchmarks|docs)/[\w./-]*)`", text)
    named += re.findall(r"\]\(([\w./-]+)\)", text)
    assert named
    missing = [path for path in named if not (ROOT / path).exists()]
    assert missing == []


def test_make_targets_named_exist() -> None:
    """Every `make` command on the pages is a target."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for page in ("CONTRIBUTING.md", "README.md"):
        for target in re.findall(r"`make ([\w-]+)`", (ROOT / page).read_text(encoding="utf-8")):
            assert target in targets
