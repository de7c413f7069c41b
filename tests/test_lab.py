"""The package itself: cheap to import, with one list of public names."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lab

ROOT = Path(__file__).resolve().parents[1]
LIST = ast.parse((ROOT / "lab" / "__init__.pyi").read_text(encoding="utf-8"))
ROOM_OF = {
    alias.name: node.module
    for node in LIST.body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}


def test_importing_the_package_costs_nothing() -> None:
    """`import lab` loads no heavy library until a name is used."""
    heavy = ("numpy", "pandas", "cv2", "av", "matplotlib", "pydantic", "skimage", "PIL")
    program = f"import sys, lab; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_there_is_one_list_of_public_names() -> None:
    """The list in `lab/__init__.pyi` is `lab.__all__` and `dir(lab)`, each name from one room."""
    assert sorted(ROOM_OF) == lab.__all__ == dir(lab)
    assert len(LIST.body) == len(ROOM_OF) + 2  # and the version and __all__


@pytest.mark.parametrize("name", sorted(ROOM_OF))
def test_a_public_name_leads_somewhere(name: str) -> None:
    """Every name loads its room, is public there too, and has a docstring."""
    public = getattr(lab, name)
    assert public.__doc__
    assert public.__module__.startswith(f"lab.{ROOM_OF[name]}")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md"])
def test_the_pages_name_only_what_there_is(page: str) -> None:
    """Each `lab.name` on a page is a public name or a room."""
    rooms = {path.stem for path in (ROOT / "lab").iterdir()}
    for path in ROOT.glob(page):
        text = path.read_text(encoding="utf-8")
        for name in set(re.findall(r"\blab\.(\w+)", text)):
            assert name in (*lab.__all__, *rooms), f"{path.name}: lab.{name}"


def test_the_readme_lists_every_public_name() -> None:
    """A reader of the README can find each of them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in lab.__all__ if not re.search(rf"\blab\.{name}\b", readme)] == []


def test_the_commands_exist_in_python_too() -> None:
    """Each step of the command line that works on files has a function of the same name."""
    steps = ("preflight", "fit", "lint", "vary", "plan", "run", "measure", "score", "compare")
    assert {*steps, "verify", "calibrate", "status", "reconcile", "recover", "create"} <= set(
        lab.__all__
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails like any attribute, so that hasattr works."""
    assert not hasattr(lab, "swep")
    with pytest.raises(AttributeError, match="swep"):
        lab.swep  # noqa: B018 - asking for it is the test
