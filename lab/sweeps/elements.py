"""Reads the elements of a sweep file and checks them against the prompts that cite them."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from lab.elements import Element
from lab.errors import InputError, did_you_mean
from lab.prompts import Prompt
from lab.sweeps.levels import Level
from lab.sweeps.paths import resolve

_CITATION = re.compile(r"@([A-Za-z][A-Za-z0-9_]*)")


def cited_elements(prompt: Prompt) -> tuple[str, ...]:
    """The names that a prompt cites as @name, each once."""
    return tuple(dict.fromkeys(_CITATION.findall(prompt.text)))


def read_elements(
    entries: Mapping[str, str | list[str]], folder: Path, problems: list[str]
) -> Iterator[Element]:
    """The elements that are given by pictures, sorted by name. Appends errors to `problems`.

    Pictures are paths, not patterns, because their order matters.
    """
    names_by_content: dict[str, str] = {}
    for name, entry in sorted(entries.items()):
        if isinstance(entry, str):
            continue
        field = f"elements.{name}"
        paths = [_resolved(field, path, folder, problems) for path in entry]
        try:
            element = Element.from_pictures(name, [path for path in paths if path is not None])
        except InputError as error:
            problems.append(f"{field}: {error}")
            continue
        if element.content in names_by_content:
            same = names_by_content[element.content]
            problems.append(f"{field}: has the same pictures as {same!r}")
        names_by_content[element.content] = name
        yield element


def citation_problems(elements: Collection[str], prompts: Sequence[Level]) -> Iterator[str]:
    """One line for each element that no prompt cites and each citation without an element.

    In a sweep without elements, an @name is ordinary text.
    """
    cited = {
        name for prompt in prompts if isinstance(prompt, Prompt) for name in cited_elements(prompt)
    }
    for name in elements:
        if name not in cited:
            yield f"elements.{name}: no prompt cites @{name}"
    if elements:
        for name in sorted(cited - set(elements)):
            yield f"prompts: @{name} is not an element; {did_you_mean(name, elements)}"


def _resolved(field: str, path: str, folder: Path, problems: list[str]) -> str | None:
    try:
        return str(resolve(folder, path))
    except (RuntimeError, ValueError) as error:  # an unknown user after ~, a null byte
        problems.append(f"{field}: {path!r}: {error}")
        return None
