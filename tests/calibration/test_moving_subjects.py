"""Clips in which a subject moves over a ground: what is seen agrees with the stated truth."""

from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lab.calibration import clean_clips
from lab.calibration.clean_clips import Source, photographs
from lab.calibration.moving_subjects import SUBJECT_MOVES, Cutout, MovingSubject, cut_out
from lab.media import open_image

Pixels = NDArray[np.uint8]
SIZE = (200, 112)
FRAMES = 48
every_move = pytest.mark.parametrize("move", SUBJECT_MOVES)


@cache
def ball() -> Cutout:
    """A disc whose red grows to the right and whose green grows downwards; blue is full."""
    y, x = np.mgrid[-1:1:200j, -1:1:200j]
    rgb = np.dstack([128 + 90 * x, 128 + 90 * y, np.full(x.shape, 255)])
    alpha = np.where(np.hypot(x, y) < 0.98, 255, 0)
    return Cutout(rgb.round().astype(np.uint8), alpha.astype(np.uint8), 0.5)


@cache
def block() -> Cutout:
    """A red square."""
    return Cutout(
        np.full((80, 80, 3), (200, 0, 0), np.uint8), np.full((80, 80), 255, np.uint8), 0.5
    )


@cache
def film(move: str) -> MovingSubject:
    passer = block() if move == "passer-by" else None
    return MovingSubject(move, ball(), passer, None, size_px=SIZE, frames=FRAMES)


@cache
def drawn(move: str) -> tuple[list[Pixels], list[Pixels]]:
    return film(move).draw()


def box(alpha: Pixels) -> tuple[int, ...]:
    """Left, top, width, height of what is seen; zeros if nothing is."""
    return tuple(cv2.boundingRect((alpha > 127).astype(np.uint8)))


@every_move
def test_alphas_are_where_the_subject_is_seen(move: str) -> None:
    """Only the subject has full blue without full red, and only where its alpha says so."""
    for rgb, alpha in zip(*drawn(move), strict=True):
        seen = (rgb[..., 2] == 255) & (rgb[..., 0] < 255)
        sure = (alpha == 0) | (alpha == 255)  # the edge between them is soft
        assert (seen == (alpha == 255))[sure].all()
        # The wall has no place with as much blue as red or more.
        assert (rgb[alpha == 0][:, 2] <= rgb[alpha == 0][:, 0]).all()


@every_move
def test_points_of_the_still_say_what_each_pixel_shows(move: str) -> None:
    """The colour of the still at the point is the colour of the pixel, also where it turned."""
    frames, alphas = drawn(move)
    inner = cv2.erode(alphas[0], np.ones((7, 7), np.uint8))
    for index in (0, 12, 30, FRAMES - 1):
        points = film(move).still_points(index)
        expected = cv2.remap(frames[0], points, None, cv2.INTER_LINEAR)
        sure = (cv2.remap(inner, points, None, cv2.INTER_LINEAR) == 255) & (alphas[index] == 255)
        assert sure.any() or (alphas[index] == 255).sum() < 100
        assert np.abs(expected[sure].astype(int) - frames[index][sure]).max(initial=0) <= 4


@every_move
def test_the_first_frame_shows_all_of_the_subject_in_its_place(move: str) -> None:
    """It is 42 % of the frame high, inside the frame, and unmoved."""
    left, top, width, height = box(drawn(move)[1][0])
    assert height == pytest.approx(0.42 * SIZE[1], abs=3)
    assert width == pytest.approx(height, abs=2)
    assert left > 0
    assert left + width < SIZE[0]
    assert 0 < top < top + height < SIZE[1]
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    assert film(move).still_points(0) == pytest.approx(np.dstack([x, y]), abs=1e-3)


@every_move
def test_a_clip_is_the_same_each_time(move: str) -> None:
    """Cached rows stay true."""
    passer = block() if move == "passer-by" else None
    again = MovingSubject(move, ball(), passer, None, size_px=SIZE, frames=FRAMES).draw()
    for one, other in zip(drawn(move), again, strict=True):
        assert all(map(np.array_equal, one, other))


def test_each_move_is_what_its_name_says() -> None:
    """The subject crosses half of the frame, grows by 1.6, or leans with its top."""
    first, last = (box(drawn("walk")[1][index]) for index in (0, -1))
    assert last[0] - first[0] > 0.5 * SIZE[0]
    first, last = (box(drawn("near")[1][index]) for index in (0, -1))
    assert last[3] / first[3] == pytest.approx(1.6, rel=0.03)
    _, top, _, height = box(drawn("bend")[1][0])
    leans = []
    for alpha in (drawn("bend")[1][0], drawn("bend")[1][-1]):
        head, feet = (alpha[top : top + height // 4], alpha[top + 3 * height // 4 : top + height])
        middles = [np.flatnonzero((one > 127).any(axis=0)).mean() for one in (head, feet)]
        leans.append(middles[0] - middles[1])
    assert leans[0] == pytest.approx(0, abs=1)
    assert 0.15 < leans[1] / height < 0.3


def test_a_turning_surface_moves_within_its_outline() -> None:
    """Its middle shows what was sin(25°) of the radius to the left; the outline stays a disc."""
    frames, alphas = drawn("turn")
    left, top, width, height = box(alphas[-1])
    assert (width, height) == pytest.approx(box(alphas[0])[2:], abs=1)
    red = float(frames[-1][top + height // 2, left + width // 2, 0])
    assert red == pytest.approx(128 - 90 * np.sin(np.radians(25)), abs=4)


def test_the_passer_by_hides_the_subject_for_a_while() -> None:
    """Nothing is hidden at first and at last, and all of it in between."""
    seen = np.array([(alpha > 127).sum() for alpha in drawn("passer-by")[1]])
    assert seen[0] == pytest.approx(seen[-1], rel=0.02)
    assert (seen[-6:] > 0.98 * seen[0]).all()
    assert (seen == 0).any()


def test_who_leaves_is_away_and_then_back_for_the_last_second() -> None:
    """It is nowhere for a few frames, and all of it is in sight in the last second."""
    alphas = drawn("exit and return")[1]
    whole = (alphas[0] > 127).sum()
    away = [index for index, alpha in enumerate(alphas) if not alpha.any()]
    assert len(away) >= 3
    assert 10 < away[0] < away[-1] < FRAMES // 2
    assert all((alpha > 127).sum() > 0.98 * whole for alpha in alphas[FRAMES // 2 :])


def test_a_plain_ground_has_no_texture() -> None:
    """Neighbouring pixels beside the subject differ by one code value at most."""
    rgb, alpha = (one[0] for one in drawn("walk"))
    for axis in (0, 1):
        steps = np.abs(np.diff(rgb.astype(int), axis=axis)).max(axis=-1)
        clear = (cv2.dilate(alpha, np.ones((5, 5), np.uint8)) == 0)[
            : steps.shape[0], : steps.shape[1]
        ]
        assert steps[clear].max() <= 1


def test_a_ground_moves_with_the_camera(texture: Pixels) -> None:
    """Far from the subject, the pan shifts the photograph to the left."""
    (first, last), _ = MovingSubject("walk", ball(), None, texture, size_px=SIZE, frames=2).draw()
    shift = round(0.05 * SIZE[0])
    corner = np.s_[:14, 40:150]
    moved = np.roll(first, -shift, axis=1)[corner]
    assert np.abs(moved.astype(int) - last[corner]).mean() < 1
    assert np.abs(first[corner].astype(int) - last[corner]).mean() > 5


def test_only_a_picture_with_a_subject_can_be_cut_out() -> None:
    """A flower can, without the colour of its old ground; a blank picture cannot."""
    flower = cut_out(open_image(photographs(None)[4]).rgb)
    assert flower is not None
    assert 0.1 < flower.area < 0.4
    orange = flower.rgb[flower.alpha > 0].astype(int)
    assert (orange[:, 0] > orange[:, 2]).mean() > 0.995
    assert cut_out(np.full((200, 300, 3), 90, np.uint8)) is None


def test_each_half_sees_every_move_of_a_subject(all_moving: list[Source]) -> None:
    """And each half has two clips on a plain ground, of other moves than the other half.

    The rocket is too narrow to be cut out.
    """
    assert len({source.name for source in all_moving}) == len(all_moving) == 12
    assert "rocket" not in {source.group for source in all_moving}
    plain = {}
    for final in (False, True):
        half = [source for source in all_moving if source.final == final]
        assert {source.move for source in half} == set(SUBJECT_MOVES)
        plain[final] = {source.move for source in half if source.ground is None}
        assert len(plain[final]) == 2
    assert not plain[True] & plain[False]
    for source in all_moving:
        assert source.path not in (source.other, source.ground)
        assert source.other != source.ground
        kinds = (source.move,) if source.ground else (source.move, clean_clips.PLAIN_GROUND)
        assert source.base_kinds == kinds
