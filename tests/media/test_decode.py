"""Decoding a clip one frame at a time."""

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from lab.errors import ClipError
from lab.media import frames, probe


@pytest.fixture(scope="module")
def clip(
    tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> Path:
    """24 frames of a pan over a photograph, 504x400."""
    return pan_clip(tmp_path_factory.mktemp("clip") / "a.mp4", photo, count=24, fps=24)


def test_frames_are_what_was_encoded(clip: Path, photo: np.ndarray) -> None:
    """Every encoded frame is decoded once, in order, with its content."""
    for index, frame in enumerate(frames(clip)):
        assert frame.index == index
        expected = photo[:, 4 * index : 4 * index + 504].astype(int)
        assert np.abs(frame.rgb - expected).mean() < 4
    assert index == 23


@pytest.mark.parametrize("fps", [24, 24000 / 1001, 30])
def test_times_are_seconds_from_the_first_frame(
    fps: float, tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """A frame's time is its index divided by the rate, also for broadcast rates."""
    path = pan_clip(tmp_path / "a.mp4", photo[:100, :200], count=8, fps=fps)
    times_s = [frame.time_s for frame in frames(path)]
    assert times_s == pytest.approx([index / fps for index in range(8)], abs=1e-3)


def test_time_starts_at_zero_where_the_file_does_not(tmp_path: Path, photo: np.ndarray) -> None:
    """Timestamps that start late and are uneven become times from the first frame."""
    path = tmp_path / "a.mkv"
    timestamps_ms = [500, 540, 600, 640, 900]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = 200, 100, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for timestamp_ms in timestamps_ms:
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(photo[:100, :200]), format="rgb24"
            )
            frame.time_base, frame.pts = Fraction(1, 1000), timestamp_ms
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    decoded = list(frames(path))
    assert [frame.time_s for frame in decoded] == pytest.approx([0, 0.04, 0.1, 0.14, 0.4], abs=2e-3)
    assert not any(frame.damage for frame in decoded)


def test_frames_are_reduced_by_averaging(clip: Path, photo: np.ndarray) -> None:
    """A reduced frame has the requested short side and the averages of the original."""
    first = next(iter(frames(clip, 100)))
    assert first.rgb.shape == (100, 126, 3)
    expected = cv2.resize(photo[:, :504], (126, 100), interpolation=cv2.INTER_AREA)
    assert np.abs(first.rgb.astype(int) - expected).mean() < 3


def test_frames_are_never_enlarged(clip: Path) -> None:
    """A short side larger than the clip's has no effect."""
    assert next(iter(frames(clip, 1000))).rgb.shape == (400, 504, 3)


@pytest.mark.parametrize("fraction", [0.9, 0.7, 0.5])
def test_a_truncated_clip_yields_its_beginning(fraction: float, clip: Path, tmp_path: Path) -> None:
    """A truncated clip yields the frames before the cut; only the last one reports it."""
    content = clip.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: int(len(content) * fraction)])
    decoded = list(frames(tmp_path / "cut.mp4"))
    assert 0 < len(decoded) < probe(clip).frames
    assert [bool(frame.damage) for frame in decoded] == [False] * (len(decoded) - 1) + [True]
    missing_s = 1 - len(decoded) / 24
    assert decoded[-1].damage == (
        f"cut off after frame {len(decoded) - 1}: {missing_s:.2f} s of 1.00 s are missing"
    )
    for original, frame in zip(frames(clip), decoded, strict=False):
        assert np.array_equal(original.rgb, frame.rgb)


def test_damage_in_the_middle_ends_the_clip(clip: Path, tmp_path: Path) -> None:
    """Garbage in the middle ends the clip there; the last frame reports the reason."""
    content = bytearray(clip.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = b"\xff" * 4000
    (tmp_path / "damaged.mp4").write_bytes(content)
    decoded = list(frames(tmp_path / "damaged.mp4"))
    assert 0 < len(decoded) < 24
    assert re.fullmatch(
        r"damaged after frame \d+ \(.+\): 0\.\d\d s of 1\.00 s are missing", decoded[-1].damage
    )


def test_a_clip_without_a_complete_frame_is_refused(clip: Path, tmp_path: Path) -> None:
    """A clip that is cut off inside its first frame raises ClipError."""
    content = clip.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: content.index(b"mdat") + 200])
    with pytest.raises(ClipError, match=r"cut\.mp4: (broken video|holds no frame)"):
        list(frames(tmp_path / "cut.mp4"))


def test_a_complete_clip_has_no_damage(clip: Path) -> None:
    """No frame of a complete clip reports damage."""
    assert not any(frame.damage for frame in frames(clip))


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format"),
    [
        (".webm", "libvpx", "yuv420p"),
        (".mkv", "libx264", "yuv444p"),
        (".mov", "libx264", "yuv420p"),
        (".avi", "mpeg4", "yuv420p"),
        (".gif", "gif", "rgb8"),
    ],
)
def test_other_containers_are_decoded(
    suffix: str, codec: str, pixel_format: str, tmp_path: Path, photo: np.ndarray
) -> None:
    """WebM, MKV, MOV, AVI and GIF are decoded whatever the file's name."""
    path = tmp_path / f"a{suffix}"
    small = np.ascontiguousarray(photo[:96, :128])
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 128, 96, pixel_format
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(small, format="rgb24").reformat(format=pixel_format)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path = path.rename(tmp_path / "a.bin")
    decoded = list(frames(path))
    assert len(decoded) == 5
    assert decoded[-1].time_s == pytest.approx(0.4, abs=0.02)
    assert decoded[0].rgb.shape == (96, 128, 3)
    assert not decoded[-1].damage
