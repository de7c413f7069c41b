"""The sweep file: what may stand in it, and one line for every mistake."""

import io
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from reprlib import Repr
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lab.elements import NAME as ELEMENT_NAME
from lab.errors import InputError, SweepError, did_you_mean
from lab.files import opened_file, write_text
from lab.prompts import Prompt
from lab.shots import MAX_DURATION_S, MAX_FPS
from lab.sweeps.creation import MAX_BEST_OF
from lab.units import RATIOS, SHORT_SIDE_PX

MAX_FILE_BYTES = 1_000_000
_ID_CHARS = 64
_REPR = Repr()
_REPR.maxstring = _REPR.maxother = 60


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _grouped(value: Any) -> Any:
    """`zip: [a, b]` is one group; `zip: [[a, b], [c, d]]` are two."""
    flat = isinstance(value, list) and value and all(isinstance(name, str) for name in value)
    return [value] if flat else value


def _prompt(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


def _still(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


def _switch(value: Any) -> Any:
    """on and off are words in YAML 1.2, and what people write."""
    return {"on": True, "off": False}.get(value, value) if isinstance(value, str) else value


def _option(value: Any) -> Any:
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise PydanticCustomError("option", "should be a finite number, text, true or false")


def _element(value: Any) -> Any:
    """An id, or the element's picture files."""
    if isinstance(value, str) and 0 < len(value) <= _ID_CHARS:
        return value
    listed = isinstance(value, list) and len(value) > 0
    if listed and all(isinstance(path, str) and path for path in value):
        return value
    raise PydanticCustomError("element", "should be an id, or a list of picture files")


Strings = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]
Duration = Annotated[float, Field(gt=0, le=MAX_DURATION_S, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=MAX_FPS, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
OptionValue = Annotated[bool | int | float | str, PlainValidator(_option)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SegmentEntry(_Strict):
    """One part of a clip that has cuts."""

    text: str = Field(min_length=1)
    duration_s: Duration


class StillEntry(_Strict):
    """A file, or several by a pattern; or text from which the run makes a picture.

    best_of: how many pictures are made of the text; preflight chooses one.
    """

    file: str | None = Field(default=None, min_length=1)
    create: str | None = Field(default=None, min_length=1)
    name: Annotated[str, Field(pattern=r"^(\w[\w -]{0,59})?$")] = ""
    best_of: int = Field(default=1, ge=1, le=MAX_BEST_OF)


class PromptEntry(_Strict):
    """Written text, or lists of terms that multiply ("a+b" names two at once), or cut segments."""

    text: str | None = Field(default=None, min_length=1)
    name: str = ""
    multi_shot: Annotated[list[SegmentEntry], Field(min_length=1)] | None = None
    camera: Strings | None = None
    subject: Strings | None = None
    strength: Strings | None = None
    pace: Strings | None = None
    mood: Strings | None = None


class SettingsEntry(BaseModel):
    """Settings, one value or a list of levels each; further names belong to the backend."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[
        str, Annotated[list[OptionValue], BeforeValidator(_listed), Field(min_length=1)]
    ] = Field(init=False)

    duration_s: Annotated[list[Duration], BeforeValidator(_listed), Field(min_length=1)] = [5.0]
    aspect_ratio: Strings = ["16:9"]
    resolution: Strings = ["720p"]
    fps: Annotated[list[Rate], BeforeValidator(_listed), Field(min_length=1)] = [24.0]
    seed: Annotated[list[Seed], BeforeValidator(_listed), Field(min_length=1)] | None = None
    sound: Annotated[list[Annotated[bool, BeforeValidator(_switch)]], BeforeValidator(_listed)] = [
        False
    ]


class SweepDocument(_Strict):
    """A whole sweep file.

    stills: file patterns, and texts to make pictures from; the word none stands for no still
    (text-to-video). end_stills: file patterns. elements: a name that prompts cite as @name, and the
    backend's id of it or its picture files, the front first. budget_usd: a plan that may cost more
    is refused. cap_usd: as many whole blocks as fit are made, then the run stops.
    """

    name: str = Field(default="", max_length=80)
    question: str = Field(default="", max_length=500)
    stills: Annotated[
        list[Annotated[StillEntry, BeforeValidator(_still)]],
        BeforeValidator(_listed),
        Field(min_length=1),
    ]
    end_stills: Strings | None = None
    elements: dict[
        Annotated[str, Field(pattern=f"^{ELEMENT_NAME.pattern}$")],
        Annotated[str | list[str], PlainValidator(_element)],
    ] = {}
    prompts: Annotated[
        list[Annotated[PromptEntry, BeforeValidator(_prompt)]],
        BeforeValidator(_listed),
        Field(min_length=1),
    ]
    settings: SettingsEntry = SettingsEntry()
    zip: Annotated[list[Annotated[list[str], Field(min_length=2)]], BeforeValidator(_grouped)] = []
    repeats: int = Field(default=1, ge=1, le=1000)
    backend: str = "offline"
    budget_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    cap_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)


def read_yaml(path: Path) -> Any:
    """Plain data from a YAML 1.2 file, in which 16:9 and off are words, as written.

    Raises InputError for a file that is absent or too large, SweepError for one that is no YAML.
    """
    with opened_file(path, InputError, MAX_FILE_BYTES) as file:
        content = file.read()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise SweepError(f"{path}: not a text file; a sweep is written in YAML") from None
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        said = str(getattr(error, "problem", None) or "not valid YAML").splitlines()[0]
        raise SweepError(f"{path}{where}: {said}") from error
    except RecursionError:
        raise SweepError(f"{path}: nested too deeply; a sweep has a few levels") from None
    except (ValueError, KeyError) as error:  # its constructors let these through
        said = " ".join(str(error).split())
        raise SweepError(f"{path}: holds a value that is none ({said})") from error


def write_yaml(path: Path, data: Mapping[str, Any], remarks: Sequence[str] = ()) -> None:
    """Write a sweep file, whole or not at all; each remark is a comment above it.

    Raises InputError where it cannot be written.
    """
    yaml = YAML()
    yaml.width = 4096
    stream = io.StringIO()
    for remark in remarks:
        stream.write(
            textwrap.fill(
                " ".join(remark.split()), 98, initial_indent="# ", subsequent_indent="#   "
            )
            + "\n"
        )
    yaml.dump(dict(data), stream)
    try:
        write_text(path, stream.getvalue())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def prompt_entry(prompt: Prompt) -> dict[str, Any]:
    """A prompt as a sweep file has it."""
    entry: dict[str, Any] = {"name": prompt.name} if prompt.name else {}
    if prompt.multi_shot:
        return {**entry, "multi_shot": [asdict(part) for part in prompt.multi_shot]}
    return {**entry, "text": prompt.text}


def parse(data: Any, source: str) -> SweepDocument:
    """Check plain data. Raises SweepError with one line per mistake; `source` leads each line."""
    if data is None:
        raise SweepError(f"{source}: the sweep is empty; it needs stills and prompts")
    if not isinstance(data, Mapping):
        raise SweepError(
            f"{source}: a sweep is a list of fields such as `stills:`, not {_shown(data)}"
        )
    try:
        document = SweepDocument.model_validate(data)
    except ValidationError as error:
        raise SweepError(*(f"{source}: {_told(item)}" for item in error.errors())) from None
    problems = [f"{source}: {problem}" for problem in _beyond_types(document)]
    if problems:
        raise SweepError(*problems)
    return document


def _beyond_types(document: SweepDocument) -> Iterator[str]:
    for number, still in enumerate(document.stills):
        if (still.file is None) == (still.create is None):
            yield f"stills[{number}]: give either a file or create, the text to make one from"
        elif still.create is None and (still.name or still.best_of > 1):
            yield f"stills[{number}]: name and best_of belong to create; a file has its own name"
    for number, entry in enumerate(document.prompts):
        built = any([entry.camera, entry.subject, entry.strength, entry.pace, entry.mood])
        given = sum(map(bool, (entry.text, built, entry.multi_shot)))
        if given > 1:
            yield f"prompts[{number}]: has more than one of text, terms and multi_shot; keep one"
        elif not given:
            yield (
                f"prompts[{number}]: is empty; give text, or camera, subject, strength, pace, "
                "mood, or multi_shot"
            )
    for field, accepted in (("aspect_ratio", RATIOS), ("resolution", SHORT_SIDE_PX)):
        for number, value in enumerate(getattr(document.settings, field)):
            if value not in accepted:
                yield (
                    f"settings.{field}[{number}]: {_shown(value)} is not accepted; "
                    f"accepted: {', '.join(accepted)}"
                )


def _told(error: ErrorDetails) -> str:
    """One mistake as: the field's path, the value, what would be accepted."""
    place, *rest = error["loc"]
    path = _printable(str(place)) + "".join(
        f"[{step}]" if isinstance(step, int) else f".{_printable(step)}" for step in rest
    )
    entries: dict[str, tuple[type[BaseModel], str]] = {
        "prompts": (PromptEntry, "text or "),
        "stills": (StillEntry, "a path or "),
    }
    if error["type"] == "extra_forbidden":
        model, _ = entries.get(path.partition("[")[0], (SweepDocument, ""))
        hint = did_you_mean(str(error["loc"][-1]), model.model_fields)
        return f"{path}: no such field; {hint}"
    if error["type"] == "missing":
        return f"{path}: is missing and required"
    if error["type"] == "too_short" and not error["input"]:
        return f"{path}: is empty; give at least one"
    if error["type"] == "model_type":
        fields, text = entries.get(path.partition("[")[0], (SettingsEntry, ""))
        accepted = f"{text}fields ({', '.join(fields.model_fields)})"
        return f"{path}: {_shown(error['input'])} should be {accepted}"
    said = error["msg"].replace("Input should be", "should be")
    return f"{path}: {_shown(error['input'])} {said[0].lower()}{said[1:]}"


def _printable(step: str) -> str:
    """A key in one line, whatever stands in it."""
    return step if step.isprintable() else repr(step)


def _shown(value: Any) -> str:
    return _REPR.repr(value)
