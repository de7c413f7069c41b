"""Defines `Sweep`, which crosses or zips levels into trials and repeats trials into takes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, Self

from lab.backends import BACKENDS
from lab.elements import Element
from lab.errors import InputError, SweepError
from lab.files import as_path, content_id
from lab.prompts import Prompt
from lab.shots import Option, Shot, ShotSettings
from lab.stills import Still
from lab.sweeps.created_still import CreatedStill
from lab.sweeps.document import SweepDocument, parse, prompt_entry, read_yaml
from lab.sweeps.elements import citation_problems, cited_elements, read_elements
from lab.sweeps.entries import read_levels, zip_problems
from lab.sweeps.levels import (
    NO_STILL,
    SETTING_FACTORS,
    SHOT_FACTORS,
    Level,
    level_to_json,
    prompt_from_json,
    still_from_json,
    still_name,
)
from lab.takes import Take

MAX_TAKES = 100_000  # more is a mistake in the file; listing millions would fill the memory


@dataclass(frozen=True)
class Trial:
    """One cell of the design. factors: names and numbers by factor, as tables show them."""

    index: int
    shot: Shot
    factors: Mapping[str, Option | None]


def block_of(take: Take) -> tuple[int, str]:
    """The take's block: its repeat and the hash of its still, or `NO_STILL`.

    A block holds all variants of one still in one repeat. A run that stops after whole blocks has
    the same number of takes of every variant.
    """
    still = take.shot.still
    return (take.repeat, NO_STILL if still is None else still.sha256)


@dataclass(frozen=True)
class Sweep:
    """A checked sweep.

    levels: by factor, in order. zips: groups of factors that advance together; the other factors
    are crossed. elements: pairs of a name, which prompts cite as @name, and the backend's id.
    pictured_elements: the elements given by pictures; each gets an id when it is registered.
    budget_usd: a plan that may cost more is refused. cap_usd: the run makes as many whole blocks as
    fit, then stops. makes: "still" for pictures from text instead of clips.

    Build a sweep with `Sweep.load(path)`, `Sweep.of(...)` or `Sweep.from_run(folder)`.
    """

    name: str
    question: str
    levels: Mapping[str, tuple[Level, ...]]
    zips: tuple[tuple[str, ...], ...]
    repeats: int
    backend: str
    budget_usd: float | None
    cap_usd: float | None = None
    elements: tuple[tuple[str, str], ...] = ()
    pictured_elements: tuple[Element, ...] = ()
    makes: Literal["clip", "still"] = "clip"

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        backend: str | None = None,
        budget_usd: float | None = None,
        cap_usd: float | None = None,
    ) -> Self:
        """Read a sweep file. Paths in it are relative to its folder.

        backend, budget_usd and cap_usd, when given, replace the file's values. Raises SweepError
        with one line for each mistake in the file.
        """
        path = as_path(path, InputError)
        data = read_yaml(path)
        if isinstance(data, dict):
            data = {"name": path.stem, **data}
            given = {"backend": backend, "budget_usd": budget_usd, "cap_usd": cap_usd}
            data |= {name: value for name, value in given.items() if value is not None}
        return cls.from_document(parse(data, str(path)), path.parent, str(path))

    @classmethod
    def from_run(cls, out: str | Path) -> "Sweep":
        """The sweep that was last run in a folder, read from the folder's ledger.

        It plans the same takes. Its stills are the copies in the run folder. Raises RunFolderError
        for a folder without a run or an old ledger without the whole design, SweepError with one
        line for each still that is missing or changed.
        """
        # Imported late: `lab.runs` imports this package, and only this method needs it.
        from lab.runs.design import design

        return design(out)

    @classmethod
    def of(
        cls,
        *,
        stills: str | Path | Sequence[str | Path | Mapping[str, Any]],
        prompts: str | Prompt | Sequence[str | Prompt | Mapping[str, Any]],
        folder: str | Path = ".",
        **fields: Any,
    ) -> Self:
        """Build a sweep from Python values, with the fields and checks of a sweep file.

        stills: paths, patterns, or {"create": "text"} for a picture that the run makes; it may also
        have name and best_of. prompts: texts, `Prompt`s or a file's entries. folder:
        where relative paths start. Raises SweepError with one line for each mistake.
        """
        still_entries: Any = [stills] if isinstance(stills, str | Path | Mapping) else stills
        if isinstance(still_entries, list | tuple):
            still_entries = [
                str(entry) if isinstance(entry, Path) else entry for entry in still_entries
            ]
        prompt_entries: Any = [prompts] if isinstance(prompts, str | Prompt | Mapping) else prompts
        if isinstance(prompt_entries, list | tuple):
            prompt_entries = [
                prompt_entry(entry) if isinstance(entry, Prompt) else entry
                for entry in prompt_entries
            ]
        data = {"stills": still_entries, "prompts": prompt_entries, **fields}
        return cls.from_document(parse(data, "sweep"), Path(folder), "sweep")

    @classmethod
    def from_document(cls, document: SweepDocument, folder: Path, source: str) -> Self:
        """Open the stills, build the prompts and check the whole design.

        source: the file's name, which begins each line of a SweepError.
        """
        problems: list[str] = []
        levels = read_levels(document, folder, problems)
        zips = tuple(tuple(group) for group in document.zip)
        problems += zip_problems(zips, levels)
        problems += citation_problems(document.elements, levels["prompt"])
        pictured_elements = tuple(read_elements(document.elements, folder, problems))
        if problems:
            raise SweepError(*(f"{source}: {problem}" for problem in problems))
        ids = {name: value for name, value in document.elements.items() if isinstance(value, str)}
        sweep = cls(
            name=document.name,
            question=document.question,
            levels=levels,
            zips=zips,
            repeats=document.repeats,
            backend=document.backend,
            budget_usd=document.budget_usd,
            cap_usd=document.cap_usd,
            elements=tuple(sorted(ids.items())),
            pictured_elements=pictured_elements,
        )
        count = sweep._cell_count() * sweep.repeats
        if count > MAX_TAKES:
            raise SweepError(f"{source}: makes {count} takes; at most {MAX_TAKES}")
        return sweep

    @property
    def varied(self) -> tuple[str, ...]:
        """The factors that have more than one level."""
        return tuple(name for name, levels in self.levels.items() if len(levels) > 1)

    def trials(self) -> tuple[Trial, ...]:
        """All cells of the design. Stills vary slowest, so the variants of a still are adjacent."""
        ids = self._element_ids()
        return tuple(
            _trial(index, cell, ids, self.makes) for index, cell in enumerate(self._cells())
        )

    def takes(self) -> tuple[tuple[Trial, Take], ...]:
        """All takes with their trials, repeat by repeat."""
        trials = self.trials()
        return tuple(
            (trial, Take(trial.shot, self.backend, repeat))
            for repeat in range(1, self.repeats + 1)
            for trial in trials
        )

    @property
    def unregistered_elements(self) -> tuple[Element, ...]:
        """The elements given by pictures that have no id yet."""
        known = dict(self.elements)
        return tuple(element for element in self.pictured_elements if element.name not in known)

    def with_element_ids(self, ids: Mapping[str, str]) -> Self:
        """A copy in which pictured elements have ids. ids: the backend's, by element content."""
        known = {
            element.name: ids[element.content]
            for element in self.pictured_elements
            if element.content in ids
        }
        return replace(self, elements=tuple(sorted({**dict(self.elements), **known}.items())))

    @property
    def created_stills(self) -> tuple[CreatedStill, ...]:
        """The stills that a run makes from text before it makes clips."""
        return tuple(still for still in self.levels["still"] if isinstance(still, CreatedStill))

    @property
    def placeholders(self) -> tuple[Still, ...]:
        """Stills without a file, one for each created still whose picture is not chosen yet."""
        return tuple(level.still for level in self.created_stills if level.chosen is None)

    def still_takes(self) -> tuple[tuple[Trial, Take], ...]:
        """The takes that make pictures: `best_of` of them for each created still."""
        return tuple(
            (
                Trial(index, still.shot, {"still": still.name, "prompt": still.prompt.label}),
                Take(still.shot, self.backend, repeat),
            )
            for index, still in enumerate(self.created_stills)
            for repeat in range(1, still.best_of + 1)
        )

    def with_chosen(self, chosen: Mapping[str, Still]) -> "Sweep":
        """A copy in which created stills have their pictures. chosen: pictures by level name."""
        stills = tuple(
            replace(still, chosen=chosen[still.name])
            if isinstance(still, CreatedStill) and still.name in chosen
            else still
            for still in self.levels["still"]
        )
        return replace(self, levels={**self.levels, "still": stills})

    def to_json(self) -> dict[str, Any]:
        """The design as plain data. Two runs with equal data are the same experiment."""
        pictured = {element.name: element.content for element in self.pictured_elements}
        return {
            "name": self.name,
            "question": self.question,
            "levels": {
                name: [level_to_json(level) for level in levels]
                for name, levels in self.levels.items()
            },
            "zip": [list(group) for group in self.zips],
            "repeats": self.repeats,
            "backend": self.backend,
            "budget_usd": self.budget_usd,
            "cap_usd": self.cap_usd,
            "elements": dict(self.elements),
            **({"pictured": pictured} if pictured else {}),
            **({"makes": self.makes} if self.makes != "clip" else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], stills: Mapping[str, Still]) -> Self:
        """Inverse of `to_json`, without the pictures of elements.

        stills: by SHA-256; raises KeyError for a missing one. A field that an older version did not
        write gets its default.
        """
        defaults = ShotSettings()
        values = {**{name: [getattr(defaults, name)] for name in SETTING_FACTORS}, **data["levels"]}
        options = (
            BACKENDS[data["backend"]].capabilities.options if data["backend"] in BACKENDS else ()
        )
        # The order of factors sets the order of trials. The ledger's JSON sorts keys and loses it.
        ordered = [*SHOT_FACTORS, *SETTING_FACTORS, *(option.name for option in options)]
        names = [name for name in ordered if name in values]
        names += [name for name in values if name not in ordered]
        levels: dict[str, tuple[Level, ...]] = {name: tuple(values[name]) for name in names}
        for name in {"still", "end_still"} & set(levels):
            levels[name] = tuple(still_from_json(level, stills) for level in values[name])
        levels["prompt"] = tuple(prompt_from_json(level) for level in values["prompt"])
        return cls(
            name=data["name"],
            question=data["question"],
            levels=levels,
            zips=tuple(tuple(group) for group in data["zip"]),
            repeats=data["repeats"],
            backend=data["backend"],
            budget_usd=data["budget_usd"],
            cap_usd=data.get("cap_usd"),
            elements=tuple(sorted(data.get("elements", {}).items())),
            makes=data.get("makes", "clip"),
        )

    @property
    def id(self) -> str:
        """12 hex digits, a hash of the ids of all takes."""
        return content_id([take.id for _, take in self.takes()])

    def _element_ids(self) -> dict[str, str]:
        """An id for each element; an unregistered one has a placeholder that is never sent."""
        placeholders = {
            element.name: f"unregistered {element.content}"
            for element in self.unregistered_elements
        }
        return {**placeholders, **dict(self.elements)}

    def _cell_count(self) -> int:
        return math.prod(len(self.levels[group[0]]) for group in self._groups())

    def _groups(self) -> list[tuple[str, ...]]:
        """Zipped factors together, others alone; the group with the stills first."""
        zipped = {name for group in self.zips for name in group}
        crossed = [(name,) for name in self.levels if name not in zipped]
        return sorted([*self.zips, *crossed], key=lambda group: "still" not in group)

    def _cells(self) -> Iterator[dict[str, Level]]:
        axes = []
        for group in self._groups():
            rows = zip(*(self.levels[name] for name in group), strict=True)
            axes.append([dict(zip(group, row, strict=True)) for row in rows])
        for combination in product(*axes):
            cell: dict[str, Level] = {}
            for part in combination:
                cell.update(part)
            yield cell


def _trial(
    index: int,
    cell: Mapping[str, Level],
    element_ids: Mapping[str, str],
    makes: Literal["clip", "still"],
) -> Trial:
    level, end_still, prompt = cell["still"], cell.get("end_still"), cell["prompt"]
    still = level.still if isinstance(level, CreatedStill) else level
    assert still is None or isinstance(still, Still)
    assert end_still is None or isinstance(end_still, Still)
    assert isinstance(prompt, Prompt)
    values = {name: level for name, level in cell.items() if name not in SHOT_FACTORS}
    options = {name: values.pop(name) for name in list(values) if name not in SETTING_FACTORS}
    settings = ShotSettings.from_json({**values, "options": options})
    elements = tuple(
        (name, element_ids[name]) for name in cited_elements(prompt) if name in element_ids
    )
    factors = {
        "still": still_name(level),
        **({"end_still": still_name(end_still)} if "end_still" in cell else {}),
        "prompt": prompt.label,
        **prompt.factors(),
        **{name: values[name] for name in SETTING_FACTORS},
        **options,
    }
    shot = Shot(still, prompt, settings, end_still, elements, makes)
    return Trial(index, shot, factors)  # type: ignore[arg-type]
