"""Events: cuts, repeated frames, freezes and flashes."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.media import Frame, open_image
from lab.metrics import ClipScores, measure
from lab.metrics.events import Events, _Cells, _Flashes
from lab.metrics.moment import Moment, moments
from lab.metrics.reference import Reference

ScoreFrames = Callable[..., ClipScores]
Pan = Callable[..., list[np.ndarray]]
FPS = 24


@pytest.fixture
def cuts(score_frames: ScoreFrames) -> Callable[[list[np.ndarray]], list[int]]:
    """The frames at which shots begin."""

    def find(frames: list[np.ndarray]) -> list[int]:
        scores = score_frames(frames, [Events()], fps=FPS)
        found = [index for index, cut in scores.series["events.cuts"].items() if cut]
        assert scores.value("events.cuts") == len(found)
        return found

    return find


@pytest.fixture(scope="module")
def other(stills_dir: Path) -> np.ndarray:
    """Another photograph, 320x240."""
    rgb = open_image(stills_dir / "coffee.jpg").rgb
    return cv2.resize(rgb, (320, 240), interpolation=cv2.INTER_AREA)


def _lit(levels: list[int], share: float = 1.0) -> list[np.ndarray]:
    """Grey frames 320x240 whose left share has each of those code values in turn."""
    shown = []
    for level in levels:
        frame = np.full((240, 320, 3), 60, np.uint8)
        frame[:, : round(320 * share)] = level
        shown.append(frame)
    return shown


def _square_wave(hertz: float, seconds: float = 2.0) -> list[int]:
    return [200 if int(2 * hertz * n / FPS + 1e-9) % 2 else 60 for n in range(int(seconds * FPS))]


def _undecoded(
    shown: list[np.ndarray],
) -> tuple[dict[str, float], Mapping[str, Mapping[int, float]]]:
    """Scores and series of frames that no encoder has touched."""
    reference = Reference.of(shown[0], is_still=False)
    tracker = Events().start(reference)
    for moment in moments((Frame(n, n / FPS, rgb) for n, rgb in enumerate(shown)), reference):
        tracker.see(moment)
    result = tracker.result()
    return {score.name: score.value for score in result.scores}, result.series


def test_cuts_are_counted_where_they_are(
    cuts: Callable[..., list[int]], panned: Pan, other: np.ndarray, stills_dir: Path
) -> None:
    """Each change to another photograph under a moving camera is one cut, at its first frame."""
    third = cv2.resize(open_image(stills_dir / "rocket.jpg").rgb, (320, 240))
    assert cuts(panned(3, 14) + [other] * 14 + [third] * 4) == [14, 28]


def test_a_cut_to_black_counts(cuts: Callable[..., list[int]], panned: Pan) -> None:
    """An empty picture that stays is a shot of its own, though flow finds all of it again."""
    assert cuts(panned(3, 8) + [np.zeros((240, 320, 3), np.uint8)] * 16) == [8]


@pytest.mark.parametrize("length", [1, 3])
def test_a_flash_is_no_cut(cuts: Callable[..., list[int]], panned: Pan, length: int) -> None:
    """White frames after which the shot goes on do not count, nor does their end."""
    shot = panned(3, 24)
    white = [np.full_like(shot[0], 255)] * length
    assert cuts(shot[:8] + white + shot[8:]) == []


def test_a_flash_that_fades_is_no_cut(cuts: Callable[..., list[int]], panned: Pan) -> None:
    """A flash gun's light that falls off over half a second does not count."""
    light = [0.0] * 6 + [250.0 - 25 * n for n in range(10)] + [0.0] * 8
    assert cuts([cv2.add(f, (v,) * 3) for f, v in zip(panned(3, 24), light, strict=True)]) == []


def test_a_passer_by_is_no_cut(
    cuts: Callable[..., list[int]], panned: Pan, other: np.ndarray
) -> None:
    """Whatever fills the picture for a quarter of a second, and then is gone, does not count."""
    shot = panned(3, 24)
    close = cv2.resize(other[100:120, 100:120], (320, 240))
    assert cuts(shot[:8] + [close] * 6 + shot[14:]) == []
    crossing = [frame.copy() for frame in shot]
    for n, frame in enumerate(crossing):
        left, right = (int(np.clip(60 * (n - 4) + edge, 0, 320)) for edge in (-340, 0))
        frame[:, left:right] = close[:, : right - left]
    assert cuts(crossing) == []


@pytest.mark.parametrize("blurred", [False, True])
def test_a_whip_pan_is_no_cut(
    cuts: Callable[..., list[int]], stills_dir: Path, blurred: bool
) -> None:
    """A camera thrown round by 80 % of the width a frame does not count, blurred or not."""
    names = ("coffee", "china", "astronaut", "flower")
    wide = np.hstack(
        [cv2.resize(open_image(stills_dir / f"{name}.jpg").rgb, (480, 240)) for name in names]
    )
    steps = [2] * 8 + [20, 60, 140, 220, 260, 240, 180, 100, 40, 10] + [2] * 8
    places = np.cumsum([0, *steps])
    shown = []
    for start, step in zip(places, steps, strict=False):
        samples = [start + step * n // 16 for n in range(16 if blurred else 1)]
        shown.append(np.mean([wide[:, x : x + 320] for x in samples], axis=0).astype(np.uint8))
    assert cuts(shown) == []


def test_fades_dissolves_and_switched_lights_are_no_cuts(
    cuts: Callable[..., list[int]], panned: Pan, other: np.ndarray
) -> None:
    """What changes slowly, or only in brightness, does not count."""
    shot = panned(2, 24)
    fade = [(frame * (1 - n / 23)).astype(np.uint8) for n, frame in enumerate(shot)]
    assert cuts(fade) == []
    mixed = [cv2.addWeighted(f, 1 - n / 11, other, n / 11, 0) for n, f in enumerate(shot[:12])]
    assert cuts([*mixed, *[other] * 13]) == []
    dim = [(frame * 0.35).astype(np.uint8) for frame in shot[:12]]
    assert cuts(dim + shot[12:]) == []


def test_repeats_and_freezes(panned: Pan) -> None:
    """Every frame shown twice is half of them held; ten repeats in a row freeze for as long."""
    shot = panned(3, 12)
    scores, _ = _undecoded([frame for frame in shot for _ in range(2)])
    assert scores["events.held"] == pytest.approx(12 / 23)
    assert scores["events.frozen"] == pytest.approx(1 / FPS)
    scores, series = _undecoded([*shot[:6], *[shot[6]] * 11, *shot[7:]])
    assert scores["events.held"] == pytest.approx(10 / 21)
    assert scores["events.frozen"] == pytest.approx(10 / FPS)
    assert [index for index, held in series["events.held"].items() if held] == list(range(7, 17))
    assert series["events.frozen"][16] == scores["events.frozen"]
    scores, _ = _undecoded(shot)
    assert (scores["events.held"], scores["events.frozen"]) == (0, 0)
    scores, _ = _undecoded([shot[0]] * 25)
    assert (scores["events.held"], scores["events.frozen"]) == (1, pytest.approx(1))


def test_a_freeze_is_seen_through_an_encoder(score_frames: ScoreFrames, panned: Pan) -> None:
    """A second of one picture reads as most of a second: an encoder improves its first frames."""
    shot = [cv2.GaussianBlur(frame, (0, 0), 2) for frame in panned(3, 12)]
    scores = score_frames([*shot, *[shot[-1]] * FPS], [Events()], fps=FPS)
    assert 0.7 < scores.value("events.frozen") < 1.02


@pytest.mark.parametrize("hertz", [1, 2, 3, 4, 6, 12])
def test_flashes_are_counted_a_second(score_frames: ScoreFrames, hertz: int) -> None:
    """Light that goes on and off so many times a second has as many flashes in one."""
    scores = score_frames(_lit(_square_wave(hertz)), [Events()], fps=FPS)
    assert scores.value("events.flashes") == hertz


def test_small_faint_and_slow_changes_are_no_flashes(
    score_frames: ScoreFrames, panned: Pan
) -> None:
    """A fifth of the picture, 8 % of luminance, bright on bright, a ramp and a pan do not flash."""
    wave = _square_wave(4)
    clips = {
        "small": _lit(wave, share=0.18),
        "faint": _lit([95 if level > 100 else 60 for level in wave]),
        "bright": _lit([252 if level > 100 else 236 for level in wave]),
        "ramp": _lit([2 * n for n in range(48)]),
        "pan": panned(6, 24),
    }
    for frames in clips.values():
        assert score_frames(frames, [Events()], fps=FPS).value("events.flashes") == 0


def test_a_third_of_the_picture_is_enough(score_frames: ScoreFrames) -> None:
    """Flashes count when more than a quarter of the picture shows them."""
    scores = score_frames(_lit(_square_wave(4), share=0.34), [Events()], fps=FPS)
    assert scores.value("events.flashes") == 4


def test_the_worst_second_counts(score_frames: ScoreFrames) -> None:
    """A burst of flashes is not thinned by the calm around it."""
    calm = [60] * FPS
    scores = score_frames(_lit(calm + _square_wave(4, 1.0) + calm), [Events()], fps=FPS)
    assert scores.value("events.flashes") == 4
    assert scores.series["events.flashes"][FPS - 1] == 0


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_a_cells_changes_alternate_and_are_large(levels: list[float]) -> None:
    """Each change of a cell opposes the one before and is at least a tenth, its dark side dark."""
    first, *rest = (np.full((1, 1), level, np.float32) for level in levels)
    cells = _Cells(first)
    seen, start, way = [first.item()], first.item(), 0
    for place, level in enumerate(rest):
        found = cells.changes(level, float(place))
        seen.append(level.item())
        assert len(found) <= 1
        if found:
            up = level.item() - min(seen) >= np.float32(0.1) and way != 1
            start = min(seen) if up else max(seen)
            assert abs(level.item() - start) >= 0.0999
            assert min(level.item(), start) < 0.8
            assert way != (1 if up else -1)
            way = 1 if up else -1
            seen = [level.item()]


def test_flashes_without_end_are_not_kept() -> None:
    """Only the last second's changes are remembered, however long the clip."""
    flashes = _Flashes()
    for n in range(240):
        rgb = np.full((64, 64, 3), 200 * (n % 2), np.uint8)
        flashes.see(Moment(n, n / FPS, rgb, rgb))
    assert len(flashes._recent) <= FPS
    assert max(flashes.within_a_second.values()) == 12


def test_one_frame_has_no_events(score_frames: ScoreFrames, small: np.ndarray) -> None:
    """With one frame every number is missing, with a reason."""
    for score in score_frames([small], [Events()]).scores:
        assert math.isnan(score.value)
        assert score.reason == "needs at least 2 frames"


def test_frames_too_small_for_flow_have_no_cuts(
    write_frames: Callable[..., Path], panned: Pan
) -> None:
    """Cuts need flow; the other counts do not."""
    tiny = [cv2.resize(frame[:60, :60], (12, 12)) for frame in panned(9, 6)]
    scores = measure(write_frames(tiny), None, [Events()])
    assert math.isnan(scores.value("events.cuts"))
    assert "too small" in next(s.reason for s in scores.scores if s.name == "events.cuts")
    assert scores.value("events.flashes") == 0
