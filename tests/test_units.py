"""Conversions between units."""

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import InputError
from lab.units import (
    RATIOS,
    SHORT_SIDE_PX,
    bytes_text,
    diagonal_px,
    escape_controls,
    escape_html,
    escape_line,
    frame_count,
    frame_size,
    number_text,
    seconds_text,
    usd_text,
)


@pytest.mark.parametrize("resolution", SHORT_SIDE_PX)
@pytest.mark.parametrize("ratio", RATIOS)
def test_a_frame_has_its_ratio_its_short_side_and_even_sides(ratio: str, resolution: str) -> None:
    """Every named ratio and resolution gives a frame that an encoder takes as it is."""
    width, height = frame_size(ratio, resolution)
    assert min(width, height) == SHORT_SIDE_PX[resolution]
    assert width % 2 == height % 2 == 0
    assert width / height == pytest.approx(float(RATIOS[ratio]), rel=2 / min(width, height))


@pytest.mark.parametrize(
    ("ratio", "resolution", "wrong"), [("16:10", "720p", "16:10"), ("16:9", "8k", "8k")]
)
def test_an_unknown_frame_is_refused_with_what_is_accepted(
    ratio: str, resolution: str, wrong: str
) -> None:
    """An unknown ratio or resolution is refused with the accepted ones."""
    accepted = "9:16" if wrong == ratio else "1080p"
    with pytest.raises(InputError, match=f"{wrong}.*accepted.*{accepted}"):
        frame_size(ratio, resolution)


@given(st.floats(0, 60), st.floats(1, 120))
def test_frames_last_as_long_as_asked(duration_s: float, fps: float) -> None:
    """A clip has at least one frame, and its length is right to half a frame."""
    count = frame_count(duration_s, fps)
    assert count >= 1
    assert count == 1 or abs(count - duration_s * fps) <= 0.5


def test_the_diagonal_is_the_hypotenuse() -> None:
    """A 3:4:5 frame measures 5."""
    assert diagonal_px(300, 400) == 500


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (512, "512 B"), (3_400_000, "3.4 MB"), (1.2e9, "1.2 GB"), (5e15, "5000.0 TB")],
)
def test_sizes_read_as_people_write_them(count: float, text: str) -> None:
    """A size has the unit that keeps its number short."""
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0, "0 s"),
        (0.6, "0.6 s"),
        (40, "40 s"),
        (59.7, "1 min 00 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_read_as_people_write_them(duration_s: float, text: str) -> None:
    """A duration is in seconds, minutes or hours, whichever fits."""
    assert seconds_text(duration_s) == text


@given(st.floats(60, 360_000))
def test_a_duration_in_words_is_true_to_its_smallest_unit(duration_s: float) -> None:
    """The text of a duration is right to its smallest unit."""
    seconds = {"s": 1, "min": 60, "h": 3600}
    parts = re.findall(r"(\d+) (\w+)", seconds_text(duration_s))
    total_s = sum(int(number) * seconds[unit] for number, unit in parts)
    assert abs(total_s - duration_s) <= seconds[parts[-1][1]]
    assert int(parts[-1][0]) < 60


@pytest.mark.parametrize(
    ("prices", "text"),
    [
        ((0,), "0 USD"),
        ((8.4,), "8.40 USD"),
        ((8.4, 8.4), "8.40 USD"),
        ((8.4, 11.2), "8.40 to 11.20 USD"),
        ((0, 2), "0.00 to 2.00 USD"),
    ],
)
def test_prices_read_as_one_number_or_an_interval(prices: tuple[float, ...], text: str) -> None:
    """A known price is one number, an uncertain one an interval."""
    assert usd_text(*prices) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.93, "0.930"),
        (0.1121, "0.112"),
        (12, "12.0"),
        (0.9999, "1.00"),
        (99.96, "100"),
        (1234.5, "1230"),
        (-0.01234, "-0.0123"),
        (0, "0"),
        (1e-9, "1.00e-09"),
    ],
)
def test_measured_values_have_three_digits(value: float, text: str) -> None:
    """Trailing zeros stay, so that columns can be compared."""
    assert number_text(value) == text


@given(st.text())
def test_control_characters_are_escaped(text: str) -> None:
    """Control characters are escaped, and JSON text keeps its meaning."""
    for shown in (escape_controls(text), escape_line(text), escape_html(text)):
        kinds = {unicodedata.category(sign) for sign in shown} - {"Cc"}
        assert not kinds & {"Cs", "Zl", "Zp"}
        assert not {unicodedata.bidirectional(sign) for sign in shown} & {
            *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        }
    assert not {sign for sign in escape_line(text) if unicodedata.category(sign) == "Cc"}
    assert json.loads(escape_controls(json.dumps(text, ensure_ascii=False))) == text


def test_letters_stay_as_they_are() -> None:
    """Other scripts, accents and joined emoji stay as they are."""
    for text in (
        "קפה בגשם",
        "猫が振り向く",
        "e\u0301 \U0001f468\u200d\U0001f469",
        "a\tb\nc",
        "50 % #1?",
    ):
        assert escape_controls(text) == text
    assert escape_controls("cup\u202egnp.exe\x1b[2J\x9b\x7f\r") == (
        r"cup\u202egnp.exe\u001b[2J\u009b\u007f\r"
    )
    assert escape_line("a\tb\nc") == r"a\tb\nc"
