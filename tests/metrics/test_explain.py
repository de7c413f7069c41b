"""Where and when a score comes from."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lab.metrics import HEADLINES, SPECS, Worst, explain
from lab.metrics.explain import brightest, where
from lab.runs import score

VALUES = st.floats(0, 1e3, allow_nan=False, width=32)


def _record(series: dict[int, float | None], fps: float = 12) -> dict[str, Any]:
    return {
        "scores": {"warp": 1.0, "warp.shape": None},
        "units": {"warp": "‰", "warp.shape": "‰"},
        "series": {"warp": {str(frame): value for frame, value in series.items()}},
        "boxes": {"warp": {"3": [0.1, 0.2, 0.3, 0.4]}},
        "times_s": [n / fps for n in range(60)],
    }


@given(
    st.dictionaries(st.integers(0, 59), st.none() | st.floats(-1e6, 1e6), max_size=60),
    st.integers(0, 6),
)
def test_the_worst_are_sorted_apart_and_few(series: dict[int, float | None], count: int) -> None:
    """As many as asked for at most, worst first, half a second apart; and what is left out is
    near to something worse, or was not asked for.
    """
    found = explain(_record(series), "warp", count)
    sizes = [abs(worst.value) for worst in found]
    times = [worst.time_s for worst in found]
    assert len(found) <= count
    assert sizes == sorted(sizes, reverse=True)
    assert all(abs(a - b) >= 0.5 for i, a in enumerate(times) for b in times[:i])
    assert all(series[worst.frame] == worst.value for worst in found)
    if len(found) < count:
        for frame, value in series.items():
            near = (abs(one.value) for one in found if abs(one.time_s - frame / 12) < 0.5)
            assert value is None or abs(value) <= max(near)


def test_the_very_worst_is_first() -> None:
    """The largest value comes first with its frame, time, unit and place."""
    (worst,) = explain(_record({3: 5.0, 4: 2.0, 20: None}), "warp")
    assert worst == Worst("warp", 3, 0.25, 5.0, "‰", (0.1, 0.2, 0.3, 0.4))
    assert str(worst) == "5 ‰ at 0.25 s (frame 3), upper left"


def test_the_lowest_is_the_worst_where_more_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is worst follows the definition's direction."""
    higher = replace(SPECS["warp"], direction="higher", high=10.0)
    monkeypatch.setitem(SPECS, "warp", higher)
    assert [one.frame for one in explain(_record({3: 9.0, 20: 2.0, 40: 5.0}), "warp")] == [
        20,
        40,
        3,
    ]


def test_without_a_value_there_is_nothing_to_explain() -> None:
    """A score that is missing, or has no series, has no worst moments."""
    assert explain(_record({}), "warp") == ()
    assert explain(_record({5: 1.0}), "warp.shape") == ()


def test_an_unknown_name_is_refused() -> None:
    """A name that was not scored is refused with those that were."""
    with pytest.raises(KeyError, match=r"wrap.*warp"):
        explain(_record({}), "wrap")


@given(
    arrays(
        np.float32, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=60), elements=VALUES
    )
)
def test_a_box_lies_in_the_frame(values: np.ndarray) -> None:
    """Whatever the field, its box is inside the frame and not empty."""
    left, top, right, bottom = brightest(values)
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1


@given(
    st.tuples(st.integers(24, 120), st.integers(24, 120)),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0.5, 100),
    st.booleans(),
)
def test_the_box_holds_the_peak(
    size: tuple[int, int], across: float, down: float, strength: float, gaps: bool
) -> None:
    """A patch that stands out is inside the box, negative or not, beside unseen places or not."""
    height, width = size
    x, y = across * (width - 1), down * (height - 1)
    rows, columns = np.mgrid[:height, :width]
    reach = min(size) / 6
    values = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * reach**2)).astype(np.float32)
    values *= strength if gaps else -strength
    if gaps:
        values[np.hypot(rows - y, columns - x) > 3 * reach] = np.nan
    left, top, right, bottom = brightest(values)
    assert left <= (x + 0.5) / width <= right
    assert top <= (y + 0.5) / height <= bottom
    assert (right - left) * (bottom - top) < 0.6


def test_a_far_second_spot_is_left_out() -> None:
    """The box is around the largest patch and what adjoins it, not around all that is bright."""
    values = np.zeros((120, 120), np.float32)
    values[10:30, 10:30] = 1
    values[90:110, 90:110] = 0.9
    assert brightest(values) == pytest.approx((10 / 120, 10 / 120, 30 / 120, 30 / 120), abs=0.09)


@pytest.mark.parametrize("level", [0.0, np.nan])
def test_a_field_without_a_peak_is_everywhere(level: float) -> None:
    """Nothing stands out in a flat field, nor in one that nobody saw."""
    assert brightest(np.full((40, 60), level, np.float32)) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((0, 0, 0.2, 0.2), "upper left"),
        ((0.4, 0.4, 0.6, 0.6), "middle"),
        ((0.8, 0.45, 1, 0.55), "right"),
        ((0.4, 0.9, 0.6, 1), "lower"),
        ((0.7, 0.7, 1, 1), "lower right"),
        ((0, 0, 1, 1), "nearly everywhere"),
    ],
)
def test_a_box_in_words(box: tuple[float, float, float, float], words: str) -> None:
    """Thirds of the frame, and one word for the whole of it."""
    assert where(box) == words


def test_a_defect_is_found_where_and_when_it_was_put(
    write_frames: Callable[..., Path], panned: Callable[..., list[np.ndarray]]
) -> None:
    """Patches that flash, one early in a corner and a stronger one late in another, are named in
    order of strength with their frames and corners, also after a trip through JSON.
    """
    shown = [np.ascontiguousarray(rgb) for rgb in panned(1, 26)]
    for frame, corner, strength in (
        (5, np.s_[10:80, 10:100], 3.0),
        (20, np.s_[160:230, 220:310], 6.0),
    ):
        shown[frame][corner] = cv2.add(shown[frame][corner], (strength,) * 3)
    (record,) = score(write_frames(shown), quiet=True)
    first, second = explain(json.loads(json.dumps(record)), "flicker.local", 2)
    assert (first.frame, second.frame) == (20, 5)
    assert first.value > 1.5 * second.value
    assert where(first.box) == "lower right"
    assert where(second.box) == "upper left"
    assert first.time_s == pytest.approx(20 / 24, abs=1e-3)
    for name in HEADLINES:
        assert len(explain(record, name)) <= 3
