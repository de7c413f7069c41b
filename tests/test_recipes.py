"""The recipes of CONTRIBUTING are true: applied as they stand, what they name passes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recipes import ROOT, changed, copy_tree, recipes

RECIPES = recipes((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
BIN = Path(sys.executable).parent
_LONGEST_S = 3600


def _run(command: list[str] | str, tree: Path) -> str:
    """Run a command in the copy; returns what it printed."""
    done = subprocess.run(
        command,
        cwd=tree,
        env={
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(tree),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        shell=isinstance(command, str),
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done.stdout


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_fits_the_tree(name: str, tmp_path: Path) -> None:
    """Its changes find their places, its files are formatted, and it names what proves it."""
    recipe = RECIPES[name]
    tree = copy_tree(tmp_path)
    recipe.apply(tree)
    assert recipe.commands
    touched = [path for path in (*recipe.files, *recipe.changes) if path.endswith(".py")]
    for check in (("check",), ("format", "--check")) if touched else ():
        _run([str(BIN / "ruff"), *check, *touched], tree)


def test_the_table_of_recipes_is_whole() -> None:
    """What is added most often has a recipe."""
    assert set(RECIPES) == {"A metric", "A prompt term", "A report section", "A backend"}


@pytest.mark.slow
def test_a_judged_metric_needs_no_other_edit(tmp_path: Path, stills_dir: Path) -> None:
    """Of the metric's recipe, of which more is better, ranks, rankings, tiles, tables, the command
    line and the player know from its definition alone.
    """
    tree = copy_tree(tmp_path / "tree")
    RECIPES["A metric"].apply(tree)
    arguments = [str(stills_dir / "coffee.jpg"), str(tmp_path / "run")]
    lines = _run([sys.executable, "tests/judged_metric.py", *arguments], tree).splitlines()
    said, *compared = map(json.loads, lines)
    assert said["lab"].startswith(str(tree))
    assert (said["best"], said["worst"]) == ([0], [1])
    assert said["reason"] == "sharpness 0.75 share of the still's, 1.5x the median"
    assert "sharpness is highest for “pan left” (0.75 share of the still's)" in said["levels"]
    assert "lowest for “pan right” (0.25)" in said["levels"]
    for shown in (
        "sharpness 0.75",
        "sharpness ↑ (share of the still&#39;s)",
        "↑ more is better",
        "from 0.85",
        "Ranked by the mean rank of flicker, drift, warp and sharpness",
    ):
        assert shown in said["page"], shown
    assert said["player"][-1] == "sharpness"
    assert len(compared) == 3
    assert all(0 < line["sharpness"] <= 1 for line in compared)


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_what_a_recipe_runs_passes(name: str, tmp_path: Path) -> None:
    """Every command of the recipe, in the copy, one after the other."""
    tree = copy_tree(tmp_path)
    RECIPES[name].apply(tree)
    for command in RECIPES[name].commands:
        # `make` would build an environment of its own; this one has all it needs.
        here = f"make BIN={BIN} -o {BIN}/.installed "
        _run(re.sub("^make ", here, command), tree)


def test_a_change_that_does_not_fit_is_refused() -> None:
    """Where its lines stand twice or nowhere, nothing is guessed."""
    assert changed("a\nb\nc\n", " a\n-b\n+B\n@@\n c\n+d\n") == "a\nB\nc\nd\n"
    for text in ("x\n", "a\na\n"):
        with pytest.raises(ValueError, match="instead of once"):
            changed(text, " a\n+b\n")
