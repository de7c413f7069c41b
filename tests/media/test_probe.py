"""What a clip says of itself."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lab.errors import ClipError
from lab.media import frames, probe


def test_facts_are_those_of_the_file(
    tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """Size, rate, length, codec and comment are read from the file."""
    path = pan_clip(tmp_path / "a.mp4", photo[:200, :400], count=12, fps=24, comment="hello ΔE")
    facts = probe(path)
    assert (facts.width_px, facts.height_px) == (352, 200)
    assert (facts.fps, facts.frames, facts.duration_s) == (24, 12, 0.5)
    assert (facts.codec, facts.pixel_format, facts.has_audio) == ("h264", "yuv420p", False)
    assert facts.bytes == path.stat().st_size
    assert facts.comment == "hello ΔE"


def test_sound_is_noticed(tmp_path: Path) -> None:
    """A clip with a sound track says so."""
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
def test_a_file_that_is_no_video_is_refused(kind: str, tmp_path: Path) -> None:
    """Whatever is wrong with a clip's file, one line names the file and says what is wrong."""
    make, says = HOSTILE[kind]
    path = tmp_path / "clip.mp4"
    make(path)
    for read in (probe, lambda path: list(frames(path))):
        with pytest.raises(ClipError, match=says) as refused:
            read(path)
        assert str(refused.value).startswith(f"{path}: ")
        assert "\n" not in str(refused.value)


def test_a_playlist_does_not_reach_the_file_it_names(
    tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """A text file named .mp4 that points at a real clip is refused although the clip is there."""
    pan_clip(tmp_path / "other.mp4", photo, count=2)
    (tmp_path / "clip.mp4").write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(ClipError, match="not a video"):
        probe(tmp_path / "clip.mp4")


def test_a_file_without_pictures_is_refused(tmp_path: Path) -> None:
    """A sound file in a video container is refused by what it lacks."""
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
def test_a_name_is_never_taken_for_a_protocol(
    name: str,
    tmp_path: Path,
    photo: np.ndarray,
    pan_clip: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clip named with a colon is written and read as that file, and opens no other."""
    monkeypatch.chdir(tmp_path)
    pan_clip(Path("other.mp4"), photo, count=5)
    pan_clip(Path(name), photo, count=3)
    assert probe(Path(name)).frames == 3
    assert len(list(frames(Path(name)))) == 3


def test_a_comment_in_no_known_encoding_does_no_harm(
    tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """A clip whose comment is not UTF-8 opens, its comment marked where it is unreadable."""
    path = pan_clip(tmp_path / "a.mp4", photo, count=2, comment="hello world")
    path.write_bytes(path.read_bytes().replace(b"hello world", b"hell\xff world"))
    assert probe(path).comment == "hell\N{REPLACEMENT CHARACTER} world"


def test_a_track_in_no_known_codec_is_refused(
    tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """A header that no longer says how its pictures are coded is refused, not taken for a bug."""
    whole = pan_clip(tmp_path / "whole.mp4", photo[:100, :200], count=6).read_bytes()
    table = whole.index(b"stbl")
    noise = np.random.default_rng(0).bytes(300)
    renamed, overwritten = tmp_path / "renamed.mp4", tmp_path / "overwritten.mp4"
    renamed.write_bytes(whole.replace(b"minf", b"min="))
    overwritten.write_bytes(whole[:table] + noise + whole[table + 300 :])
    for path in (renamed, overwritten):
        for read in (probe, lambda path: list(frames(path))):
            with pytest.raises(ClipError, match=r"no known codec|broken video") as refused:
                read(path)
            assert str(refused.value).startswith(f"{path}: ")


def _in_header(whole: bytes, box: bytes, at: int, value: int) -> bytes:
    """The file with a number of a box set, four bytes from `at` behind the box's name."""
    begin = whole.index(box) + 4 + at
    return whole[:begin] + value.to_bytes(4) + whole[begin + 4 :]


# Where the numbers stand in an MP4: the clock's ticks a second, and how many each picture lasts.
ABSURD: dict[str, Callable[[bytes], bytes]] = {
    "a clock of 2 GHz": lambda whole: _in_header(whole, b"mdhd", 12, 0x7FFFFFFF),
    "68 years a picture": lambda whole: _in_header(
        _in_header(whole.replace(b"edts", b"free"), b"mdhd", 12, 1), b"stts", 12, 0x7FFFFFFF
    ),
    "24576 pictures a second": lambda whole: _in_header(whole, b"stts", 12, 1),
}


@pytest.mark.parametrize("kind", ABSURD)
def test_what_cannot_be_is_not_passed_on(
    kind: str, tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """A header that claims an absurd rate or length counts as one that does not say."""
    path = pan_clip(tmp_path / "a.mp4", photo[:100, :200], count=6)
    path.write_bytes(ABSURD[kind](path.read_bytes()))
    facts = probe(path)
    assert (facts.fps, facts.frames) == (0, 0)
    assert 0 <= facts.duration_s < 86_400
    assert all(0 <= frame.time_s < 86_400 for frame in frames(path))


def test_a_length_of_ages_is_not_passed_on(tmp_path: Path, photo: np.ndarray) -> None:
    """A WebM whose header announces thirty thousand years has no known length, and its frames."""
    path = tmp_path / "a.webm"
    with av.open(str(path), "w", container_options={"live": "1"}) as container:
        stream = container.add_stream("libvpx", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(photo[:48, :64].copy(), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    # The duration in milliseconds takes the place of the name of the program that wrote the file.
    begin = content.index(b"\x4d\x80")
    told = b"\x44\x89\x88" + struct.pack(">d", 1e15)
    length = 3 + (content[begin + 2] & 0x7F)
    filler = b"\xec" + bytes([0x80 | (length - len(told) - 2)]) + bytes(length - len(told) - 2)
    path.write_bytes(content[:begin] + told + filler + content[begin + length :])
    assert (probe(path).duration_s, probe(path).frames) == (0, 0)
    assert len(list(frames(path))) == 5


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_clip_has_the_size_it_is_shown_in(
    degrees: int, tmp_path: Path, photo: np.ndarray
) -> None:
    """A clip that asks to be turned is probed and decoded upright, both in the same size."""
    path = tmp_path / "a.mp4"
    upright = photo[:200, :320]
    turns = degrees // 90
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(24))
        stored = np.ascontiguousarray(np.rot90(upright, -turns))
        stream.height, stream.width = stored.shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "5"}
        stream.set_display_rotation(degrees)
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format="rgb24")))
        container.mux(stream.encode(None))
    facts = probe(path)
    assert (facts.width_px, facts.height_px) == (320, 200)
    shown = next(iter(frames(path))).rgb
    assert shown.shape == upright.shape
    assert np.abs(shown.astype(int) - upright).mean() < 8
