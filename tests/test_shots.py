"""Shots and their settings."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import InputError
from lab.prompts import Prompt
from lab.shots import Shot, ShotSettings
from lab.stills import Still
from lab.units import RATIOS, SHORT_SIDE_PX

OPTIONS = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.text(max_size=8)
    | st.integers()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False),
    max_size=4,
)
SETTINGS = st.builds(
    ShotSettings,
    duration_s=st.floats(0.04, 60),
    aspect_ratio=st.sampled_from(sorted(RATIOS)),
    resolution=st.sampled_from(sorted(SHORT_SIDE_PX)),
    fps=st.floats(1, 120) | st.integers(1, 120),
    seed=st.none() | st.integers(0, 2**31),
    options=OPTIONS.map(lambda options: tuple(options.items())),
)
STILLS = st.builds(
    Still,
    path=st.text("abc/. é", min_size=1).map(Path),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    width_px=st.integers(64, 10_000),
    height_px=st.integers(64, 10_000),
    changes=st.lists(st.text(max_size=20), max_size=2).map(tuple),
)
PROMPTS = st.builds(
    Prompt.from_text,
    st.text(min_size=1, max_size=80).filter(lambda text: text.split()),
    st.text(max_size=10),
)
SHOTS = st.builds(Shot, STILLS, PROMPTS, SETTINGS)


@given(SHOTS)
def test_a_shot_survives_a_trip_through_json(shot: Shot) -> None:
    """A shot written as JSON text and read back is equal, paths and names included."""
    back = Shot.from_json(json.loads(json.dumps(shot.to_json())))
    assert back == shot
    assert back.still.path == shot.still.path
    assert back.content() == shot.content()


def test_settings_are_equal_whatever_the_options_order() -> None:
    """Options given in another order are the same settings."""
    one = ShotSettings(options=(("mode", "pro"), ("cfg", 0.5)))
    other = ShotSettings(options=(("cfg", 0.5), ("mode", "pro")))
    assert one == other
    assert hash(one) == hash(other)


def test_whole_numbers_and_floats_are_the_same_rate() -> None:
    """24 and 24.0 frames a second make the same settings and the same JSON."""
    one, other = ShotSettings(duration_s=5, fps=24), ShotSettings(duration_s=5.0, fps=24.0)
    assert one == other
    assert json.dumps(one.to_json()) == json.dumps(other.to_json())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("duration_s", 0),
        ("duration_s", -1),
        ("duration_s", 61),
        ("duration_s", math.nan),
        ("duration_s", math.inf),
        ("fps", 0),
        ("fps", 121),
        ("fps", math.nan),
        ("aspect_ratio", "2:1"),
        ("resolution", "480i"),
    ],
)
def test_impossible_settings_are_refused_by_name(field: str, value: object) -> None:
    """A setting out of range is refused in one line that names it and the accepted range."""
    with pytest.raises(InputError, match=f"^{field} .*accepted") as refused:
        ShotSettings(**{field: value})
    assert "\n" not in str(refused.value)


def test_settings_know_the_clips_size_and_length() -> None:
    """Size in pixels and number of frames follow from the settings."""
    settings = ShotSettings(duration_s=2.5, aspect_ratio="9:16", resolution="1080p", fps=24)
    assert settings.size_px == (1080, 1920)
    assert settings.frames == 60


def test_a_backends_option_has_a_default() -> None:
    """A missing option has the default that the backend names."""
    settings = ShotSettings(options=(("mode", "pro"),))
    assert settings.option("mode", "std") == "pro"
    assert settings.option("cfg", 0.5) == 0.5


def test_content_leaves_names_out(coffee: Still) -> None:
    """The path of the still and the name of the prompt are not part of the content."""
    shot = Shot(coffee, Prompt.of("push_in", name="a"))
    moved = Shot(coffee.at(Path("/elsewhere/cup.jpg")), Prompt.of("push_in", name="b"))
    assert moved.content() == shot.content()
    assert replace(shot, prompt=Prompt.of("pull_out")).content() != shot.content()
