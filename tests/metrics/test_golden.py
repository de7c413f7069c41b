"""No value and no definition moves under the version it had."""

import copy
from typing import Any

import pytest

from lab.errors import WeightsError
from lab.metrics import SPECS
from lab.vision import WEIGHTS, weight_path
from tests.metrics.golden.constants import changes, reached, sources
from tests.metrics.golden.table import (
    EVERY,
    SHARED,
    WHAT_TO_DO,
    WITHOUT_VALUES,
    Complaint,
    Table,
    complaints,
    measured,
    read,
    rewritten,
    stored,
    tolerance,
)

GOLDEN = stored()
WARP = [("lab.metrics.warp", "Warp")]


@pytest.fixture(scope="module")
def redefined() -> list[Complaint]:
    """What differs from the table in definitions and constants; nothing is measured."""
    numbers = (of["numbers"] for of in GOLDEN.values())
    known = {name: entry["values"] for of in numbers for name, entry in of.items()}
    return complaints(GOLDEN, read(known))


@pytest.fixture(scope="module")
def today() -> list[Complaint]:
    """What differs from the table in any way, measured now."""
    try:
        for name in WEIGHTS:
            weight_path(name)
    except WeightsError as error:
        pytest.skip(str(error))
    return complaints(GOLDEN, read(measured()))


def _fail_for(found: list[Complaint], what_to_do: str) -> None:
    if found:
        pytest.fail("\n".join([*map(str, found), what_to_do]), pytrace=False)


@pytest.mark.parametrize("metric", sorted(GOLDEN))
def test_no_definition_moves_under_its_version(metric: str, redefined: list[Complaint]) -> None:
    """Units, directions, ranges, levels and constants are those that the version stands for."""
    _fail_for([one for one in redefined if one.metric == metric and one.forbidden], WHAT_TO_DO)


@pytest.mark.parametrize("metric", sorted({*GOLDEN} - {SHARED}))
def test_no_value_moves_under_its_version(
    metric: str, redefined: list[Complaint], today: list[Complaint]
) -> None:
    """Every number reads on every clip what it read when its version was new."""
    moved = [one for one in today if one.forbidden and one not in redefined]
    _fail_for([one for one in moved if one.metric == metric], WHAT_TO_DO)


def test_the_table_is_complete(today: list[Complaint]) -> None:
    """Every number is in it, on every clip, by its present version."""
    missing = [one for one in today if not one.forbidden]
    _fail_for(missing, "Run `make golden`, and look at what it writes.")


@pytest.mark.parametrize("name", sorted({*EVERY} - {*WITHOUT_VALUES}))
def test_every_number_is_read_on_some_clips(name: str) -> None:
    """At least two clips give a value, and on one of them a change by a tenth is too much."""
    (entry,) = (of["numbers"][name] for of in GOLDEN.values() if name in of["numbers"])
    values = {clip: v for clip, v in entry["values"].items() if not isinstance(v, str)}
    assert len(values) >= 2
    assert any(abs(v) > 10 * tolerance(name, v, values) for v in values.values()), (
        f"no clip shows what {name} measures: add one to CLIPS in tests/metrics/golden/clips.py"
    )


@pytest.fixture
def table() -> Table:
    """The committed table, to change."""
    return copy.deepcopy(GOLDEN)


def _forbidden(after: Table) -> list[str]:
    return [str(one) for one in complaints(GOLDEN, after) if one.forbidden]


def _scale(entry: dict[str, Any], factor: float) -> None:
    entry["values"] = {
        clip: value if isinstance(value, str) else factor * value
        for clip, value in entry["values"].items()
    }


def test_a_value_that_moves_is_named_with_how_far(table: Table) -> None:
    """Number, clip, both values and what is allowed are in the line; the table keeps its own."""
    entry = table["warp"]["numbers"]["warp"]
    before = entry["values"]["jelly"]
    _scale(entry, 1.22)
    said = _forbidden(table)
    allowed = f"(+22.0%, ±{0.02 * before:.2g} allowed)"
    assert f"warp on jelly: {before:g} → {1.22 * before:g} {allowed}" in said
    assert rewritten(GOLDEN, table) == GOLDEN


def test_a_value_may_move_a_little_and_does_not_creep(table: Table) -> None:
    """Two percent are allowed, or a tenth of what nobody notices; what is written stays."""
    assert tolerance("warp", 3.0, {}) == pytest.approx(0.06)
    assert tolerance("warp", 0.1, {}) == pytest.approx(SPECS["warp"].unnoticed / 10)
    _scale(table["warp"]["numbers"]["warp"], 1.01)
    assert complaints(GOLDEN, table) == []
    assert rewritten(GOLDEN, table) == GOLDEN


def test_a_value_that_is_lost_or_found_has_moved(table: Table) -> None:
    """From a value to a reason and back; another reason alone is only written."""
    values = table["warp"]["numbers"]["warp"]["values"]
    values |= {"jelly": "too large", "tiny": 0.0, "one frame": "one is too few"}
    said = _forbidden(table)
    assert len(said) == 2
    assert "→ too large" in said[0]
    assert "→ 0.0" in said[1]
    taken = rewritten(GOLDEN, table)["warp"]["numbers"]["warp"]["values"]
    assert taken["one frame"] == "one is too few"
    assert (taken["jelly"], taken["tiny"]) == tuple(
        GOLDEN["warp"]["numbers"]["warp"]["values"][clip] for clip in ("jelly", "tiny")
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("unit", "px"), ("direction", "none"), ("high", "2.0"), ("unnoticed", "0.5"), ("version", 1)],
)
def test_a_definition_that_moves_is_named(table: Table, field: str, value: object) -> None:
    """Unit, direction, range, noticeable level, and a version that runs back."""
    entry = table["warp"]["numbers"]["warp"]
    line = f"warp {field}: {entry[field]} → {value}"
    entry[field] = value
    assert _forbidden(table) == [line]
    assert rewritten(GOLDEN, table) == GOLDEN


def test_a_raised_version_takes_in_its_own_rows_only(table: Table) -> None:
    """What moved with it under the old version is still refused."""
    for name in ("warp", "warp.subject"):
        _scale(table["warp"]["numbers"][name], 1.22)
    table["warp"]["numbers"]["warp"] |= {"version": 99, "unit": "px"}
    assert {line.split()[0] for line in _forbidden(table)} == {"warp.subject"}
    taken = rewritten(GOLDEN, table)
    assert taken["warp"]["numbers"]["warp"] == table["warp"]["numbers"]["warp"]
    taken["warp"]["numbers"]["warp"] = GOLDEN["warp"]["numbers"]["warp"]
    assert taken == GOLDEN


def test_a_new_number_is_taken_in(table: Table) -> None:
    """With its constants; the same for a field that definitions did not have before."""
    entry = {**table["warp"]["numbers"]["warp"], "version": 1}
    table["warp"]["numbers"]["warp.new"] = entry
    table["warp"]["constants"]["lab.metrics.warp._NEW"] = [0.7]
    table["flicker"]["numbers"]["flicker"]["since"] = "2"
    assert _forbidden(table) == []
    assert "warp.new is new" in [str(one) for one in complaints(GOLDEN, table)]
    assert rewritten(GOLDEN, table) == table


def test_constants_ask_for_a_version(table: Table) -> None:
    """Of their own metric; of one that all share, any number's."""
    table["warp"]["constants"]["lab.metrics.warp._GAIN"] = [7.0]
    line = "warp constant of lab.metrics.warp._GAIN: 6 → 7"
    assert _forbidden(table) == [line]
    assert rewritten(GOLDEN, table) == GOLDEN
    table["drift"]["numbers"]["drift"]["version"] += 1
    assert _forbidden(table) == [line]
    table["shared"]["constants"]["lab.metrics.moment.STRIDE_S"] = [0.25]
    assert _forbidden(table) == [line]
    table["warp"]["numbers"]["warp.shape"]["version"] += 1
    assert _forbidden(table) == []
    assert rewritten(GOLDEN, table) == table


def _edited(*edits: tuple[str, str]) -> list[str]:
    """What edits of warp.py change of the constants of warp."""
    before, after = sources(), sources()
    for old, new in edits:
        assert old in after["lab.metrics.warp"]
        after["lab.metrics.warp"] = after["lab.metrics.warp"].replace(old, new)
    return changes(reached(before, WARP), reached(after, WARP))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("_FOLDED = 0.2", "_FOLDED = 0.21", "lab.metrics.warp._FOLDED: 0.2 → 0.21"),
        ("math.sqrt(6)", "math.sqrt(6) * 1.22", "lab.metrics.warp._GAIN: nothing → 1.22"),
        ("np.ones((9, 9)", "np.ones((9, 7)", "lab.metrics.warp._bent: 9 → 7"),
        ("values[-3:]", "values[-2:]", "lab.metrics.warp._WarpTracker: -3 → nothing"),
        ("unnoticed=unnoticed", "unnoticed=0.3", "lab.metrics.warp._spec: nothing → 0.3"),
    ],
)
def test_a_number_in_the_code_is_a_constant(old: str, new: str, said: str) -> None:
    """Of a module, in a function or a call, named or not, and the line says where."""
    assert _edited((old, new)) == [said]


@pytest.mark.parametrize(
    "edits",
    [
        [("_FOLDED = 0.2", "_FOLDED = 0.20  # a fifth")],
        [("_FOLDED = 0.2", "_UNUSED = 0.9\n_FOLDED = 0.2")],
        [("_FOLDED = 0.2", ""), ("area < _FOLDED", "area < 0.2")],
        [("_FOLDED", "_SQUEEZED")],
        [("version=3", "version=4")],
        [('"""Begin a clip."""', '"""Begin one of 7 clips."""')],
        [("self._frames = 0", "self._frames = self._more = 0")],
        [("width = valid.shape", "width = valid.shape[:2]")],
    ],
    ids=str,
)
def test_a_refactoring_changes_no_constant(edits: list[tuple[str, str]]) -> None:
    """Words, names, places, the version, and what only counts or picks may change."""
    assert _edited(*edits) == []


def test_a_number_written_once_instead_of_twice_is_no_change() -> None:
    """Also where what is left stands in the code that all metrics share; gone altogether counts."""
    twice = {"lab.metrics.warp._one": [0.3, 4.0], "lab.metrics.warp._other": [0.3]}
    once = {"lab.vision.robust.shared": [0.3], "lab.metrics.warp._one": [4.0]}
    assert changes(twice, once) == []
    assert changes(twice, {"lab.metrics.warp._one": [4.0]}, {"lab.vision.x": [0.3]}) == []
    assert changes(once, twice)
    assert changes(twice, {"lab.metrics.warp._one": [4.0]})


def test_what_a_metric_reaches_is_its_own() -> None:
    """The features of identity are drift's; flow is everyone's; how files are fetched no one's."""
    places = {metric: " ".join(of["constants"]) for metric, of in GOLDEN.items()}
    assert [metric for metric, of in places.items() if "lab.vision.embedding" in of] == ["drift"]
    assert [metric for metric, of in places.items() if "flow.consistent" in of] == ["shared"]
    assert not any("FETCH_TIMEOUT_S" in of for of in places.values())
