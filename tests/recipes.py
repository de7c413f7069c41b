"""Read the recipes of CONTRIBUTING and apply them to a copy of the tree."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = (
    "lab",
    "tests",
    "benchmarks",
    "data",
    "docs",
    "pyproject.toml",
    "Makefile",
    "README.md",
    "LICENSE",
)
_BLOCK = re.compile(
    r"^(?P<verb>New file|Change|Run)(?: `(?P<path>[^`]+)`)?:\n\n```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Recipe:
    """The content of a recipe: new files and changes by path, and commands in order."""

    files: dict[str, str]
    changes: dict[str, str]
    commands: tuple[str, ...]

    def apply(self, tree: Path) -> None:
        """Write the files and apply the changes. Raises ValueError if one does not fit."""
        for path, text in self.files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            if (tree / path).exists():
                raise ValueError(f"{path} exists already")
            (tree / path).write_text(text, encoding="utf-8")
        for path, change in self.changes.items():
            before = (tree / path).read_text(encoding="utf-8")
            (tree / path).write_text(changed(before, change), encoding="utf-8")


def recipes(page: str) -> dict[str, Recipe]:
    """Parse all recipes of a page, by heading."""
    _, _, text = page.partition("\n## Recipes\n")
    text = re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0]
    recipe_by_heading = {}
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        blocks = [match.groupdict() for match in _BLOCK.finditer(body)]
        recipe_by_heading[heading] = Recipe(
            {block["path"]: block["text"] for block in blocks if block["verb"] == "New file"},
            {block["path"]: block["text"] for block in blocks if block["verb"] == "Change"},
            tuple(
                line
                for block in blocks
                if block["verb"] == "Run"
                for line in block["text"].splitlines()
            ),
        )
    return recipe_by_heading


def changed(text: str, change: str) -> str:
    """Apply a change: hunks separated by @@, removed lines with -, added lines with +."""
    for hunk in re.split(r"^@@\n", change, flags=re.MULTILINE):
        lines = [(line[:1] or " ", line[1:]) for line in hunk.splitlines()]
        old, new = (
            "".join(f"{rest}\n" for sign, rest in lines if sign in (" ", side)) for side in "-+"
        )
        if text.count(old) != 1:
            raise ValueError(f"occurs {text.count(old)} times instead of once:\n{old}")
        text = text.replace(old, new)
    return text


def copy_tree(target: Path) -> Path:
    """Copy everything that a recipe reads or runs."""
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(source, target / name)
    return target
