"""How a clip ends: whole, or cut off, and how much is missing."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lab.media import frames

FPS, COUNT = 10, 40
FASTSTART = {"movflags": "+faststart"}
# How each kind of clip is written: container, codec, what the container is asked for; whether it
# has two seconds more of sound than of pictures; and whether its header says how long it is.
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
    path: Path, shown: Sequence[np.ndarray], kind: str, stamps_ms: Sequence[int] | None = None
) -> None:
    container, codec, options, sounds, _ = KINDS[kind]
    with av.open(str(path), "w", format=container, container_options=options) as file:
        stream = file.add_stream(codec, rate=Fraction(FPS))
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        stream.codec_context.gop_size = 8
        if stamps_ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        voice = file.add_stream(SOUND[container], rate=48000, layout="mono") if sounds else None
        for index, rgb in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame = frame.reformat(format=stream.pix_fmt)
            if stamps_ms:
                frame.pts, frame.time_base = stamps_ms[index], Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
        if voice is not None:
            step = voice.codec_context.frame_size or 960
            for begin in range(0, (len(shown) // FPS + 2) * 48000, step):
                silence = av.AudioFrame.from_ndarray(
                    np.zeros((1, step), np.float32), "fltp", "mono"
                )
                silence.sample_rate, silence.pts = 48000, begin
                silence.time_base = Fraction(1, 48000)
                file.mux(voice.encode(silence))
            file.mux(voice.encode(None))


@pytest.fixture(scope="module")
def shown(photo: np.ndarray) -> list[np.ndarray]:
    """40 frames of a pan, 160x120."""
    return [photo[60 + 4 * n : 180 + 4 * n, 8 * n : 160 + 8 * n] for n in range(COUNT)]


@pytest.fixture(scope="module")
def clip(
    tmp_path_factory: pytest.TempPathFactory, shown: list[np.ndarray]
) -> Callable[[str], Path]:
    """Write a clip of a kind."""

    def write(kind: str) -> Path:
        path = tmp_path_factory.mktemp("ending") / "clip.bin"
        _write(path, shown, kind)
        return path

    return write


def _damage(path: Path) -> tuple[int, str]:
    decoded = list(frames(path, 30))
    assert not any(frame.damage for frame in decoded[:-1])
    return len(decoded), decoded[-1].damage


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_clip_is_not_called_cut_off(kind: str, clip: Callable[[str], Path]) -> None:
    """All frames come and nothing is said, however the container tells its length, if at all."""
    assert _damage(clip(kind)) == (COUNT, "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_off_clip_says_so(kind: str, clip: Callable[[str], Path]) -> None:
    """A file that ends at 60 % of its bytes says after which frame it is cut off, and how much is
    missing where its header tells.
    """
    path = clip(kind)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    count, damage = _damage(path)
    assert 1 < count < COUNT
    told = f"{4 - count / FPS:.2f} s of 4.00 s are missing"
    untold = "the rest is missing, and the file does not say how much"
    assert damage == f"cut off after frame {count - 1}: {told if KINDS[kind][-1] else untold}"


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_uneven_times_are_no_damage(kind: str, tmp_path: Path, shown: list[np.ndarray]) -> None:
    """A whole clip that begins late, runs unevenly and holds its last frame is whole."""
    _write(tmp_path / "a", shown[:6], kind, [500, 540, 600, 640, 900, 3000])
    assert _damage(tmp_path / "a") == (6, "")


def test_a_clip_trimmed_by_an_edit_list_is_whole(clip: Callable[[str], Path]) -> None:
    """A file that asks to show only its first half ends where it should."""
    path = clip("mp4")
    content = bytearray(path.read_bytes())
    at = content.index(b"elst") + 12
    content[at : at + 4] = (int.from_bytes(content[at : at + 4]) // 2).to_bytes(4)
    path.write_bytes(content)
    count, damage = _damage(path)
    assert count < COUNT
    assert damage == ""


def test_pictures_that_are_all_there_are_whole(clip: Callable[[str], Path]) -> None:
    """A file cut off behind its last picture, in its sound, lacks nothing that is shown."""
    path = clip("webm with longer sound")
    content = path.read_bytes()
    path.write_bytes(content[:-40])
    assert _damage(path) == (COUNT, "")


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm"])
def test_a_tail_of_zeros_is_told(kind: str, clip: Callable[[str], Path]) -> None:
    """A file of full length whose second half was never written does not pass for whole."""
    path = clip(kind)
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + bytes(len(content) - half))
    count, damage = _damage(path)
    assert count < COUNT
    assert damage.endswith(f"{4 - count / FPS:.2f} s of 4.00 s are missing")


def test_bytes_behind_the_end_are_no_damage(clip: Callable[[str], Path]) -> None:
    """What some server or editor leaves behind a whole file does not make it a broken one."""
    for kind in ("mp4", "webm", "avi", "gif"):
        path = clip(kind)
        path.write_bytes(path.read_bytes() + b"\0" * 100 + b"left over " * 9)
        assert _damage(path) == (COUNT, ""), kind
