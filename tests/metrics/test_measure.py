"""Scoring one clip: one decode, every metric, whatever the file."""

import json
import math
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from lab.errors import ClipError
from lab.measures import Measure
from lab.media import write_clip, write_image
from lab.metrics import HEADLINES, METRICS, SPECS, measure
from lab.metrics.exposure import Exposure
from lab.metrics.motion import Motion
from lab.stills import Still
from lab.vision.subject import _inferred


@pytest.fixture(scope="module")
def clip(write_frames: Callable[..., Path], panned: Callable[..., list[np.ndarray]]) -> Path:
    """24 frames at 24 per second of a pan, 320x240."""
    return write_frames(panned(3, 24))


def test_a_record_is_whole(clip: Path, coffee: Still) -> None:
    """What was measured travels as JSON: facts, every score, a reason where one is missing."""
    scores = measure(clip, coffee, METRICS)
    record = json.loads(json.dumps(Measure.from_scores(scores).record(), allow_nan=False))
    assert (record["width_px"], record["height_px"], record["frames"]) == (320, 240, 24)
    assert (record["fps"], record["duration_s"]) == (24, 1)
    assert record["still"] == str(coffee.path)
    assert record["clip_sha256"] == scores.clip.sha256
    assert record["simulated"] is False
    assert list(record["scores"]) == list(SPECS)
    missing = {name for name, value in record["scores"].items() if value is None}
    assert set(record["reasons"]) == missing
    assert len(record["times_s"]) == 24
    assert record["damage"] == ""
    assert all(int(n) < 24 for values in record["series"].values() for n in values)


def test_borders_are_left_out_of_every_number(
    write_frames: Callable[..., Path], panned: Callable[..., list[np.ndarray]]
) -> None:
    """A clip between bars, of a still between bars, has the numbers of the clip alone; a note names
    the bars, and no place on them is named as the worst.
    """
    plain = panned(3, 14)
    barred = [cv2.copyMakeBorder(rgb, 0, 0, 64, 64, cv2.BORDER_CONSTANT) for rgb in plain]
    fields: list[np.ndarray] = []
    alone = measure(write_frames(plain), None, METRICS)
    between = measure(
        write_frames(barred), None, METRICS, keep=lambda _, field: fields.append(field.values)
    )
    for name in ("motion", "motion.camera", "motion.pan", "warp"):
        assert between.value(name) == pytest.approx(alone.value(name), rel=0.05, abs=0.02)
    note = "plain borders are left out of every number: left 14%, right 14% of the clip"
    assert between.notes["borders"] == note
    assert "borders" not in alone.notes
    for values in fields:
        height, width = values.shape
        assert width / height == pytest.approx(448 / 240, rel=0.05)
        assert np.isnan(values[:, : int(width * 0.13)]).all()
    for left, _, right, _ in (box for found in between.boxes.values() for box in found.values()):
        assert left >= 0.1
        assert right <= 0.9


def test_a_stills_borders_are_left_out(
    clip: Path, panned: Callable[..., list[np.ndarray]], tmp_path: Path
) -> None:
    """Bars of the still are no part of what the clip should stay true to."""
    path = tmp_path / "barred.png"
    write_image(path, cv2.copyMakeBorder(panned(3, 1)[0], 40, 40, 0, 0, cv2.BORDER_CONSTANT))
    scores = measure(clip, Still.open(path), METRICS)
    assert scores.value("drift") < 5
    assert scores.notes["borders"].endswith("top 12%, bottom 12% of the still")


def test_conversions_are_noted(tmp_path: Path, photo: np.ndarray) -> None:
    """What a reader would not see in the file: pixels that are not square, an alpha channel."""
    clip = tmp_path / "a.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.height, stream.width, stream.pix_fmt = 200, 240, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for _ in range(3):
            squeezed = cv2.resize(photo, (240, 200), interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(squeezed, format="rgb24")))
        container.mux(stream.encode(None))
    still = tmp_path / "a.png"
    opaque = np.full((*photo.shape[:2], 1), 255, np.uint8)
    Image.fromarray(np.concatenate([photo, opaque], axis=2)).save(still)
    scores = measure(clip, Still.open(still), [Exposure()])
    assert scores.notes["picture"] == (
        "its pixels are 4:3, so that it is scaled to its shown shape; "
        "still: alpha composited onto white"
    )


def test_a_value_is_asked_for_by_name(clip: Path) -> None:
    """Headlines and parts are found by their names."""
    scores = measure(clip, None, METRICS)
    assert all(math.isfinite(scores.value(name)) for name in HEADLINES)


def test_a_cut_off_clip_is_scored_as_far_as_it_goes(clip: Path, tmp_path: Path) -> None:
    """A file that ends too early yields the scores of what is there, and says where it breaks."""
    cut = tmp_path / "cut.mp4"
    content = clip.read_bytes()
    cut.write_bytes(content[: len(content) * 2 // 3])
    scores = measure(cut, None, METRICS)
    assert 2 < scores.frames < 24
    assert scores.duration_s == pytest.approx(scores.frames / 24, rel=0.05)
    assert math.isfinite(scores.value("motion"))
    assert scores.damage.startswith(f"cut off after frame {scores.frames - 1}: ")


@pytest.mark.parametrize(
    "content",
    [b"this is no clip\n" * 20, b"", b"#EXTM3U\nfile:///etc/passwd\n", b"\0\0\0\x20ftypisom" * 9],
    ids=["text", "empty", "playlist", "only a header"],
)
def test_what_is_no_video_is_a_clip_error(tmp_path: Path, content: bytes) -> None:
    """Something else named .mp4 is refused by name, in one line."""
    path = tmp_path / "not.mp4"
    path.write_bytes(content)
    with pytest.raises(ClipError, match=r"not\.mp4: ") as caught:
        measure(path, None, METRICS)
    assert "\n" not in str(caught.value)


def test_a_small_clip_beside_another_ratio(
    write_frames: Callable[..., Path], small: np.ndarray
) -> None:
    """An upright clip of few pixels is measured like any other."""
    scores = measure(write_frames([small[:64, :48]] * 5), None, METRICS)
    assert (scores.clip.facts.width_px, scores.clip.facts.height_px) == (48, 64)
    assert scores.value("motion.still") == 1


def test_a_low_rate_is_timed_by_its_own_clock(
    write_frames: Callable[..., Path], small: np.ndarray
) -> None:
    """Times and duration follow the file's rate, not an assumed one."""
    scores = measure(write_frames([small] * 5, 5), None, [Motion()])
    assert scores.times_s == pytest.approx((0, 0.2, 0.4, 0.6, 0.8))
    assert scores.duration_s == pytest.approx(1)


# The quick tier counts living frames: tests/metrics/test_moment.py.
@pytest.mark.slow
def test_memory_does_not_grow_with_length(
    tmp_path: Path, texture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice the frames take no more memory than their numbers, far less than the frames."""
    # A mask that is kept for the next clip takes the same however long this one is.
    monkeypatch.setattr("lab.vision.subject._inferred", _inferred.__wrapped__)

    def peak_bytes(count: int) -> int:
        path = tmp_path / f"{count}.mp4"
        write_clip(path, (texture[n % 8 :][:64, :64].copy() for n in range(count)), fps=24)
        tracemalloc.start()
        try:
            measure(path, None, METRICS)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_bytes(160)  # what is loaded once
    one_frame = 64 * 64 * 3
    # Both are longer than the first and the last second, of which drift keeps colours.
    assert peak_bytes(320) < peak_bytes(160) + 160 * one_frame / 4
