"""Detection of clips that are truncated or damaged, and the reported missing time."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lab.media import frames

FPS, COUNT = 10, 40
FASTSTART = {"movflags": "+faststart"}
# Of each kind of clip: container, codec, container options, whether its audio is two seconds
# longer than its video, and whether its header declares the duration.
KINDS: dict[str, tuple[str, str, dict[str, str], bool, bool]] = {
    "mp4": ("mp4", "libx264", FASTSTART, False, True),
    "mp4 with longer sound": ("mp4", "libx264", FASTSTART, True, True),
    "mov": ("mov", "libx264", FASTSTART, False, True),
    "mp4 in fragments": ("mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}, False, False),
    "mp4 in listed fragments": (
        *(
            "mp4",
            "libx264",
            {"movflags": "frag_keyframe+global_sidx+default_base_moof"},
            False,
            False,
        ),
    ),
    "webm": ("webm", "libvpx", {}, False, True),
    "webm with longer sound": ("webm", "libvpx", {}, True, True),
    "live webm": ("webm", "libvpx", {"live": "1"}, False, False),
    "mkv": ("matroska", "libx264", {}, False, True),
    "avi": ("avi", "mpeg4", {}, False, True),
    "gif": ("gif", "gif", {}, False, False),
}
SOUND = {"mp4": "aac", "webm": "libopus"}


def _write(
    path: Path, pictures: Sequence[np.ndarray], kind: str, times_ms: Sequence[int] | None = None
) -> None:
    container, codec, options, has_longer_audio, _ = KINDS[kind]
    with av.open(str(path), "w", format=container, container_options=options) as file:
        stream = file.add_stream(codec, rate=Fraction(FPS))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        stream.codec_context.gop_size = 8
        if times_ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        audio = (
            file.add_stream(SOUND[container], rate=48000, layout="mono")
            if has_longer_audio
            else None
        )
        for index, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame = frame.reformat(format=stream.pix_fmt)
            if times_ms:
                frame.pts, frame.time_base = times_ms[index], Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
        if audio is not None:
            step = audio.codec_context.frame_size or 960
            for begin in range(0, (len(pictures) // FPS + 2) * 48000, step):
                silence = av.AudioFrame.from_ndarray(
                    np.zeros((1, step), np.float32), "fltp", "mono"
                )
                silence.sample_rate, silence.pts = 48000, begin
                silence.time_base = Fraction(1, 48000)
                file.mux(audio.encode(silence))
            file.mux(audio.encode(None))


@pytest.fixture(scope="module")
def pictures(photo: np.ndarray) -> list[np.ndarray]:
    """40 frames of a pan, 160x120."""
    return [photo[60 + 4 * n : 180 + 4 * n, 8 * n : 160 + 8 * n] for n in range(COUNT)]


@pytest.fixture(scope="module")
def clip(
    tmp_path_factory: pytest.TempPathFactory, pictures: list[np.ndarray]
) -> Callable[[str], Path]:
    """Write a clip of a given kind."""

    def write(kind: str) -> Path:
        path = tmp_path_factory.mktemp("clip") / "clip.bin"
        _write(path, pictures, kind)
        return path

    return write


def _damage(path: Path) -> tuple[int, str]:
    decoded = list(frames(path, 30))
    assert not any(frame.damage for frame in decoded[:-1])
    return len(decoded), decoded[-1].damage


@pytest.mark.parametrize("kind", KINDS)
def test_a_complete_clip_has_no_damage(kind: str, clip: Callable[[str], Path]) -> None:
    """All frames are decoded without a report, whether or not the header declares the duration."""
    assert _damage(clip(kind)) == (COUNT, "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_clip_is_reported(kind: str, clip: Callable[[str], Path]) -> None:
    """A file cut at 60 % of its bytes reports its last frame and, if known, the missing time."""
    path = clip(kind)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    count, damage = _damage(path)
    assert 1 < count < COUNT
    known = f"{4 - count / FPS:.2f} s of 4.00 s are missing"
    unknown = "the rest is missing, and the file does not say how much"
    assert damage == f"cut off after frame {count - 1}: {known if KINDS[kind][-1] else unknown}"


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_uneven_times_are_not_damage(kind: str, tmp_path: Path, pictures: list[np.ndarray]) -> None:
    """A late start, uneven timestamps and a long last frame are not damage."""
    _write(tmp_path / "a", pictures[:6], kind, [500, 540, 600, 640, 900, 3000])
    assert _damage(tmp_path / "a") == (6, "")


def test_a_clip_trimmed_by_an_edit_list_has_no_damage(clip: Callable[[str], Path]) -> None:
    """An edit list that shows the first half only is not damage."""
    path = clip("mp4")
    content = bytearray(path.read_bytes())
    offset = content.index(b"elst") + 12
    half = int.from_bytes(content[offset : offset + 4]) // 2
    content[offset : offset + 4] = half.to_bytes(4)
    path.write_bytes(content)
    count, damage = _damage(path)
    assert count < COUNT
    assert damage == ""


def test_truncated_audio_is_not_damage(clip: Callable[[str], Path]) -> None:
    """A file that is cut off after its last video frame has all its frames."""
    path = clip("webm with longer sound")
    content = path.read_bytes()
    path.write_bytes(content[:-40])
    assert _damage(path) == (COUNT, "")


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm"])
def test_a_tail_of_zeros_is_reported(kind: str, clip: Callable[[str], Path]) -> None:
    """A file whose second half is zeros is reported as damaged or truncated."""
    path = clip(kind)
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + bytes(len(content) - half))
    count, damage = _damage(path)
    assert count < COUNT
    assert damage.endswith(f"{4 - count / FPS:.2f} s of 4.00 s are missing")


def test_trailing_bytes_are_not_damage(clip: Callable[[str], Path]) -> None:
    """Bytes after the end of a complete file are ignored."""
    for kind in ("mp4", "webm", "avi", "gif"):
        path = clip(kind)
        path.write_bytes(path.read_bytes() + b"\0" * 100 + b"left over " * 9)
        assert _damage(path) == (COUNT, ""), kind
