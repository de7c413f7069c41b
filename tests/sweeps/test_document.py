"""Reading sweep files: one clear line for every mistake."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lab.errors import InputError, SweepError
from lab.sweeps.document import MAX_FILE_BYTES, SweepDocument, parse, read_yaml

FIELDS = [*SweepDocument.model_fields, "camera", "text", "duration_s", "fps", "seed", "flaws"]
GOOD: dict[str, Any] = {"stills": ["a.jpg"], "prompts": ["slow push in"]}

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates()
)
keys = st.sampled_from(FIELDS) | st.text(max_size=8) | st.integers() | st.booleans() | st.none()
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=15,
)


def _read(path: Path, text: str | bytes) -> Any:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_yaml(path)


def _mistakes(data: Any) -> tuple[str, ...]:
    """The mistakes in a document, empty if there are none; other errors are raised."""
    try:
        document = parse(data, "s.yaml")
    except SweepError as error:
        return error.problems or ("empty message\n",)
    return () if isinstance(document, SweepDocument) else ("is no document\n",)


def _problems(**fields: Any) -> tuple[str, ...]:
    with pytest.raises(SweepError) as caught:
        parse({**GOOD, **fields}, "s.yaml")
    return caught.value.problems


@given(anything)
def test_any_data_is_a_sweep_or_a_sweep_error(data: Any) -> None:
    """Any plain data gives a document or a SweepError."""
    mistakes = _mistakes(data)
    assert all(line.startswith("s.yaml: ") and "\n" not in line for line in mistakes)


@given(st.dictionaries(st.sampled_from(list(SweepDocument.model_fields)), anything))
@example({"elements": {"\n": None}})
def test_any_field_may_be_wrong(fields: dict[str, Any]) -> None:
    """Any value of a known field gives a document or a SweepError."""
    assert all("\n" not in line for line in _mistakes({**GOOD, **fields}))


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_bytes_are_yaml_or_a_sweep_error(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    """Reading any bytes raises nothing but SweepError."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    message = str(path)
    try:
        _read(path, data)
    except SweepError as error:
        message = str(error)
    assert str(path) in message


def test_a_ratio_and_off_are_strings(tmp_path: Path) -> None:
    """An unquoted 16:9 is not 969, and an unquoted off is not false."""
    data = _read(tmp_path / "s.yaml", "a: [16:9, off, no, 1.5, 007]\n")
    assert data["a"][:4] == ["16:9", "off", "no", 1.5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", "not a text file"),
        ("stills: [a", "line 1"),
        ("a: 1\na: 2\n", "line 2"),
        ("a: !!python/object/apply:os.system [exit]\n", "line 1"),
        ("a: 2001-99-99", "month"),
        ("a: !!bool maybe", "maybe"),
        ("a: " + "9" * 5000, "digits"),
        ("[" * 1500, "nested too deeply"),
    ],
    ids=["bytes", "broken", "key twice", "python object", "date", "tag", "digits", "deep"],
)
def test_a_bad_file_is_named(tmp_path: Path, content: str | bytes, message: str) -> None:
    """Invalid YAML is refused with the file's name, and the line if it is known."""
    with pytest.raises(SweepError, match=message) as caught:
        _read(tmp_path / "s.yaml", content)
    assert str(tmp_path / "s.yaml") in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    """A missing file, a folder and a too large file are refused with their path."""
    with pytest.raises(InputError, match=r"gone\.yaml: no such file"):
        read_yaml(tmp_path / "gone.yaml")
    with pytest.raises(InputError, match="is a folder"):
        read_yaml(tmp_path)
    with pytest.raises(InputError, match="too large"):
        _read(tmp_path / "s.yaml", b"a: " + b"x" * MAX_FILE_BYTES)


def test_one_value_stands_for_a_list() -> None:
    """A single still, prompt, setting or option needs no brackets."""
    document = parse(
        {
            "stills": "a.jpg",
            "prompts": {"camera": "pan_left", "pace": "slow"},
            "settings": {"duration_s": 2, "aspect_ratio": "1:1", "seed": 3, "flaws": 0.5},
        },
        "s.yaml",
    )
    assert [still.file for still in document.stills] == ["a.jpg"]
    assert document.prompts[0].camera == ["pan_left"]
    assert document.settings.duration_s == [2.0]
    assert document.settings.aspect_ratio == ["1:1"]
    assert document.settings.seed == [3]
    assert document.settings.model_extra == {"flaws": [0.5]}


def test_stills_and_prompts_are_enough() -> None:
    """The defaults are one free take of 5 s at 720p and 24 fps."""
    document = parse(GOOD, "s.yaml")
    settings = document.settings
    assert (document.backend, document.repeats, document.budget_usd) == ("offline", 1, None)
    assert (settings.duration_s, settings.fps, settings.seed) == ([5.0], [24.0], None)
    assert (settings.aspect_ratio, settings.resolution) == (["16:9"], ["720p"])


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"stills": []}, "stills"),
        ({"stills": [3]}, "stills[0]"),
        ({"prompts": [{"camera": "pan_left", "text": "pan"}]}, "prompts[0]"),
        ({"prompts": [{}]}, "prompts[0]"),
        ({"prompts": [5]}, "prompts[0]"),
        ({"repeats": 0}, "repeats"),
        ({"repeats": True}, "repeats"),
        ({"repeats": "3"}, "repeats"),
        ({"budget_usd": -1}, "budget_usd"),
        ({"budget_usd": float("nan")}, "budget_usd"),
        ({"settings": {"duration_s": 0}}, "settings.duration_s[0]"),
        ({"settings": {"duration_s": [2, float("inf")]}}, "settings.duration_s[1]"),
        ({"settings": {"fps": [24, "fast"]}}, "settings.fps[1]"),
        ({"settings": {"aspect_ratio": ["1:1", "2:1"]}}, "settings.aspect_ratio[1]"),
        ({"settings": {"resolution": "480p"}}, "settings.resolution[0]"),
        ({"settings": {"seed": -1}}, "settings.seed[0]"),
        ({"settings": {"flaws": []}}, "settings.flaws"),
        ({"settings": {"flaws": [1, None]}}, "settings.flaws[1]"),
        ({"settings": {"flaws": float("nan")}}, "settings.flaws[0]"),
        ({"settings": []}, "settings"),
        ({"zip": [[]]}, "zip[0]"),
        ({"question": "x" * 501}, "question"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_names_its_field(fields: dict[str, Any], path: str) -> None:
    """Each mistake is one line that begins with the source and the field's path."""
    (line,) = _problems(**fields)
    assert line.startswith(f"s.yaml: {path}: ")


def test_all_mistakes_are_reported_together() -> None:
    """Three mistakes give three lines."""
    lines = _problems(repeats=0, stils=["a.jpg"], settings={"fps": -1})
    assert len(lines) == 3
    assert {line.split(": ")[1] for line in lines} == {"repeats", "stils", "settings.fps[0]"}


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"repeat": 2}, "did you mean 'repeats'?"),
        ({"prompts": [{"camra": "pan_left"}]}, "did you mean 'camera'?"),
        ({"zebra": 2}, "accepted: backend, budget_usd"),
    ],
)
def test_a_misspelt_field_gets_a_hint(fields: dict[str, Any], hint: str) -> None:
    """An unknown field gets the nearest one as a hint, or all of them."""
    assert hint in _problems(**fields)[0]


def test_missing_fields_are_named() -> None:
    """An empty file and a file without prompts get an error that says what is needed."""
    with pytest.raises(SweepError, match="it needs stills and prompts"):
        parse(None, "s.yaml")
    with pytest.raises(SweepError, match=r"s\.yaml: prompts: is missing and required"):
        parse({"stills": ["a.jpg"]}, "s.yaml")
    with pytest.raises(SweepError, match=r"s\.yaml: stills: is empty; give at least one"):
        parse({"stills": [], "prompts": ["pan left"]}, "s.yaml")


def test_a_long_value_is_shortened_in_the_message() -> None:
    """The line stays short."""
    (line,) = _problems(settings={"resolution": "x" * 10_000})
    assert len(line) < 250
