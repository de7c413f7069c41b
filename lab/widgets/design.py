"""The form of a sweep: fields for every factor, and the sweep that they ask for."""

import json
import os
import pprint
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from lab.backends import BACKENDS
from lab.errors import InputError
from lab.prompts import Prompt
from lab.stills import Still
from lab.sweeps import NO_STILL, CreatedStill, Sweep, prompt_entry
from lab.units import RATIOS, SHORT_SIDE_PX
from lab.widgets.panel import wide
from lab.widgets.prompt_panel import PromptPanel
from lab.widgets.still_panel import StillPanel

_OWN = ("duration_s", "aspect_ratio", "resolution", "seed")
_SHOT = ("still", "end_still", "prompt")
_CREATE = re.compile(r"create(?:\s+(?P<best_of>\d+))?\s*:\s*(?P<text>.*)")
_MONEY = ("budget_usd", "cap_usd")
# Levels in a line, commas between them: a text with commas in it stands in quotes.
_LEVELS = re.compile(r'\s*"(?:[^"\\]|\\.)*"\s*|[^,]+')


class Design:
    """Fields for a sweep. What they cannot show (cuts, zips, elements) stays as it was given.

    stills and prompts: panels whose `value` is used instead of the field.
    """

    def __init__(
        self,
        sweep: Sweep | None,
        *,
        stills: StillPanel | None,
        prompts: PromptPanel | None,
        changed: Callable[[], None],
    ) -> None:
        self._lines: dict[str, Prompt] = {}
        self._rest: dict[str, Any] = {}
        self.name = wide(widgets.Text(description="name"))
        self.question = wide(widgets.Text(description="question"))
        self.stills = wide(
            widgets.Textarea(
                description="stills",
                rows=3,
                placeholder="a path or pattern a line: photos/*.jpg\n"
                "or a text to make one from: create 4: name | text (the best of 4)",
            )
        )
        self.prompts = wide(
            widgets.Textarea(
                description="prompts", rows=5, placeholder="one a line; name | text names it"
            )
        )
        self.duration_s = wide(widgets.Text(value="5", description="seconds"))
        self.aspect_ratio = wide(
            widgets.SelectMultiple(
                options=list(RATIOS), value=("16:9",), rows=5, description="ratio"
            )
        )
        self.resolution = wide(
            widgets.SelectMultiple(
                options=list(SHORT_SIDE_PX), value=("720p",), rows=3, description="resolution"
            )
        )
        self.seed = wide(widgets.Text(description="seeds", placeholder="one per take if empty"))
        self.more = wide(
            widgets.Textarea(
                description="more", rows=2, placeholder="other settings: sound: on, off"
            )
        )
        self.repeats = wide(widgets.BoundedIntText(value=1, min=1, max=1000, description="repeats"))
        self.backend = wide(
            widgets.Dropdown(options=list(BACKENDS), value="offline", description="backend")
        )
        self.budget_usd = wide(
            widgets.Text(description="budget USD", placeholder="refuse above it")
        )
        self.cap_usd = wide(widgets.Text(description="cap USD", placeholder="make what fits, stop"))
        if sweep is not None:
            self.show(sweep)
        for field in self._fields():
            field.observe(lambda _: changed(), "value")
        for panel in (stills, prompts):
            if panel is not None:
                panel.observe(lambda _: changed(), "value")
        self._link(stills, prompts)

    def _link(self, stills: StillPanel | None, prompts: PromptPanel | None) -> None:
        """Take stills and prompts from these panels; from the fields where there is none."""
        self._still_panel, self._prompt_panel = stills, prompts
        for panel, field in ((stills, self.stills), (prompts, self.prompts)):
            field.layout.display = "" if panel is None else "none"

    def kept(self) -> Callable[[], None]:
        """What puts everything back as it is now."""
        values = [(field, field.value) for field in self._fields()]
        lines, rest = dict(self._lines), dict(self._rest)
        panels = self._still_panel, self._prompt_panel

        def put_back() -> None:
            self._lines, self._rest = lines, rest
            self._link(*panels)
            for field, value in values:
                field.value = value

        return put_back

    def _fields(self) -> list[widgets.Widget]:
        shown = (self.name, self.question, self.stills, self.prompts, *self.settings())
        return [*shown, self.repeats, self.backend, self.budget_usd, self.cap_usd]

    def settings(self) -> tuple[widgets.Widget, ...]:
        """The fields of settings."""
        return (self.duration_s, self.aspect_ratio, self.resolution, self.seed, self.more)

    def show(self, sweep: Sweep) -> None:
        """Show a sweep in the fields, and take everything from them.

        Raises InputError for one that makes stills.
        """
        if sweep.makes != "clip":
            raise InputError("this sweep makes stills; run it with lab.create or lab.run")
        self._link(None, None)
        self._lines, self._rest = {}, {}
        levels = sweep.levels
        self.name.value, self.question.value = sweep.name, sweep.question
        self.stills.value = "\n".join(_still_line(one) for one in levels["still"])
        for prompt in levels["prompt"]:
            assert isinstance(prompt, Prompt)
            self._lines[_line(prompt)] = prompt
        self.prompts.value = "\n".join(self._lines)
        for name in ("duration_s", "seed"):
            listed = [level for level in levels[name] if level is not None]
            getattr(self, name).value = ", ".join(map(_word, listed))
        self.aspect_ratio.value = tuple(levels["aspect_ratio"])
        self.resolution.value = tuple(levels["resolution"])
        defaults = {option.name: (option.default,) for option in _options(sweep.backend)}
        defaults |= {"fps": (24.0,), "sound": (False,)}
        self.more.value = "\n".join(
            f"{name}: {', '.join(_option(name, value) for value in values)}"
            for name, values in levels.items()
            if name not in (*_OWN, *_SHOT) and values != defaults.get(name)
        )
        self.repeats.value, self.backend.value = sweep.repeats, sweep.backend
        self.budget_usd.value = "" if sweep.budget_usd is None else _word(sweep.budget_usd)
        self.cap_usd.value = "" if sweep.cap_usd is None else _word(sweep.cap_usd)
        if sweep.zips:
            self._rest["zip"] = [list(group) for group in sweep.zips]
        if sweep.elements or sweep.pictured_elements:
            self._rest["elements"] = dict(sweep.elements) | {
                one.name: [str(picture.path) for picture in one.pictures]
                for one in sweep.pictured_elements
            }
        if "end_still" in levels:
            self._rest["end_stills"] = [
                str(one.path) if isinstance(one, Still) else "none" for one in levels["end_still"]
            ]

    def asked(self) -> dict[str, Any]:
        """What `Sweep.of` takes. Raises InputError for a number that is none."""
        settings: dict[str, Any] = {
            "duration_s": _numbers("seconds", self.duration_s.value, float),
            "aspect_ratio": list(self.aspect_ratio.value),
            "resolution": list(self.resolution.value),
        }
        seeds = _numbers("seeds", self.seed.value, int)
        settings |= {"seed": seeds} if seeds else {}
        for line in self.more.value.splitlines():
            if line.strip():
                name, colon, values = line.partition(":")
                if not colon:
                    raise InputError(f"more: {line.strip()!r} should be a name: and its levels")
                settings[name.strip()] = [_level(value) for value in _LEVELS.findall(values)]
        money = {field: _amount(field, getattr(self, field).value) for field in _MONEY}
        return {
            "name": self.name.value.strip(),
            "question": self.question.value.strip(),
            "stills": self._asked_stills(),
            "prompts": self._asked_prompts(),
            "settings": {name: one[0] if len(one) == 1 else one for name, one in settings.items()},
            "repeats": self.repeats.value,
            "backend": self.backend.value,
            **{field: given for field, given in money.items() if given is not None},
            **self._rest,
        }

    def _asked_stills(self) -> list[str | dict[str, Any]]:
        if self._still_panel is not None:
            return [str(still.path) for still in self._still_panel.value]
        lines = [line.strip() for line in self.stills.value.splitlines() if line.strip()]
        return [_still_entry(line) for line in lines]

    def _asked_prompts(self) -> list[str | dict[str, Any]]:
        if self._prompt_panel is not None:
            return [_entry(prompt) for prompt in self._prompt_panel.value]
        lines = [line.strip() for line in self.prompts.value.splitlines() if line.strip()]
        return [
            _entry(self._lines[line]) if line in self._lines else _parsed(line) for line in lines
        ]

    def sweep(self) -> Sweep:
        """The sweep that the fields ask for. Raises SweepError and InputError."""
        return Sweep.of(**self.asked())


def code(
    asked: Mapping[str, Any], out: Path, *, agreed_usd: float | None, confirmed: bool = False
) -> str:
    """The same sweep and its run as calls."""
    given = "\n".join(
        f"    {name}={_indented(value)}," for name, value in asked.items() if value not in ("", [])
    )
    agreed = "" if agreed_usd is None else f", budget_usd={agreed_usd!r}"
    agreed += ", confirmed=True" * confirmed
    return (
        f"import lab\n\nsweep = lab.Sweep.of(\n{given}\n)\n"
        f"print(lab.plan(sweep, {str(out)!r}))\n"
        f"print(lab.run(sweep, {str(out)!r}{agreed}))\n"
        f"lab.load({str(out)!r})"
    )


def _indented(value: Any) -> str:
    return pprint.pformat(value, width=90, sort_dicts=False).replace("\n", "\n    ")


def _options(backend: str) -> Any:
    return BACKENDS[backend].capabilities.options


def _still_line(still: Any) -> str:
    """A level of stills as it is typed."""
    if isinstance(still, CreatedStill):
        several = f" {still.best_of}" if still.best_of > 1 else ""
        return f"create{several}: {still.name} | {still.prompt.text}"
    return os.path.normpath(still.path) if isinstance(still, Still) else NO_STILL


def _still_entry(line: str) -> str | dict[str, Any]:
    """A line of stills as a sweep file has it: a path, or a text to make a picture from."""
    found = _CREATE.fullmatch(line)
    if found is None:
        return line
    several = {"best_of": int(found["best_of"])} if found["best_of"] else {}
    name, bar, text = found["text"].partition("|")
    return (
        {"create": text.strip(), "name": name.strip(), **several}
        if bar
        else {"create": found["text"].strip(), **several}
    )


def _line(prompt: Prompt) -> str:
    return f"{prompt.name} | {prompt.text}" if prompt.name else prompt.text


def _parsed(line: str) -> str | dict[str, Any]:
    name, bar, text = line.partition("|")
    return {"name": name.strip(), "text": text.strip()} if bar else line


def _entry(prompt: Prompt) -> str | dict[str, Any]:
    return prompt_entry(prompt) if prompt.name or prompt.multi_shot else prompt.text


def _numbers(field: str, text: str, kind: Callable[[str], float]) -> list[float]:
    """Numbers from "2, 3"; a whole one is written without its point."""
    found = []
    for word in text.replace(",", " ").split():
        try:
            number = kind(word)
            whole = int(number)
        except (ValueError, OverflowError):
            raise InputError(f"{field}: {word!r} is no number; write them as 2, 3") from None
        found.append(whole if number == whole else number)
    return found


def _amount(field: str, text: str) -> float | None:
    """One sum of money; None for an empty field."""
    if "," in text or len(text.split()) > 1:
        raise InputError(f"{field}: {text!r} is not one sum; write it as 2.50")
    return next(iter(_numbers(field, text, float)), None)


def _level(text: str) -> bool | int | float | str:
    """A level as a sweep file would read it; what stands in quotes is text."""
    word = text.strip()
    if word in ("on", "off", "true", "false"):
        return word in ("on", "true")
    if word.startswith('"'):
        try:
            return str(json.loads(word))
        except ValueError:
            raise InputError(f"more: {word} has a quote too many or too few") from None
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def _option(name: str, level: Any) -> str:
    """A level of another setting as it is typed; to a backend 1 and 1.0 are not the same."""
    exact = isinstance(level, float) and name != "fps"
    return str(level) if exact else _word(level)


def _word(level: Any) -> str:
    """A level as it is typed."""
    if isinstance(level, bool):
        return "on" if level else "off"
    if isinstance(level, float) and level.is_integer():
        return str(int(level))
    plain = not isinstance(level, str) or (_reads_as_itself(level) and "," not in level)
    return str(level) if plain else json.dumps(level, ensure_ascii=False)


def _reads_as_itself(text: str) -> bool:
    """True where a text is read as itself without quotes."""
    return not text.startswith('"') and _level(text) == text != ""
