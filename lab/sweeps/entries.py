"""Turns the entries of a sweep document into levels: opens stills, builds prompts, adds defaults.

Each function appends what is wrong to a list of problems and continues, so that a user sees every
mistake at once.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from lab.backends import BACKENDS
from lab.errors import PromptError, StillError, did_you_mean
from lab.prompts import KINDS, Prompt, Segment
from lab.stills import Still
from lab.sweeps.created_still import CreatedStill
from lab.sweeps.document import PromptEntry, StillEntry, SweepDocument
from lab.sweeps.levels import NO_STILL, SETTING_FACTORS, Level
from lab.sweeps.paths import matching_files

# Limits the name that a created still takes from its prompt, so that it fits a table's column.
_NAME_CHARS = 40
_NOT_IN_NAMES = re.compile(r"[^\w -]+")


def read_levels(
    document: SweepDocument, folder: Path, problems: list[str]
) -> dict[str, tuple[Level, ...]]:
    """The levels of every factor. folder: where relative paths start."""
    levels: dict[str, tuple[Level, ...]] = {
        "still": tuple(_stills("stills", document.stills, folder, document, problems))
    }
    if document.end_stills:
        ends = [StillEntry(file=pattern) for pattern in document.end_stills]
        levels["end_still"] = tuple(_stills("end_stills", ends, folder, document, problems))
    levels["prompt"] = tuple(_prompts(document.prompts, problems))
    return levels | _settings(document, problems)


def zip_problems(
    zips: Sequence[Sequence[str]], levels: Mapping[str, Sequence[Level]]
) -> Iterator[str]:
    """One line for each zipped name that is unknown or repeated.

    Also one for each group whose factors have different numbers of levels.
    """
    seen: set[str] = set()
    for number, group in enumerate(zips):
        field = f"zip[{number}]"
        unknown = [name for name in group if name not in levels]
        for name in unknown:
            yield f"{field}: {name!r} is not a factor; {did_you_mean(name, levels)}"
        for name in group:
            if name in seen:
                yield f"{field}: {name!r} is zipped twice"
            seen.add(name)
        sizes = {name: len(levels[name]) for name in group if name in levels}
        if not unknown and len(set(sizes.values())) > 1:
            listed = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            yield f"{field}: zipped factors need the same number of levels, but {listed}"


def _stills(
    field: str,
    entries: Sequence[StillEntry],
    folder: Path,
    document: SweepDocument,
    problems: list[str],
) -> Iterator[Still | CreatedStill | None]:
    sources_by_content: dict[str, str] = {}
    sources_by_name: dict[str, str] = {}
    for number, entry in enumerate(entries):
        item = f"{field}[{number}]"
        if entry.file == NO_STILL:
            yield None
            continue
        levels: Iterator[tuple[str, Still | CreatedStill]] = (
            _open_stills(item, entry, folder, problems)
            if entry.create is None
            else _created_still(item, entry, document, problems)
        )
        for source, still in levels:
            content = still.sha256 if isinstance(still, Still) else still.id
            name = unicodedata.normalize("NFC", still.name)
            if content in sources_by_content:
                other = sources_by_content[content]
                problems.append(f"{item}: {source} is the same picture as {other}")
            elif name in sources_by_name:
                other = sources_by_name[name]
                problems.append(f"{item}: {source} has the same name as {other}; rename one")
            else:
                sources_by_content[content] = sources_by_name[name] = source
                yield still


def _open_stills(
    item: str, entry: StillEntry, folder: Path, problems: list[str]
) -> Iterator[tuple[str, Still]]:
    """The path and the still of each file that matches the entry."""
    pattern = entry.file or ""
    try:
        paths = matching_files(folder, pattern)
    except (RuntimeError, ValueError) as error:  # an unknown user after ~, a null byte
        problems.append(f"{item}: {pattern!r}: {error}")
        return
    if not paths:
        problems.append(f"{item}: {pattern!r} matches no file in {folder}")
    for path in paths:
        try:
            yield path, Still.open(path)
        except StillError as error:
            problems.append(f"{item}: {error}")


def _created_still(
    item: str, entry: StillEntry, document: SweepDocument, problems: list[str]
) -> Iterator[tuple[str, CreatedStill]]:
    """The quoted prompt and the still to create from it, in the first ratio and resolution."""
    try:
        prompt = Prompt.from_text(entry.create or "")
    except PromptError as error:
        problems.append(f"{item}: {error}")
        return
    backend = BACKENDS.get(document.backend)
    options = () if backend is None else backend.capabilities.options
    words = " ".join(_NOT_IN_NAMES.sub(" ", prompt.text).split())
    yield (
        repr(prompt.text),
        CreatedStill.for_prompt(
            prompt,
            name=entry.name or words[:_NAME_CHARS].strip() or "created",
            best_of=entry.best_of,
            aspect_ratio=document.settings.aspect_ratio[0],
            resolution=document.settings.resolution[0],
            options={option.name: option.default for option in options},
        ),
    )


def _prompts(entries: Sequence[PromptEntry], problems: list[str]) -> Iterator[Prompt]:
    items_by_text: dict[str, str] = {}
    items_by_label: dict[str, str] = {}
    for number, entry in enumerate(entries):
        item = f"prompts[{number}]"
        try:
            prompts = list(_build_prompts(entry))
        except PromptError as error:
            problems.append(f"{item}: {error}")
            continue
        for prompt in prompts:
            if prompt.text in items_by_text:
                other = items_by_text[prompt.text]
                problems.append(f"{item}: has the same text as {other}: {prompt.text!r}")
            elif prompt.label in items_by_label:
                other = items_by_label[prompt.label]
                problems.append(
                    f"{item}: has the same name as {other}: {prompt.label!r}; rename one"
                )
            else:
                items_by_text[prompt.text] = items_by_label[prompt.label] = item
                yield prompt


def _build_prompts(entry: PromptEntry) -> Iterator[Prompt]:
    """One prompt from text or segments; every combination from lists of terms."""
    if entry.text:
        yield Prompt.from_text(entry.text, entry.name)
        return
    if entry.multi_shot:
        segments = (Segment(part.text, part.duration_s) for part in entry.multi_shot)
        yield Prompt.cut(segments, entry.name)
        return
    terms_by_kind = {kind: getattr(entry, kind) or [""] for kind in KINDS}
    several = any(len(terms) > 1 for terms in terms_by_kind.values())
    for combination in product(*terms_by_kind.values()):
        listed = ", ".join(term for term in combination if term)
        name = f"{entry.name}: {listed}" if entry.name and several else entry.name
        camera, subject, strength, pace, mood = combination
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
        name: tuple(getattr(settings, name) or [None]) for name in SETTING_FACTORS
    }
    if document.backend not in BACKENDS:
        hint = did_you_mean(document.backend, BACKENDS)
        problems.append(f"backend: {document.backend!r} does not exist; {hint}")
        return levels
    # A backend may change a default later, so the ledger stores today's default as a level.
    capabilities = BACKENDS[document.backend].capabilities
    levels |= {option.name: (option.default,) for option in capabilities.options}
    rejected = dict(capabilities.rejected_settings)
    option_names = [option.name for option in capabilities.options]
    for name, values in (settings.model_extra or {}).items():
        if name in rejected:
            problems.append(f"settings.{name}: {document.backend}: {rejected[name]}")
        elif name not in option_names:
            hint = did_you_mean(name, [*SETTING_FACTORS, *option_names])
            problems.append(f"settings.{name}: no such setting; {hint}")
        else:
            levels[name] = tuple(values)
    for name, chosen in levels.items():
        if len(set(chosen)) < len(chosen):
            problems.append(f"settings.{name}: {list(chosen)} lists a level twice")
    return levels
