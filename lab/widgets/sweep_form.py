"""The form of a sweep: a field for each factor, and the sweep that the fields describe."""

import pprint
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Required, TypedDict

import ipywidgets as widgets

from lab.backends import BACKENDS
from lab.errors import InputError
from lab.prompts import Prompt
from lab.stills import Still
from lab.sweeps import CreateYaml, PromptYaml, Sweep
from lab.units import RATIOS, SHORT_SIDE_PX
from lab.widgets.field_text import (
    level_text,
    parse_amount,
    parse_numbers,
    parse_prompt_line,
    parse_setting_line,
    parse_still_line,
    prompt_argument,
    prompt_line,
    setting_level_text,
    still_line,
)
from lab.widgets.panel import wide
from lab.widgets.prompt_panel import PromptPanel
from lab.widgets.still_panel import StillPanel

_SETTINGS_WITH_FIELD = ("duration_s", "aspect_ratio", "resolution", "seed")
_NOT_SETTINGS = ("still", "end_still", "prompt")
_MONEY_FIELDS: tuple[Literal["budget_usd", "cap_usd"], ...] = ("budget_usd", "cap_usd")


Level = bool | int | float | str


class _ArgumentsWithoutField(TypedDict, total=False):
    """Arguments of `Sweep.of` for which the form has no field."""

    zip: list[list[str]]
    elements: dict[str, str | list[str]]
    end_stills: list[str]


class Arguments(_ArgumentsWithoutField, total=False):
    """Arguments of `Sweep.of`."""

    name: str
    question: str
    stills: Required[list[str | CreateYaml]]
    prompts: Required[list[str | PromptYaml]]
    settings: dict[str, Level | Sequence[Level]]
    repeats: int
    backend: str
    budget_usd: float
    cap_usd: float


class SweepForm:
    """The fields of a sweep. Parts without a field (cuts, zips, elements) are kept unchanged.

    stills, prompts: panels whose `value` replaces the field.
    """

    def __init__(
        self,
        sweep: Sweep | None,
        *,
        stills: StillPanel | None,
        prompts: PromptPanel | None,
        on_change: Callable[[], None],
    ) -> None:
        self._prompts_by_line: dict[str, Prompt] = {}
        self._arguments_without_field: _ArgumentsWithoutField = {}
        self.name = wide(widgets.Text(description="name"))
        self.question = wide(widgets.Text(description="question"))
        self.stills = wide(
            widgets.Textarea(
                description="stills",
                rows=3,
                placeholder="one path or pattern per line: photos/*.jpg\n"
                "or a text to make a still from: create 4: name | text (the best of 4)",
            )
        )
        self.prompts = wide(
            widgets.Textarea(
                description="prompts", rows=5, placeholder="one per line: text, or name | text"
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
        self.seed = wide(widgets.Text(description="seeds", placeholder="empty: one a take"))
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
            widgets.Text(description="budget USD", placeholder="refuse above this")
        )
        self.cap_usd = wide(widgets.Text(description="cap USD", placeholder="make only what fits"))
        if sweep is not None:
            self.show(sweep)
        for field in self._fields():
            field.observe(lambda _: on_change(), "value")
        for panel in (stills, prompts):
            if panel is not None:
                panel.observe(lambda _: on_change(), "value")
        self._use_panels(stills, prompts)

    def _use_panels(self, stills: StillPanel | None, prompts: PromptPanel | None) -> None:
        """Take stills and prompts from these panels, or from the fields if a panel is None."""
        self._still_panel, self._prompt_panel = stills, prompts
        for panel, field in ((stills, self.stills), (prompts, self.prompts)):
            field.layout.display = "" if panel is None else "none"

    def snapshot(self) -> Callable[[], None]:
        """A function that restores the form as it is now."""
        values = [(field, field.value) for field in self._fields()]
        prompts, arguments = dict(self._prompts_by_line), self._arguments_without_field.copy()
        panels = self._still_panel, self._prompt_panel

        def restore() -> None:
            self._prompts_by_line, self._arguments_without_field = prompts, arguments
            self._use_panels(*panels)
            for field, value in values:
                field.value = value

        return restore

    def _fields(self) -> list[widgets.Widget]:
        first = (self.name, self.question, self.stills, self.prompts, *self.setting_fields())
        return [*first, self.repeats, self.backend, self.budget_usd, self.cap_usd]

    def setting_fields(self) -> tuple[widgets.Widget, ...]:
        """The fields of the shot settings."""
        return (self.duration_s, self.aspect_ratio, self.resolution, self.seed, self.more)

    def show(self, sweep: Sweep) -> None:
        """Show a sweep in the fields, and use the fields instead of the panels.

        Raises InputError for a sweep that makes stills.
        """
        if sweep.makes != "clip":
            raise InputError("this sweep makes stills; run it with lab.create or lab.run")
        self._use_panels(None, None)
        self._prompts_by_line, self._arguments_without_field = {}, {}
        levels = sweep.levels
        self.name.value, self.question.value = sweep.name, sweep.question
        self.stills.value = "\n".join(still_line(level) for level in levels["still"])
        for prompt in levels["prompt"]:
            assert isinstance(prompt, Prompt)
            self._prompts_by_line[prompt_line(prompt)] = prompt
        self.prompts.value = "\n".join(self._prompts_by_line)
        for name in ("duration_s", "seed"):
            listed = [level for level in levels[name] if level is not None]
            getattr(self, name).value = ", ".join(map(level_text, listed))
        self.aspect_ratio.value = tuple(levels["aspect_ratio"])
        self.resolution.value = tuple(levels["resolution"])
        options = BACKENDS[sweep.backend].capabilities.options
        defaults: dict[str, tuple[Any, ...]] = {
            **{option.name: (option.default,) for option in options},
            "fps": (24.0,),
            "sound": (False,),
        }
        self.more.value = "\n".join(
            f"{name}: {', '.join(setting_level_text(name, value) for value in values)}"
            for name, values in levels.items()
            if name not in (*_SETTINGS_WITH_FIELD, *_NOT_SETTINGS) and values != defaults.get(name)
        )
        self.repeats.value, self.backend.value = sweep.repeats, sweep.backend
        self.budget_usd.value = "" if sweep.budget_usd is None else level_text(sweep.budget_usd)
        self.cap_usd.value = "" if sweep.cap_usd is None else level_text(sweep.cap_usd)
        if sweep.zips:
            self._arguments_without_field["zip"] = [list(group) for group in sweep.zips]
        if sweep.elements or sweep.pictured_elements:
            self._arguments_without_field["elements"] = dict(sweep.elements) | {
                element.name: [str(picture.path) for picture in element.pictures]
                for element in sweep.pictured_elements
            }
        if "end_still" in levels:
            self._arguments_without_field["end_stills"] = [
                str(level.path) if isinstance(level, Still) else "none"
                for level in levels["end_still"]
            ]

    def arguments(self) -> Arguments:
        """The arguments of `Sweep.of`. Raises InputError for a field that cannot be read."""
        settings: dict[str, Sequence[Level]] = {
            "duration_s": parse_numbers("seconds", self.duration_s.value, float),
            "aspect_ratio": list(self.aspect_ratio.value),
            "resolution": list(self.resolution.value),
        }
        seeds = parse_numbers("seeds", self.seed.value, int)
        settings |= {"seed": seeds} if seeds else {}
        lines = [line for line in self.more.value.splitlines() if line.strip()]
        settings |= dict(map(parse_setting_line, lines))
        arguments: Arguments = {
            "name": self.name.value.strip(),
            "question": self.question.value.strip(),
            "stills": self._still_arguments(),
            "prompts": self._prompt_arguments(),
            "settings": {
                name: levels[0] if len(levels) == 1 else levels for name, levels in settings.items()
            },
            "repeats": self.repeats.value,
            "backend": self.backend.value,
        }
        for field in _MONEY_FIELDS:
            amount = parse_amount(field, getattr(self, field).value)
            if amount is not None:
                arguments[field] = amount
        arguments.update(self._arguments_without_field)  # type: ignore[typeddict-item]  # has only some of the keys
        return arguments

    def _still_arguments(self) -> list[str | CreateYaml]:
        if self._still_panel is not None:
            return [str(still.path) for still in self._still_panel.value]
        lines = [line.strip() for line in self.stills.value.splitlines() if line.strip()]
        return [parse_still_line(line) for line in lines]

    def _prompt_arguments(self) -> list[str | PromptYaml]:
        if self._prompt_panel is not None:
            return [prompt_argument(prompt) for prompt in self._prompt_panel.value]
        lines = [line.strip() for line in self.prompts.value.splitlines() if line.strip()]
        return [
            prompt_argument(self._prompts_by_line[line])
            if line in self._prompts_by_line
            else parse_prompt_line(line)
            for line in lines
        ]

    def sweep(self) -> Sweep:
        """The sweep that the fields describe. Raises SweepError and InputError."""
        return Sweep.of(**self.arguments())


def sweep_code(
    arguments: Arguments, out: Path, *, agreed_usd: float | None, confirmed: bool = False
) -> str:
    """Python code that makes a sweep from these arguments and runs it.

    agreed_usd: the budget that the user agreed to. confirmed: the user agreed to the plan.
    """
    argument_lines = "\n".join(
        f"    {name}={_indented(value)},"
        for name, value in arguments.items()
        if value not in ("", [])
    )
    options = "" if agreed_usd is None else f", budget_usd={agreed_usd!r}"
    options += ", confirmed=True" * confirmed
    return (
        f"import lab\n\nsweep = lab.Sweep.of(\n{argument_lines}\n)\n"
        f"print(lab.plan(sweep, {str(out)!r}))\n"
        f"print(lab.run(sweep, {str(out)!r}{options}))\n"
        f"lab.load({str(out)!r})"
    )


def _indented(value: Any) -> str:
    return pprint.pformat(value, width=90, sort_dicts=False).replace("\n", "\n    ")
