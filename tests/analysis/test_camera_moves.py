"""Which camera move measured motion shows."""

import pytest

from lab.analysis.camera_moves import MIN_SWAY, NOTICEABLE, as_camera, seen_move
from lab.prompts import Signature

STILL = dict.fromkeys(Signature.model_fields, 0.0)


@pytest.mark.parametrize(
    ("parallax", "believed", "move"),
    [
        (0.3, 0.0, "pan_right"),  # the subject goes along
        (-1.0, -6.0, "truck_right"),  # it is nearer, and faster
        (-20.0, -6.0, "truck_right"),
        (2.0, -6.0, "truck_right"),  # it is farther, and slower
        (4.2, 4.0, "orbit_left"),  # the camera keeps it in place
        (11.0, 4.0, "orbit_left"),
        (13.0, 0.0, "pan_right"),  # it runs against the background by itself
    ],
)
def test_a_subject_beyond_the_background_is_read_by_its_ratio(
    parallax: float, believed: float, move: str
) -> None:
    """Before a camera that goes right, the subject's motion tells a pan, a truck and an orbit."""
    seen = as_camera(STILL | {"pan": 4.0, "parallax_x": parallax})
    assert seen["parallax_x"] == pytest.approx(believed)
    assert seen_move(seen).name == move


@pytest.mark.parametrize("part", ["parallax_x", "parallax_y", "approach"])
def test_before_a_standing_background_the_subject_moves_by_itself(part: str) -> None:
    """No camera moves the subject and leaves the background where it is."""
    assert as_camera(STILL | {part: 20.0}) == STILL


def test_a_little_sway_is_a_held_camera() -> None:
    """Unsteadiness below that of real hands is not read as a handheld camera."""
    assert as_camera(STILL | {"sway": MIN_SWAY - 0.01}) == STILL
    assert seen_move(as_camera(STILL | {"sway": 4.0})).name == "handheld_drift"


def test_without_a_subject_moves_are_alike() -> None:
    """A pan and a truck are then told apart by nothing, and both are named."""
    seen = seen_move(as_camera({"pan": -4.0, "tilt": 0.0, "roll": 0.0, "zoom": 0.0, "sway": 0.0}))
    assert {seen.name, *seen.alike} == {"pan_left", "truck_left"}


def test_a_second_move_has_to_be_a_large_part() -> None:
    """Two moves of like size are both named; a small one beside a large one is not."""
    both, large = (seen_move(STILL | {"pan": 4.0, "tilt": tilt}) for tilt in (3.0, 0.8))
    assert (both.name, both.combined_with) == ("pan_right", "tilt_up")
    assert (large.name, large.combined_with) == ("pan_right", "")


def test_every_component_has_a_threshold() -> None:
    """A component without one could not be compared."""
    assert set(NOTICEABLE) == set(Signature.model_fields)
