"""Converts values of a sweep into the text of a form field and back."""

import json
import os
import re
from collections.abc import Callable
from typing import Any

from lab.errors import InputError
from lab.prompts import Prompt
from lab.stills import Still
from lab.sweeps import NO_STILL, CreatedStill, CreateYaml, PromptYaml, prompt_entry

_CREATED_STILL = re.compile(r"create(?:\s+(?P<best_of>\d+))?\s*:\s*(?P<text>.*)")
# Levels are separated by commas. A level that contains a comma is written in quotes.
_LEVEL = re.compile(r'\s*"(?:[^"\\]|\\.)*"\s*|[^,]+')


def still_line(still: Any) -> str:
    """A level of the factor `still` as a line."""
    if isinstance(still, CreatedStill):
        count = f" {still.best_of}" if still.best_of > 1 else ""
        return f"create{count}: {still.name} | {still.prompt.text}"
    return os.path.normpath(still.path) if isinstance(still, Still) else NO_STILL


def parse_still_line(line: str) -> str | CreateYaml:
    """A line as an entry of a sweep file: a path, or the text that a still is created from."""
    match = _CREATED_STILL.fullmatch(line)
    if match is None:
        return line
    name, bar, text = match["text"].partition("|")
    entry: CreateYaml = {"create": match["text"].strip()}
    if bar:
        entry = {"create": text.strip(), "name": name.strip()}
    if match["best_of"]:
        entry["best_of"] = int(match["best_of"])
    return entry


def prompt_line(prompt: Prompt) -> str:
    """A prompt as a line: "name | text", or only the text if it has no name."""
    return f"{prompt.name} | {prompt.text}" if prompt.name else prompt.text


def parse_prompt_line(line: str) -> str | PromptYaml:
    """A line as an entry of a sweep file."""
    name, bar, text = line.partition("|")
    return {"name": name.strip(), "text": text.strip()} if bar else line


def prompt_argument(prompt: Prompt) -> str | PromptYaml:
    """A prompt as an entry of a sweep file; only its text if it has nothing else."""
    return prompt_entry(prompt) if prompt.name or prompt.multi_shot else prompt.text


def parse_numbers(field: str, text: str, kind: Callable[[str], float]) -> list[float]:
    """Numbers from text such as "2, 3". Whole numbers become int. Raises InputError."""
    numbers = []
    for word in text.replace(",", " ").split():
        try:
            number = kind(word)
            whole = int(number)
        except (ValueError, OverflowError):
            raise InputError(f"{field}: {word!r} is not a number; write numbers as 2, 3") from None
        numbers.append(whole if number == whole else number)
    return numbers


def parse_amount(field: str, text: str) -> float | None:
    """One sum of money; None for an empty field. Raises InputError."""
    if "," in text or len(text.split()) > 1:
        raise InputError(f"{field}: {text!r} is not one sum; write it as 2.50")
    return next(iter(parse_numbers(field, text, float)), None)


def parse_setting_line(line: str) -> tuple[str, list[bool | int | float | str]]:
    """The name and the levels of a line such as "sound: on, off". Raises InputError."""
    name, colon, levels = line.partition(":")
    if not colon:
        raise InputError(
            f"more: {line.strip()!r} should be a name, a colon and levels, such as sound: on, off"
        )
    return name.strip(), parse_levels(levels)


def parse_levels(text: str) -> list[bool | int | float | str]:
    """Levels from text with commas between them. Raises InputError for an open quote."""
    return [_parse_level(level) for level in _LEVEL.findall(text)]


def _parse_level(text: str) -> bool | int | float | str:
    """A level as a sweep file would read it. A level in quotes is text."""
    word = text.strip()
    if word in ("on", "off", "true", "false"):
        return word in ("on", "true")
    if word.startswith('"'):
        try:
            return str(json.loads(word))
        except ValueError:
            raise InputError(f"more: {word} has unbalanced quotes") from None
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def setting_level_text(name: str, level: Any) -> str:
    """The text of a level in the field `more`.

    1.0 stays 1.0, because a backend may treat it differently from 1; only fps is shortened, as in
    `level_text`.
    """
    exact = isinstance(level, float) and name != "fps"
    return str(level) if exact else level_text(level)


def level_text(level: Any) -> str:
    """A level as text that `parse_levels` reads as the same level."""
    if isinstance(level, bool):
        return "on" if level else "off"
    if isinstance(level, float) and level.is_integer():
        return str(int(level))
    needs_quotes = isinstance(level, str) and ("," in level or not _reads_as_text(level))
    return json.dumps(level, ensure_ascii=False) if needs_quotes else str(level)


def _reads_as_text(text: str) -> bool:
    """True if `_parse_level` returns the text unchanged and the text is not empty."""
    return not text.startswith('"') and _parse_level(text) == text != ""
