"""What the metrics share about each frame: what repeats, how it follows, and what is kept."""

import gc
import weakref
from collections.abc import Callable, Iterator
from itertools import pairwise

import cv2
import numpy as np
import pytest

from lab.media import Frame
from lab.metrics import METRICS
from lab.metrics.moment import REGISTER_S, STRIDE_S, Moment, moments, stands
from lab.metrics.reference import Reference

Plain = Callable[..., Reference]
Pan = Callable[..., list[np.ndarray]]


def _timed(shown: list[np.ndarray], times_s: list[float]) -> Iterator[Frame]:
    for index, (rgb, time_s) in enumerate(zip(shown, times_s, strict=True)):
        yield Frame(index, time_s, np.ascontiguousarray(rgb))


def _seen(shown: list[np.ndarray], reference: Reference, fps: float = 24) -> list[Moment]:
    return list(moments(_timed(shown, [n / fps for n in range(len(shown))]), reference))


def _cropped(shown: list[np.ndarray], size: int = 96) -> list[np.ndarray]:
    return [np.ascontiguousarray(rgb[60 : 60 + size, 60 : 60 + size]) for rgb in shown]


def test_every_frame_is_a_moment(panned: Pan, plain: Plain) -> None:
    """Each frame comes once, in order; only the last says so, and each follows the one before."""
    shown = _cropped(panned(2, 6))
    seen = _seen(shown, plain(shown[0]))
    assert [moment.index for moment in seen] == list(range(6))
    assert [moment.last for moment in seen] == [False] * 5 + [True]
    assert seen[0].previous is None
    assert seen[0].step is None
    for before, after in pairwise(seen):
        assert after.previous is not None
        assert after.previous.index == before.index
        assert after.step is not None
        assert after.step.seconds == pytest.approx(1 / 24)
        assert after.step.joined


def test_no_frame_is_no_moment(plain: Plain) -> None:
    """Nothing in, nothing out."""
    assert _seen([], plain(np.zeros((64, 64, 3), np.uint8))) == []


def test_a_step_knows_its_flow(panned: Pan, plain: Plain) -> None:
    """A pan of 2 px a frame is a flow of -2 px a frame, halved where the frame is halved."""
    shown = panned(2, 3)
    step = _seen(shown, plain(shown[0]))[-1].step
    assert step is not None
    assert step.flow.forward.shape == (128, 171, 2)
    assert np.median(step.flow.forward[..., 0]) == pytest.approx(-2 * 128 / 240, abs=0.1)


def test_what_repeats_is_held(panned: Pan, plain: Plain) -> None:
    """Frames shown twice are held, and the steps lead from one picture to the next."""
    shown = _cropped(panned(2, 4))
    seen = _seen([shown[n // 2] for n in range(8)], plain(shown[0]))
    assert [moment.held for moment in seen] == [False, True] * 4
    assert [moment.step is None for moment in seen] == [True] * 2 + [False, True] * 3
    assert [m.step.seconds for m in seen if m.step] == pytest.approx([2 / 24] * 3)
    assert seen[4].previous is not None
    assert seen[4].previous.index == 2


@pytest.mark.parametrize("changed", ["a code value here and there", "one small thing"])
def test_how_little_is_a_repeat(texture: np.ndarray, plain: Plain, changed: str) -> None:
    """An encoder's remainders are a repeat; a thing of a few pixels that moved is none."""
    before = np.ascontiguousarray(texture[:96, :96])
    after = before.copy()
    if changed == "one small thing":
        after[40:44, 40:44] = 255 - after[40:44, 40:44]
    else:
        after[::4, ::4] ^= 1
    assert _seen([before, after], plain(before))[1].held == (changed != "one small thing")


def test_a_cut_is_not_joined(panned: Pan, plain: Plain) -> None:
    """Across a cut nothing is found again."""
    shown = _cropped(panned(2, 4))
    other = [255 - cv2.flip(rgb, 0) for rgb in shown]
    seen = _seen(shown + other, plain(shown[0]))
    joined = [moment.step.joined for moment in seen if moment.step]
    assert joined == [True] * 3 + [False] + [True] * 3
    assert seen[4].step is not None
    assert not seen[4].step.joined


@pytest.mark.parametrize(
    ("fps", "frames_each"), [(5, 1), (8, 1), (12, 2), (16, 2), (24, 3), (25, 3), (30, 4), (60, 8)]
)
def test_a_stride_is_about_an_eighth_of_a_second(
    panned: Pan, plain: Plain, fps: float, frames_each: int
) -> None:
    """A stride ends at the frame nearest to an eighth of a second, whatever the rate."""
    shown = _cropped(panned(1, 2 * frames_each + 1), 48)
    seen = _seen(shown, plain(shown[0]), fps)
    strides = [(moment.index, moment.stride) for moment in seen if moment.stride]
    assert [index for index, _ in strides] == [frames_each, 2 * frames_each]
    for (index, stride), start in zip(strides, (0, frames_each), strict=True):
        assert stride is not None
        assert stride.start_index == start
        assert stride.start_s == pytest.approx(start / fps)
        assert stride.seconds == pytest.approx((index - start) / fps)
    assert strides[0][1].before is None
    assert strides[1][1].before.start_index == 0
    assert strides[1][1].before.before is None


def test_strides_follow_an_uneven_clock(panned: Pan, plain: Plain) -> None:
    """With frames at odd times, a stride takes as many as come nearest to an eighth of a second."""
    times_s = [0, 0.02, 0.04, 0.11, 0.13, 0.4, 0.42, 0.54]
    shown = _cropped(panned(1, len(times_s)), 48)
    seen = moments(_timed(shown, times_s), plain(shown[0]))
    spans = [(m.stride.start_s, round(m.stride.seconds, 3)) for m in seen if m.stride]
    assert spans[0] == (0, pytest.approx(STRIDE_S, abs=0.02))
    assert all(seconds > 0 for _, seconds in spans)
    assert spans[-1][0] + spans[-1][1] <= 0.54


def test_a_stride_knows_where_the_subject_is(panned: Pan, plain: Plain) -> None:
    """A subject that stays where it is while the ground moves is looked for there."""
    shown = panned(3, 4)
    alpha = np.zeros(shown[0].shape[:2], np.float32)
    alpha[80:160, 100:220] = 1
    for rgb in shown:
        rgb[80:160, 100:220] = shown[0][80:160, 100:220]  # the subject stays where it is
    stride = _seen(shown, plain(shown[0], alpha))[-1].stride
    assert stride is not None
    assert stride.subject[120, 160] > 0.9
    assert stride.subject[10, 10] < 0.1


def test_a_registration_every_quarter_of_a_second(panned: Pan, plain: Plain) -> None:
    """A frame is aligned with the still every quarter of a second, and so is the last one."""
    shown = panned(1, 16)
    seen = _seen(shown, plain(shown[0]))
    aligned = [moment.index for moment in seen if moment.registration]
    assert aligned == [0, round(REGISTER_S * 24), round(2 * REGISTER_S * 24), 15]
    transform = seen[15].registration.subject.transform
    assert transform[:, 2] == pytest.approx((-15, 0), abs=0.5)
    assert transform[:, :2] == pytest.approx(np.eye(2), abs=0.01)


def test_subject_and_ground_are_followed_apart(texture: np.ndarray, plain: Plain) -> None:
    """A subject that walks to the right while the camera pans has its own transform."""
    wide = cv2.resize(texture, (640, 480), interpolation=cv2.INTER_AREA)
    figure = cv2.rotate(wide[200:290, 300:370], cv2.ROTATE_180)
    shown = []
    for n in range(25):
        rgb = wide[100:340, 2 * n : 2 * n + 320].copy()
        rgb[80:170, 60 + 3 * n : 130 + 3 * n] = figure
        shown.append(rgb)
    alpha = np.zeros(shown[0].shape[:2], np.float32)
    alpha[80:170, 60:130] = 1
    last = _seen(shown, plain(shown[0], alpha))[-1].registration
    assert last is not None
    assert last.ground is not None
    assert last.subject.transform[:, 2] == pytest.approx((72, 0), abs=1)
    assert last.ground.transform[:, 2] == pytest.approx((-48, 0), abs=1)
    assert min(last.subject.agreement, last.ground.agreement) > 0.8


def test_a_held_frame_does_not_carry_the_subject_twice(panned: Pan, plain: Plain) -> None:
    """A frame that is due while an earlier one is held does not spoil the subject's place."""
    moved = panned(2, 14)
    shown = [moved[min(n - n % 2, 13)] for n in range(14)]
    alpha = np.zeros(shown[0].shape[:2], np.float32)
    alpha[60:180, 80:240] = 1
    for moment in _seen(shown, plain(shown[0], alpha)):
        if moment.registration is not None:
            shift = -2.0 * (moment.index - moment.index % 2)
            transform = moment.registration.subject.transform
            assert transform[:, 2] == pytest.approx((shift, 0), abs=1)


def test_a_picture_that_changes_its_size_starts_anew(panned: Pan, plain: Plain) -> None:
    """From one size to another nothing is compared, and after it everything goes on."""
    shown = _cropped(panned(1, 8))
    shown[4:] = [rgb[:64, :80] for rgb in shown[4:]]
    seen = _seen(shown, plain(shown[0]))
    assert [moment.step is None for moment in seen] == [n in (0, 4) for n in range(8)]
    assert not seen[4].held
    assert seen[4].previous is None
    assert [moment.index for moment in seen if moment.stride] == [3, 7]


@pytest.mark.parametrize("side", [8, 15])
def test_frames_too_small_for_flow_have_none(texture: np.ndarray, plain: Plain, side: int) -> None:
    """Strips thinner than flow can be found on have neither steps nor strides nor a place."""
    wide = cv2.resize(texture, (640, 640))
    shown = [wide[100 : 100 + side, 2 * n : 2 * n + 500] for n in range(8)]
    for moment in _seen(shown, plain(shown[0])):
        assert moment.small
        assert (moment.step, moment.stride, moment.registration) == (None, None, None)


@pytest.mark.parametrize(
    ("frames", "held", "still"),
    [(1, 0, False), (2, 1, True), (3, 1, False), (8, 6, True), (8, 5, False), (48, 24, False)],
)
def test_when_a_picture_stands(frames: int, held: int, still: bool) -> None:
    """All frames repeat, or all but one of at least eight; on twos it moves."""
    assert stands(frames, held) == still


@pytest.mark.parametrize("held", [pytest.param(False, marks=pytest.mark.slow), True])
def test_few_frames_are_alive_at_a_time(texture: np.ndarray, plain: Plain, held: bool) -> None:
    """However long the clip, no more than a second of its frames is kept, by any metric."""
    kept: list[weakref.ref[np.ndarray]] = []

    def stream(count: int) -> Iterator[Frame]:
        for n in range(count):
            at = 0 if held else 2 * (n % 30)
            rgb = texture[at : at + 64, 100:164].copy()
            kept.append(weakref.ref(rgb))
            yield Frame(n, n / 24, rgb)

    reference = plain(np.ascontiguousarray(texture[:64, 100:164]))
    trackers = [metric.start(reference) for metric in METRICS]
    most = 0
    for moment in moments(stream(90), reference):
        for tracker in trackers:
            tracker.see(moment)
        if moment.index % 10 == 9:
            gc.collect()
            most = max(most, sum(one() is not None for one in kept))
    assert 0 < most <= 28
