"""A sweep: what is varied, crossed or zipped into trials, and repeated into takes."""

import glob
import os
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, Self

from lab.backends import BACKENDS
from lab.elements import Element
from lab.errors import InputError, PromptError, StillError, SweepError, did_you_mean
from lab.files import as_path, content_id
from lab.prompts import KINDS, Prompt, Segment
from lab.shots import Option, Shot, ShotSettings
from lab.stills import Still
from lab.sweeps.creation import CreatedStill
from lab.sweeps.document import (
    PromptEntry,
    StillEntry,
    SweepDocument,
    parse,
    prompt_entry,
    read_yaml,
)
from lab.takes import Take

MAX_TAKES = 100_000
NO_STILL = "none"
_SHOT_FACTORS = ("still", "end_still", "prompt")
_SETTING_FACTORS = ("duration_s", "aspect_ratio", "resolution", "fps", "seed", "sound")
_NAME_CHARS = 40
_NOT_IN_NAMES = re.compile(r"[^\w -]+")
_CITED = re.compile(r"@([A-Za-z][A-Za-z0-9_]*)")

Level = Still | CreatedStill | Prompt | Option | None


@dataclass(frozen=True)
class Trial:
    """One cell of the design. factors hold what tables show: names and numbers by factor."""

    index: int
    shot: Shot
    factors: Mapping[str, Option | None]


def block_of(take: Take) -> tuple[int, str]:
    """The block a take belongs to: all variants of one still in one repeat.

    Within a block everything but the variants is equal, so data that stop after whole blocks stay
    balanced.
    """
    still = take.shot.still
    return (take.repeat, NO_STILL if still is None else still.sha256)


@dataclass(frozen=True)
class Sweep:
    """A checked sweep.

    levels: for each factor its levels in order. zips: groups of factors that advance together;
    all others are crossed. elements: the backend's id of each figure that a prompt may cite as
    @name; pictured: those that are given by pictures, which have an id once they are registered.
    budget_usd: a plan that may cost more is refused. cap_usd: the run makes as many whole
    blocks as fit. makes: "still" for pictures from text instead of clips. Build it with
    `Sweep.load(path)`, `Sweep.of(...)` or, from a folder that was run, `Sweep.from_run(folder)`.
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
    pictured: tuple[Element, ...] = ()
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
        """Read a sweep file. Stills are looked for beside the file.

        backend, budget_usd and cap_usd, when given, replace what the file says. Raises SweepError
        with one line for every mistake in it.
        """
        path = as_path(path, InputError)
        data = read_yaml(path)
        if isinstance(data, dict):
            data = {"name": path.stem, **data}
            said = {"backend": backend, "budget_usd": budget_usd, "cap_usd": cap_usd}
            data |= {name: value for name, value in said.items() if value is not None}
        return cls.from_document(parse(data, str(path)), path.parent, str(path))

    @classmethod
    def from_run(cls, out: str | Path) -> "Sweep":
        """The sweep that a run folder was last run with, read from its ledger.

        It plans the same takes. Its stills are the copies that the folder keeps. Raises
        RunFolderError for a folder without a run or a ledger that does not keep the whole design,
        and SweepError with one line for every still that is gone or changed.
        """
        from lab.runs.design import design  # the one look upwards: the ledger lives a floor above

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
        """A sweep from Python values: the same fields, the same checks as in a file.

        prompts may be `Prompt`s too, such as `vary` gives. A still may be {"create": "text"}, with
        name and best_of if need be: a picture that the run makes.
        """
        paths: Any = [stills] if isinstance(stills, str | Path | Mapping) else stills
        if isinstance(paths, list | tuple):
            paths = [str(path) if isinstance(path, Path) else path for path in paths]
        listed = [prompts] if isinstance(prompts, str | Prompt | Mapping) else prompts
        asked: Any = listed
        if isinstance(listed, list | tuple):
            asked = [prompt_entry(one) if isinstance(one, Prompt) else one for one in listed]
        data = {"stills": paths, "prompts": asked, **fields}
        return cls.from_document(parse(data, "sweep"), Path(folder), "sweep")

    @classmethod
    def from_document(cls, document: SweepDocument, folder: Path, source: str) -> Self:
        """Open the stills, build the prompts, and check the design as a whole."""
        problems: list[str] = []
        ends = [StillEntry(file=pattern) for pattern in document.end_stills or ()]
        levels: dict[str, tuple[Level, ...]] = {
            "still": tuple(_stills("stills", document.stills, folder, document, problems)),
            **(
                {"end_still": tuple(_stills("end_stills", ends, folder, document, problems))}
                if ends
                else {}
            ),
            "prompt": tuple(_prompts(document.prompts, problems)),
            **_settings(document, problems),
        }
        zips = tuple(tuple(group) for group in document.zip)
        problems += _zip_problems(zips, levels)
        problems += _element_problems(document.elements, levels["prompt"])
        pictured = tuple(_pictured(document.elements, folder, problems))
        if problems:
            raise SweepError(*(f"{source}: {problem}" for problem in problems))
        sweep = cls(
            name=document.name,
            question=document.question,
            levels=levels,
            zips=zips,
            repeats=document.repeats,
            backend=document.backend,
            budget_usd=document.budget_usd,
            cap_usd=document.cap_usd,
            elements=tuple(
                (name, given)
                for name, given in sorted(document.elements.items())
                if isinstance(given, str)
            ),
            pictured=pictured,
        )
        count = sweep._cells() * sweep.repeats
        if count > MAX_TAKES:
            raise SweepError(f"{source}: makes {count} takes; at most {MAX_TAKES}")
        return sweep

    @property
    def varied(self) -> tuple[str, ...]:
        """Factors with more than one level."""
        return tuple(name for name, levels in self.levels.items() if len(levels) > 1)

    def trials(self) -> tuple[Trial, ...]:
        """Every cell of the design, stills slowest, so that a still's variants stay together."""
        return tuple(
            _trial(index, cell, self._ids, self.makes) for index, cell in enumerate(self._grid())
        )

    @property
    def unregistered(self) -> tuple[Element, ...]:
        """Elements given by pictures whose id is not known."""
        known = dict(self.elements)
        return tuple(element for element in self.pictured if element.name not in known)

    def with_ids(self, ids: Mapping[str, str]) -> Self:
        """The same sweep, its pictured elements having these ids by their content."""
        found = {one.name: ids[one.content] for one in self.pictured if one.content in ids}
        return replace(self, elements=tuple(sorted({**dict(self.elements), **found}.items())))

    @property
    def _ids(self) -> dict[str, str]:
        """An id for each element; a stand-in, which is never sent, for one not registered yet."""
        stand_ins = {one.name: f"unregistered {one.content}" for one in self.unregistered}
        return {**stand_ins, **dict(self.elements)}

    def takes(self) -> tuple[tuple[Trial, Take], ...]:
        """Every take with its trial: whole repeats one after the other, stills within them."""
        trials = self.trials()
        return tuple(
            (trial, Take(trial.shot, self.backend, repeat))
            for repeat in range(1, self.repeats + 1)
            for trial in trials
        )

    @property
    def created(self) -> tuple[CreatedStill, ...]:
        """The stills that a run of this sweep makes from text first."""
        return tuple(still for still in self.levels["still"] if isinstance(still, CreatedStill))

    @property
    def stand_ins(self) -> tuple[Still, ...]:
        """What stands in the plan for created stills of which none is chosen yet."""
        return tuple(level.still for level in self.created if level.chosen is None)

    def creations(self) -> tuple[tuple[Trial, Take], ...]:
        """Every picture that is made for a still to be chosen from, with what it is for."""
        return tuple(
            (
                Trial(index, still.shot, {"still": still.name, "prompt": still.prompt.label}),
                Take(still.shot, self.backend, repeat),
            )
            for index, still in enumerate(self.created)
            for repeat in range(1, still.best_of + 1)
        )

    def with_chosen(self, chosen: Mapping[str, Still]) -> "Sweep":
        """The same sweep, some created stills now known. chosen: the pictures, by level name."""
        stills = tuple(
            replace(still, chosen=chosen[still.name])
            if isinstance(still, CreatedStill) and still.name in chosen
            else still
            for still in self.levels["still"]
        )
        return replace(self, levels={**self.levels, "still": stills})

    def to_json(self) -> dict[str, Any]:
        """The design as plain data: what two runs must agree on to be the same experiment."""
        return {
            "name": self.name,
            "question": self.question,
            "levels": {
                name: [_shown(level) for level in levels] for name, levels in self.levels.items()
            },
            "zip": [list(group) for group in self.zips],
            "repeats": self.repeats,
            "backend": self.backend,
            "budget_usd": self.budget_usd,
            "cap_usd": self.cap_usd,
            "elements": dict(self.elements),
            **(
                {"pictured": {element.name: element.content for element in self.pictured}}
                if self.pictured
                else {}
            ),
            **({"makes": self.makes} if self.makes != "clip" else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], stills: Mapping[str, Still]) -> Self:
        """Inverse of `to_json`; what older versions did not tell is as it was for them.

        stills: by SHA-256. Raises KeyError for one that is not there.
        """
        usual = ShotSettings()
        told = {**{name: [getattr(usual, name)] for name in _SETTING_FACTORS}, **data["levels"]}
        options = (
            BACKENDS[data["backend"]].capabilities.options if data["backend"] in BACKENDS else ()
        )
        # The order of factors is the order of trials, and JSON objects lose it.
        known = [*_SHOT_FACTORS, *_SETTING_FACTORS, *(option.name for option in options)]
        names = [name for name in known if name in told]
        names += [name for name in told if name not in known]
        levels: dict[str, tuple[Level, ...]] = {name: tuple(told[name]) for name in names}
        for name in {"still", "end_still"} & set(levels):
            levels[name] = tuple(_told_still(level, stills) for level in told[name])
        levels["prompt"] = tuple(_told_prompt(level) for level in told["prompt"])
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
        """12 hex digits made from the takes it asks for."""
        return content_id([take.id for _, take in self.takes()])

    def _cells(self) -> int:
        cells = 1
        for group in self._groups():
            cells *= len(self.levels[group[0]])
        return cells

    def _groups(self) -> list[tuple[str, ...]]:
        zipped = {name for group in self.zips for name in group}
        loose = [(name,) for name in self.levels if name not in zipped]
        return sorted([*self.zips, *loose], key=lambda group: "still" not in group)

    def _grid(self) -> Iterator[dict[str, Level]]:
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
    elements: Mapping[str, str],
    makes: Literal["clip", "still"],
) -> Trial:
    level, end_still, prompt = cell["still"], cell.get("end_still"), cell["prompt"]
    still = level.still if isinstance(level, CreatedStill) else level
    assert still is None or isinstance(still, Still)
    assert end_still is None or isinstance(end_still, Still)
    assert isinstance(prompt, Prompt)
    plain = {name: level for name, level in cell.items() if name not in _SHOT_FACTORS}
    options = {name: plain.pop(name) for name in list(plain) if name not in _SETTING_FACTORS}
    settings = ShotSettings.from_json({**plain, "options": options})
    cited = tuple((name, elements[name]) for name in _cited(prompt) if name in elements)
    factors = {
        "still": _name(level),
        **({"end_still": _name(end_still)} if "end_still" in cell else {}),
        "prompt": prompt.label,
        **prompt.factors(),
        **{name: plain[name] for name in _SETTING_FACTORS},
        **options,
    }
    shot = Shot(still, prompt, settings, end_still, cited, makes)
    return Trial(index, shot, factors)  # type: ignore[arg-type]


def _cited(prompt: Prompt) -> tuple[str, ...]:
    """Names that a prompt cites as @name, each once."""
    return tuple(dict.fromkeys(_CITED.findall(prompt.text)))


def _name(still: Level) -> str:
    return still.name if isinstance(still, Still | CreatedStill) else NO_STILL


def _told_still(told: Mapping[str, Any] | None, stills: Mapping[str, Still]) -> Level:
    """A level as `to_json` told it."""
    if told is None:
        return None
    if "create" in told:
        return CreatedStill.from_json(told, stills[told["sha256"]] if told["sha256"] else None)
    return stills[told["sha256"]]


def _shown(level: Level) -> Any:
    if isinstance(level, CreatedStill):
        return level.to_json()
    if isinstance(level, Still):
        return {"name": level.name, "sha256": level.sha256}
    if isinstance(level, Prompt):
        cuts = [asdict(part) for part in level.multi_shot]
        return {"text": level.text, "name": level.name, **({"multi_shot": cuts} if cuts else {})}
    return level


def _told_prompt(level: Mapping[str, Any]) -> Prompt:
    """Inverse of `_shown` for a prompt."""
    if "multi_shot" in level:
        return Prompt.cut([Segment(**part) for part in level["multi_shot"]], level["name"])
    return Prompt.written(level["text"], level["name"])


def _stills(
    field: str,
    entries: Sequence[StillEntry],
    folder: Path,
    document: SweepDocument,
    problems: list[str],
) -> Iterator[Still | CreatedStill | None]:
    """The levels of a list of stills; what is wrong with it is added to problems."""
    seen: dict[str, str] = {}
    names: dict[str, str] = {}
    for number, entry in enumerate(entries):
        where = f"{field}[{number}]"
        if entry.file == NO_STILL:
            yield None
            continue
        opened = _opened(where, entry, folder, problems)
        found: Iterator[tuple[str, Still | CreatedStill]] = (
            opened if entry.create is None else _to_create(where, entry, document, problems)
        )
        for source, still in found:
            content = still.sha256 if isinstance(still, Still) else still.id
            if content in seen:
                problems.append(f"{where}: {source} is the same picture as {seen[content]}")
            elif (name := unicodedata.normalize("NFC", still.name)) in names:
                problems.append(f"{where}: {source} has the same name as {names[name]}; rename one")
            else:
                seen[content] = names[name] = source
                yield still


def _opened(
    where: str, entry: StillEntry, folder: Path, problems: list[str]
) -> Iterator[tuple[str, Still]]:
    """The files that an entry names, and their stills."""
    pattern = entry.file or ""
    try:
        paths = _matching(folder, pattern)
    except (RuntimeError, ValueError) as error:  # ~ of somebody unknown, a zero byte
        problems.append(f"{where}: {pattern!r}: {error}")
        return
    if not paths:
        problems.append(f"{where}: {pattern!r} matches no file in {folder}")
    for path in paths:
        try:
            yield path, Still.open(path)
        except StillError as error:
            problems.append(f"{where}: {error}")


def _to_create(
    where: str, entry: StillEntry, document: SweepDocument, problems: list[str]
) -> Iterator[tuple[str, CreatedStill]]:
    """The still that is to be made from an entry's text, in the first ratio and resolution."""
    try:
        prompt = Prompt.written(entry.create or "")
    except PromptError as error:
        problems.append(f"{where}: {error}")
        return
    maker = BACKENDS.get(document.backend)
    options = () if maker is None else maker.capabilities.options
    words = " ".join(_NOT_IN_NAMES.sub(" ", prompt.text).split())
    yield (
        repr(prompt.text),
        CreatedStill.of(
            prompt,
            name=entry.name or words[:_NAME_CHARS].strip() or "created",
            best_of=entry.best_of,
            aspect_ratio=document.settings.aspect_ratio[0],
            resolution=document.settings.resolution[0],
            options={option.name: option.default for option in options},
        ),
    )


def _matching(folder: Path, pattern: str) -> list[str]:
    """The files that a sweep's pattern names; one without signs of a pattern need not exist.

    A part of the pattern that exists under that very name means just that: a file [1].png, a
    folder shoot[1].
    """
    whole = _located(folder, pattern)
    if not glob.has_magic(pattern) or os.path.isfile(whole):
        return [str(whole)]
    base = folder if whole.is_relative_to(folder) else Path(whole.anchor)
    parts = list(whole.relative_to(base).parts)
    while len(parts) > 1 and os.path.isdir(base / parts[0]):
        base /= parts.pop(0)
    found = glob.glob(os.path.join(*parts), root_dir=base)
    return sorted(str(base / name) for name in found)


def _located(folder: Path, path: str) -> Path:
    """A path of a sweep file, which is relative to the file's folder.

    ~ is somebody's home, unless the folder has a file of that very name, such as ~a.png.
    """
    here = os.path.lexists(folder.joinpath(*Path(path).parts[:1]))
    return folder / (Path(path) if here else Path(path).expanduser())


def _placed(where: str, path: str, folder: Path, problems: list[str]) -> str | None:
    """Where a picture lies; None, with the reason in problems, for what is no path."""
    try:
        return str(_located(folder, path))
    except (RuntimeError, ValueError) as error:  # ~ of somebody unknown, a zero byte
        problems.append(f"{where}: {path!r}: {error}")
        return None


def _pictured(
    elements: Mapping[str, str | list[str]], folder: Path, problems: list[str]
) -> Iterator[Element]:
    """The elements given by pictures. Their order counts, so paths are no patterns."""
    contents: dict[str, str] = {}
    for name, given in sorted(elements.items()):
        if isinstance(given, str):
            continue
        where = f"elements.{name}"
        paths = [_placed(where, path, folder, problems) for path in given]
        try:
            element = Element.of(name, [path for path in paths if path is not None])
        except InputError as error:
            problems.append(f"{where}: {error}")
            continue
        if element.content in contents:
            problems.append(f"{where}: has the same pictures as {contents[element.content]!r}")
        contents[element.content] = name
        yield element


def _prompts(entries: Sequence[PromptEntry], problems: list[str]) -> Iterator[Prompt]:
    texts: dict[str, str] = {}
    labels: dict[str, str] = {}
    for number, entry in enumerate(entries):
        where = f"prompts[{number}]"
        try:
            built = list(_expanded(entry))
        except PromptError as error:
            problems.append(f"{where}: {error}")
            continue
        for prompt in built:
            if prompt.text in texts:
                problems.append(f"{where}: {prompt.text!r} already stands in {texts[prompt.text]}")
            elif prompt.label in labels:
                problems.append(
                    f"{where}: is called {prompt.label!r} like {labels[prompt.label]}; name it"
                )
            else:
                texts[prompt.text] = labels[prompt.label] = where
                yield prompt


def _expanded(entry: PromptEntry) -> Iterator[Prompt]:
    if entry.text:
        yield Prompt.written(entry.text, entry.name)
        return
    if entry.multi_shot:
        segments = (Segment(part.text, part.duration_s) for part in entry.multi_shot)
        yield Prompt.cut(segments, entry.name)
        return
    lists = {kind: getattr(entry, kind) or [""] for kind in KINDS}
    several = any(len(levels) > 1 for levels in lists.values())
    for terms in product(*lists.values()):
        said = ", ".join(part for part in terms if part)
        name = f"{entry.name}: {said}" if entry.name and several else entry.name
        camera, subject, strength, pace, mood = terms
        yield Prompt.of(
            camera.split("+"),
            subject.split("+"),
            strength=strength,
            pace=pace,
            mood=mood,
            name=name,
        )


def _settings(document: SweepDocument, problems: list[str]) -> dict[str, tuple[Level, ...]]:
    settings = document.settings
    levels: dict[str, tuple[Level, ...]] = {
        name: tuple(getattr(settings, name) or [None]) for name in _SETTING_FACTORS
    }
    if document.backend not in BACKENDS:
        hint = did_you_mean(document.backend, BACKENDS)
        problems.append(f"backend: {document.backend!r} does not exist; {hint}")
        return levels
    # A default that is not written down may be another one tomorrow, so it becomes a level too.
    can = BACKENDS[document.backend].capabilities
    options, untaken = can.options, dict(can.untaken)
    levels |= {option.name: (option.default,) for option in options}
    own = [option.name for option in options]
    for name, values in (settings.model_extra or {}).items():
        if name in untaken:
            problems.append(f"settings.{name}: {document.backend}: {untaken[name]}")
        elif name not in own:
            hint = did_you_mean(name, [*_SETTING_FACTORS, *own])
            problems.append(f"settings.{name}: no such setting; {hint}")
        else:
            levels[name] = tuple(values)
    for name, given in levels.items():
        if len(set(given)) < len(given):
            problems.append(f"settings.{name}: {list(given)} names a level twice")
    return levels


def _element_problems(elements: Collection[str], prompts: Sequence[Level]) -> Iterator[str]:
    cited = {name for prompt in prompts if isinstance(prompt, Prompt) for name in _cited(prompt)}
    for name in elements:
        if name not in cited:
            yield f"elements.{name}: no prompt cites @{name}"
    if elements:
        for name in sorted(cited - set(elements)):
            yield f"prompts: @{name} is no element; {did_you_mean(name, elements)}"


def _zip_problems(
    zips: Sequence[Sequence[str]], levels: Mapping[str, Sequence[Level]]
) -> Iterator[str]:
    named: set[str] = set()
    for number, group in enumerate(zips):
        where = f"zip[{number}]"
        unknown = [name for name in group if name not in levels]
        for name in unknown:
            yield f"{where}: {name!r} is no factor; {did_you_mean(name, levels)}"
        for name in group:
            if name in named:
                yield f"{where}: {name!r} is zipped twice"
            named.add(name)
        sizes = {name: len(levels[name]) for name in group if name in levels}
        if not unknown and len(set(sizes.values())) > 1:
            listed = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            yield f"{where}: zipped factors need equally many levels, but {listed}"
