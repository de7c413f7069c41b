"""Reading the declared facts of a clip."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lab.errors import ClipError
from lab.media import frames, probe


def test_facts_are_read_from_the_file(
    tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """They are size, rate, length, codec and comment."""
    path = pan_clip(tmp_path / "a.mp4", photo[:200, :400], count=12, fps=24, comment="hello ΔE")
    facts = probe(path)
    assert (facts.width_px, facts.height_px) == (352, 200)
    assert (facts.fps, facts.frames, facts.duration_s) == (24, 12, 0.5)
    assert (facts.codec, facts.pixel_format, facts.has_audio) == ("h264", "yuv420p", False)
    assert facts.bytes == path.stat().st_size
    assert facts.comment == "hello ΔE"


def test_sound_is_detected(tmp_path: Path) -> None:
    """has_audio is true for a clip with an audio stream."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=24)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        sound = container.add_stream("aac", rate=44100)
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(picture.encode(frame))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 44100
        container.mux(sound.encode(silence))
        container.mux(picture.encode(None))
        container.mux(sound.encode(None))
    assert probe(path).has_audio


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text("words"), "not a video"),
    "empty": (lambda path: path.touch(), "not a video"),
    "playlist": (
        lambda path: path.write_text("ffconcat version 1.0\nfile other.mp4\n"),
        "not a video",
    ),
    "hls playlist": (
        lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
        "not a video",
    ),
    "picture": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64)), "not a video"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "missing": (lambda path: None, "no such file"),
    "signature only": (lambda path: path.write_bytes(b"\0\0\0\x18ftypisom"), "broken video"),
    "zeros after signature": (
        lambda path: path.write_bytes(b"\x1a\x45\xdf\xa3" + bytes(500)),
        "broken video",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_is_not_a_video_is_refused(kind: str, tmp_path: Path) -> None:
    """One line names the file and says what is wrong with it."""
    make, message = HOSTILE[kind]
    path = tmp_path / "clip.mp4"
    make(path)
    for read in (probe, lambda path: list(frames(path))):
        with pytest.raises(ClipError, match=message) as refused:
            read(path)
        assert str(refused.value).startswith(f"{path}: ")
        assert "\n" not in str(refused.value)


def test_a_playlist_does_not_open_its_files(
    tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """A playlist named .mp4 is refused although the clip that it names exists."""
    pan_clip(tmp_path / "other.mp4", photo, count=2)
    (tmp_path / "clip.mp4").write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(ClipError, match="not a video"):
        probe(tmp_path / "clip.mp4")


def test_a_file_without_video_is_refused(tmp_path: Path) -> None:
    """A video container with an audio stream only is refused."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=44100)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 44100
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    with pytest.raises(ClipError, match="holds no video stream"):
        probe(path)


@pytest.mark.parametrize("name", ["12:30 take.mp4", "concat:other.mp4", "file:x.mp4", "-y.mp4"])
def test_a_file_name_is_not_a_protocol(
    name: str,
    tmp_path: Path,
    photo: np.ndarray,
    pan_clip: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name with a colon is written and read as a plain file."""
    monkeypatch.chdir(tmp_path)
    pan_clip(Path("other.mp4"), photo, count=5)
    pan_clip(Path(name), photo, count=3)
    assert probe(Path(name)).frames == 3
    assert len(list(frames(Path(name)))) == 3


def test_an_undecodable_comment_is_accepted(
    tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """Bytes of the comment that are not UTF-8 become replacement characters."""
    path = pan_clip(tmp_path / "a.mp4", photo, count=2, comment="hello world")
    path.write_bytes(path.read_bytes().replace(b"hello world", b"hell\xff world"))
    assert probe(path).comment == "hell\N{REPLACEMENT CHARACTER} world"


def test_an_unknown_codec_is_refused(
    tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """A header without a usable codec raises ClipError."""
    whole = pan_clip(tmp_path / "whole.mp4", photo[:100, :200], count=6).read_bytes()
    table = whole.index(b"stbl")
    noise = np.random.default_rng(0).bytes(300)
    renamed, overwritten = tmp_path / "renamed.mp4", tmp_path / "overwritten.mp4"
    renamed.write_bytes(whole.replace(b"minf", b"min="))
    overwritten.write_bytes(whole[:table] + noise + whole[table + 300 :])
    for path in (renamed, overwritten):
        for read in (probe, lambda path: list(frames(path))):
            with pytest.raises(ClipError, match=r"codec is unknown|broken video") as refused:
                read(path)
            assert str(refused.value).startswith(f"{path}: ")


def _patch_box(whole: bytes, box: bytes, offset: int, value: int) -> bytes:
    """Set a 32-bit number in a box, at an offset after the box's name."""
    begin = whole.index(box) + 4 + offset
    return whole[:begin] + value.to_bytes(4) + whole[begin + 4 :]


# mdhd holds the time scale in ticks per second, stts the duration of a frame in ticks.
ABSURD: dict[str, Callable[[bytes], bytes]] = {
    "a clock of 2 GHz": lambda whole: _patch_box(whole, b"mdhd", 12, 0x7FFFFFFF),
    "68 years per frame": lambda whole: _patch_box(
        _patch_box(whole.replace(b"edts", b"free"), b"mdhd", 12, 1), b"stts", 12, 0x7FFFFFFF
    ),
    "24576 frames per second": lambda whole: _patch_box(whole, b"stts", 12, 1),
}


@pytest.mark.parametrize("kind", ABSURD)
def test_impossible_values_are_not_reported(
    kind: str, tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """An impossible rate or duration counts as undeclared."""
    path = pan_clip(tmp_path / "a.mp4", photo[:100, :200], count=6)
    path.write_bytes(ABSURD[kind](path.read_bytes()))
    facts = probe(path)
    assert (facts.fps, facts.frames) == (0, 0)
    assert 0 <= facts.duration_s < 86_400
    assert all(0 <= frame.time_s < 86_400 for frame in frames(path))


def test_an_impossible_duration_is_not_reported(tmp_path: Path, photo: np.ndarray) -> None:
    """A WebM that declares thirty thousand years has duration 0, and its frames are decoded."""
    path = tmp_path / "a.webm"
    with av.open(str(path), "w", container_options={"live": "1"}) as container:
        stream = container.add_stream("libvpx", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(photo[:48, :64].copy(), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    # Overwrite the MuxingApp element with a Duration element, in milliseconds.
    begin = content.index(b"\x4d\x80")
    duration = b"\x44\x89\x88" + struct.pack(">d", 1e15)
    length = 3 + (content[begin + 2] & 0x7F)
    filler = (
        b"\xec" + bytes([0x80 | (length - len(duration) - 2)]) + bytes(length - len(duration) - 2)
    )
    path.write_bytes(content[:begin] + duration + filler + content[begin + length :])
    assert (probe(path).duration_s, probe(path).frames) == (0, 0)
    assert len(list(frames(path))) == 5
