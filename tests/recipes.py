"""The recipes of CONTRIBUTING: read from the page, applied to a copy of the tree."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("lab", "tests", "data", "docs", "pyproject.toml", "Makefile", "README.md", "LICENSE")
_BLOCK = re.compile(
    r"^(?P<verb>New file|Change|Run)(?: `(?P<path>[^`]+)`)?:\n\n```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Recipe:
    """What a recipe says: whole files by path, changes by path, and commands in order."""

    files: dict[str, str]
    changes: dict[str, str]
    commands: tuple[str, ...]

    def apply(self, tree: Path) -> None:
        """Write its files and make its changes. Raises ValueError for one that does not fit."""
        for path, text in self.files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            if (tree / path).exists():
                raise ValueError(f"{path} is there already")
            (tree / path).write_text(text, encoding="utf-8")
        for path, change in self.changes.items():
            before = (tree / path).read_text(encoding="utf-8")
            (tree / path).write_text(changed(before, change), encoding="utf-8")


def recipes(page: str) -> dict[str, Recipe]:
    """Every recipe of the page by its heading."""
    _, _, text = page.partition("\n## Recipes\n")
    text = re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0]
    found = {}
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        blocks = [match.groupdict() for match in _BLOCK.finditer(body)]
        found[heading] = Recipe(
            {one["path"]: one["text"] for one in blocks if one["verb"] == "New file"},
            {one["path"]: one["text"] for one in blocks if one["verb"] == "Change"},
            tuple(
                line for one in blocks if one["verb"] == "Run" for line in one["text"].splitlines()
            ),
        )
    return found


def changed(text: str, change: str) -> str:
    """A text after a change: places separated by @@, lines that go with -, that come with +."""
    for place in re.split(r"^@@\n", change, flags=re.MULTILINE):
        lines = [(line[:1] or " ", line[1:]) for line in place.splitlines()]
        old, new = (
            "".join(f"{rest}\n" for sign, rest in lines if sign in (" ", kept)) for kept in "-+"
        )
        if text.count(old) != 1:
            raise ValueError(f"stands {text.count(old)} times and not once:\n{old}")
        text = text.replace(old, new)
    return text


def copy_tree(target: Path) -> Path:
    """A copy of everything that a recipe reads or runs."""
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(source, target / name)
    return target
