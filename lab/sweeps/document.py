"""Reads, checks and writes sweep files; each mistake becomes one line of a SweepError."""

import io
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from reprlib import Repr
from typing import Annotated, Any, TypedDict

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
from lab.files import open_input_file, write_text
from lab.prompts import Prompt
from lab.shots import MAX_DURATION_S, MAX_FPS
from lab.sweeps.created_still import MAX_BEST_OF
from lab.units import RATIOS, SHORT_SIDE_PX

MAX_FILE_BYTES = 1_000_000
_MAX_ID_CHARS = 64
_REPR = Repr()
_REPR.maxstring = _REPR.maxother = 60  # a message stays one readable line


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _as_groups(value: Any) -> Any:
    """`zip: [a, b]` is one group; `zip: [[a, b], [c, d]]` is two."""
    flat = isinstance(value, list) and value and all(isinstance(name, str) for name in value)
    return [value] if flat else value


def _text_entry(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


def _file_entry(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


def _as_bool(value: Any) -> Any:
    """Accepts on and off, which YAML 1.2 reads as strings."""
    return {"on": True, "off": False}.get(value, value) if isinstance(value, str) else value


def _check_option(value: Any) -> Any:
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise PydanticCustomError("option", "should be a finite number, text, true or false")


def _check_element(value: Any) -> Any:
    """Accepts an id or a list of picture files."""
    if isinstance(value, str) and 0 < len(value) <= _MAX_ID_CHARS:
        return value
    nonempty_list = isinstance(value, list) and len(value) > 0
    if nonempty_list and all(isinstance(path, str) and path for path in value):
        return value
    raise PydanticCustomError("element", "should be an id, or a list of picture files")


Strings = Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]
Duration = Annotated[float, Field(gt=0, le=MAX_DURATION_S, allow_inf_nan=False)]
FrameRate = Annotated[float, Field(gt=0, le=MAX_FPS, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
OptionValue = Annotated[bool | int | float | str, PlainValidator(_check_option)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SegmentEntry(_Strict):
    """One segment of a clip with cuts."""

    text: str = Field(min_length=1)
    duration_s: Duration


class StillEntry(_Strict):
    """A still: either given by `file`, or made by the run from the text in `create`.

    file: a path, or a pattern for several files. best_of: how many pictures are made from the text;
    preflight chooses one.
    """

    file: str | None = Field(default=None, min_length=1)
    create: str | None = Field(default=None, min_length=1)
    name: Annotated[str, Field(pattern=r"^(\w[\w -]{0,59})?$")] = ""
    best_of: int = Field(default=1, ge=1, le=MAX_BEST_OF)


class PromptEntry(_Strict):
    """Exactly one of: text, lists of terms, or the segments of a clip with cuts.

    Lists of terms are crossed. "a+b" puts two terms of one kind into the same prompt.
    """

    text: str | None = Field(default=None, min_length=1)
    name: str = ""
    multi_shot: Annotated[list[SegmentEntry], Field(min_length=1)] | None = None
    camera: Strings | None = None
    subject: Strings | None = None
    strength: Strings | None = None
    pace: Strings | None = None
    mood: Strings | None = None


class SettingsEntry(BaseModel):
    """Each setting is one value or a list of levels. Unlisted names are options of the backend."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[
        str, Annotated[list[OptionValue], BeforeValidator(_as_list), Field(min_length=1)]
    ] = Field(init=False)

    duration_s: Annotated[list[Duration], BeforeValidator(_as_list), Field(min_length=1)] = [5.0]
    aspect_ratio: Strings = ["16:9"]
    resolution: Strings = ["720p"]
    fps: Annotated[list[FrameRate], BeforeValidator(_as_list), Field(min_length=1)] = [24.0]
    seed: Annotated[list[Seed], BeforeValidator(_as_list), Field(min_length=1)] | None = None
    sound: Annotated[
        list[Annotated[bool, BeforeValidator(_as_bool)]], BeforeValidator(_as_list)
    ] = [False]


class SweepDocument(_Strict):
    """A whole sweep file.

    stills: file patterns, and texts to make pictures from; the file "none" means no still
    (text-to-video). end_stills: file patterns. elements: names, which prompts cite as @name, with
    the backend's id or a list of picture files, the front view first. zip: groups of factors that
    advance together. budget_usd: a plan that may cost more is refused. cap_usd: the run makes as
    many whole blocks (all variants of one still in one repeat) as fit, then stops.
    """

    name: str = Field(default="", max_length=80)
    question: str = Field(default="", max_length=500)
    stills: Annotated[
        list[Annotated[StillEntry, BeforeValidator(_file_entry)]],
        BeforeValidator(_as_list),
        Field(min_length=1),
    ]
    end_stills: Strings | None = None
    elements: dict[
        Annotated[str, Field(pattern=f"^{ELEMENT_NAME.pattern}$")],
        Annotated[str | list[str], PlainValidator(_check_element)],
    ] = {}
    prompts: Annotated[
        list[Annotated[PromptEntry, BeforeValidator(_text_entry)]],
        BeforeValidator(_as_list),
        Field(min_length=1),
    ]
    settings: SettingsEntry = SettingsEntry()
    zip: Annotated[
        list[Annotated[list[str], Field(min_length=2)]], BeforeValidator(_as_groups)
    ] = []
    repeats: int = Field(default=1, ge=1, le=1000)
    backend: str = "offline"
    budget_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    cap_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)


def read_yaml(path: Path) -> Any:
    """Plain data from a YAML 1.2 file. Unquoted 16:9 and off are strings in YAML 1.2.

    Raises InputError for a missing or too large file, SweepError for invalid YAML.
    """
    with open_input_file(path, InputError, MAX_FILE_BYTES) as file:
        content = file.read()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise SweepError(f"{path}: not a text file; a sweep is written in YAML") from None
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        message = str(getattr(error, "problem", None) or "not valid YAML").splitlines()[0]
        raise SweepError(f"{path}{line}: {message}") from error
    except RecursionError:
        raise SweepError(f"{path}: nested too deeply; a sweep has a few levels") from None
    except (ValueError, KeyError) as error:  # ruamel.yaml does not wrap these in YAMLError
        message = " ".join(str(error).split())
        raise SweepError(f"{path}: holds an invalid value ({message})") from error


def write_yaml(path: Path, data: Mapping[str, Any], comments: Sequence[str] = ()) -> None:
    """Write a sweep file atomically, with comments at its top.

    Raises InputError if the file cannot be written.
    """
    yaml = YAML()
    yaml.width = 4096  # so that a prompt stays on one line
    stream = io.StringIO()
    for comment in comments:
        text = " ".join(comment.split())
        stream.write(textwrap.fill(text, 98, initial_indent="# ", subsequent_indent="#   ") + "\n")
    yaml.dump(dict(data), stream)
    try:
        write_text(path, stream.getvalue())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


class SegmentYaml(TypedDict):
    """A segment as an entry of a sweep file."""

    text: str
    duration_s: float


class PromptYaml(TypedDict, total=False):
    """A prompt as an entry of a sweep file: a text, or the segments of a clip with cuts."""

    name: str
    text: str
    multi_shot: list[SegmentYaml]


class CreateYaml(TypedDict, total=False):
    """A still to create from text, as an entry of a sweep file."""

    create: str
    name: str
    best_of: int


def prompt_entry(prompt: Prompt) -> PromptYaml:
    """The prompt as an entry of a sweep file."""
    entry: PromptYaml = {"name": prompt.name} if prompt.name else {}
    if prompt.multi_shot:
        entry["multi_shot"] = [
            {"text": part.text, "duration_s": part.duration_s} for part in prompt.multi_shot
        ]
    else:
        entry["text"] = prompt.text
    return entry


def parse(data: Any, source: str) -> SweepDocument:
    """Check plain data. Raises SweepError with one line per mistake, which starts with `source`."""
    if data is None:
        raise SweepError(f"{source}: the sweep is empty; it needs stills and prompts")
    if not isinstance(data, Mapping):
        raise SweepError(
            f"{source}: a sweep is a list of fields such as `stills:`, not {_short_repr(data)}"
        )
    try:
        document = SweepDocument.model_validate(data)
    except ValidationError as error:
        raise SweepError(*(f"{source}: {_message(item)}" for item in error.errors())) from None
    problems = [f"{source}: {problem}" for problem in _entry_problems(document)]
    if problems:
        raise SweepError(*problems)
    return document


def _entry_problems(document: SweepDocument) -> Iterator[str]:
    """The mistakes that the types of the fields do not catch."""
    for number, still in enumerate(document.stills):
        if (still.file is None) == (still.create is None):
            yield f"stills[{number}]: give either file or create (a text to make a picture from)"
        elif still.create is None and (still.name or still.best_of > 1):
            yield f"stills[{number}]: name and best_of need create; a file keeps its file name"
    for number, entry in enumerate(document.prompts):
        terms = any([entry.camera, entry.subject, entry.strength, entry.pace, entry.mood])
        given = sum(map(bool, (entry.text, terms, entry.multi_shot)))
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
                    f"settings.{field}[{number}]: {_short_repr(value)} is not accepted; "
                    f"accepted: {', '.join(accepted)}"
                )


def _message(error: ErrorDetails) -> str:
    """One line: the path of the field, its value, what is accepted."""
    first, *rest = error["loc"]
    path = _printable(str(first)) + "".join(
        f"[{part}]" if isinstance(part, int) else f".{_printable(part)}" for part in rest
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
        return f"{path}: {_short_repr(error['input'])} should be {accepted}"
    message = error["msg"].replace("Input should be", "should be")
    return f"{path}: {_short_repr(error['input'])} {message[0].lower()}{message[1:]}"


def _printable(key: str) -> str:
    """The key, quoted and escaped if it has line breaks or other control characters."""
    return key if key.isprintable() else repr(key)


def _short_repr(value: Any) -> str:
    return _REPR.repr(value)
