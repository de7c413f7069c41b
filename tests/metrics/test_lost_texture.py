"""Lost texture: the subject's surface that flow does not find again although nothing hides it."""

import numpy as np
import pytest

from lab.metrics.lost_texture import lost
from lab.metrics.moment import Stride
from lab.vision import FlowPair

SIZE = (90, 160)
SUBJECT = np.s_[20:70, 40:120]
LEFT_HALF = np.s_[20:70, 40:80]


def _stride(
    shift_px: float,
    unfound: tuple[slice, slice] | None,
    *,
    there: bool,
    subject: tuple[slice, slice] = SUBJECT,
) -> Stride:
    """A stride in which all moves right, and a place is not found. there: nor is what replaces it.

    The grey values say nothing here.
    """
    forward = np.zeros((*SIZE, 2), np.float32)
    forward[..., 0] = shift_px
    found, found_there = np.ones(SIZE, bool), np.ones(SIZE, bool)
    if unfound is not None:
        found[unfound] = False
        if there:
            found_there[unfound] = False
    where = np.zeros(SIZE, np.float32)
    where[subject] = 1
    pair = FlowPair(forward, -forward, found, found_there)
    return Stride(0, 0.0, 0.125, np.zeros(SIZE, np.uint8), where, pair, None)


CALM = _stride(0, None, there=False)


def test_a_surface_that_is_redrawn_is_lost() -> None:
    """Where neither the place nor what comes to it is found again, exactly that place is lost."""
    missing = lost(CALM, _stride(0, LEFT_HALF, there=True))
    assert missing[LEFT_HALF].all()
    assert missing.sum() == missing[LEFT_HALF].sum()


def test_what_something_hides_is_not_lost() -> None:
    """What comes to the place is followed from elsewhere, so it only covers the surface."""
    assert not lost(CALM, _stride(0, LEFT_HALF, there=False)).any()


def test_what_leaves_the_picture_is_not_lost() -> None:
    """The subject's own motion takes its right edge, which is the picture's, out of it."""
    edge = np.s_[20:70, 156:160]
    assert not lost(CALM, _stride(5, edge, there=True, subject=np.s_[20:70, 60:160])).any()


def test_what_moves_too_far_to_be_followed_is_not_lost() -> None:
    """Flow is reliable up to 3 % of the diagonal, here 5.5 px."""
    assert not lost(CALM, _stride(6, LEFT_HALF, there=True)).any()


@pytest.mark.parametrize("shift_px", [0, 5])
def test_the_ground_is_not_asked(shift_px: float) -> None:
    """Water and grass beside the subject may be lost."""
    assert not lost(CALM, _stride(shift_px, np.s_[:, 125:], there=True)).any()


def test_a_subject_of_which_nothing_is_found_is_lost() -> None:
    """Then the ground's motion says where it should be."""
    missing = lost(CALM, _stride(0, SUBJECT, there=True))
    assert missing[SUBJECT].all()
