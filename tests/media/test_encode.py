"""Writing clips atomically."""

import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from lab.errors import FetchError
from lab.media import frames, probe, write_clip

COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 30, 30),
    "green": (30, 180, 60),
    "blue": (40, 60, 210),
    "skin": (224, 172, 140),
}


@pytest.mark.parametrize("colour", COLOURS)
def test_colours_are_preserved(colour: str, tmp_path: Path) -> None:
    """A flat colour is preserved within three code values per channel."""
    expected = COLOURS[colour]
    write_clip(tmp_path / "a.mp4", [np.full((64, 96, 3), expected, np.uint8)] * 2, fps=24)
    for frame in frames(tmp_path / "a.mp4"):
        assert np.abs(frame.rgb.reshape(-1, 3).mean(axis=0) - expected).max() <= 3


def test_a_photograph_is_preserved(tmp_path: Path, photo: np.ndarray) -> None:
    """A photograph is preserved within a few code values."""
    write_clip(tmp_path / "a.mp4", [photo] * 2, fps=24)
    for frame in frames(tmp_path / "a.mp4"):
        assert np.abs(frame.rgb.astype(int) - photo).mean() < 3


def test_the_count_rate_and_comment_are_written(tmp_path: Path, photo: np.ndarray) -> None:
    """The number of frames is returned; rate and comment are in the file."""
    count = write_clip(
        tmp_path / "a.mp4", [photo] * 7, fps=24000 / 1001, comment="simulated by i2v-lab: x"
    )
    facts = probe(tmp_path / "a.mp4")
    assert count == facts.frames == 7
    assert facts.fps == pytest.approx(24000 / 1001)
    assert facts.comment == "simulated by i2v-lab: x"


def test_sound_is_written(tmp_path: Path, photo: np.ndarray) -> None:
    """A mono track keeps its pitch and is cut to the length of the video."""
    time_s = np.arange(3 * 48_000) / 48_000
    tone = (0.5 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
    write_clip(tmp_path / "a.mp4", [photo] * 24, fps=24, sound=tone)
    assert probe(tmp_path / "a.mp4").has_audio
    assert probe(tmp_path / "a.mp4").frames == 24
    with av.open(str(tmp_path / "a.mp4")) as container:
        samples = np.concatenate(
            [frame.to_ndarray()[0] for frame in container.decode(container.streams.audio[0])]
        )
    assert samples.size / 48_000 == pytest.approx(1.0, abs=0.1)
    middle = samples[12_000:36_000]
    loudest_hz = np.abs(np.fft.rfft(middle)).argmax() * 48_000 / middle.size
    assert loudest_hz == pytest.approx(440, abs=4)
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.1)


def test_unusual_sounds_are_accepted(tmp_path: Path, photo: np.ndarray) -> None:
    """Short, empty and too loud tracks are accepted."""
    for index, sound in enumerate((np.ones(100), 9 * np.ones(48_000), np.ones(0))):
        path = tmp_path / f"{index}.mp4"
        write_clip(path, [photo] * 12, fps=24, sound=sound.astype(np.float32))
        assert probe(path).frames == 12


def test_a_silent_clip_has_no_audio_stream(tmp_path: Path, photo: np.ndarray) -> None:
    """Without sound there is no audio stream."""
    write_clip(tmp_path / "a.mp4", [photo] * 2, fps=24)
    assert not probe(tmp_path / "a.mp4").has_audio


def test_a_clip_can_play_while_it_loads(tmp_path: Path, photo: np.ndarray) -> None:
    """The index precedes the media data, as progressive playback requires."""
    write_clip(tmp_path / "a.mp4", [photo] * 2, fps=24)
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_encoding_is_repeatable(
    tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """Equal frames give equal bytes with one thread."""
    one = pan_clip(tmp_path / "a.mp4", photo, threads=1)
    other = pan_clip(tmp_path / "b.mp4", photo, threads=1)
    assert one.read_bytes() == other.read_bytes()


def test_a_failure_leaves_no_file(tmp_path: Path, photo: np.ndarray) -> None:
    """An error of the frame source is raised unchanged, and no file is left."""

    def broken() -> Iterator[np.ndarray]:
        yield photo
        yield photo
        raise RuntimeError("no more frames")

    with pytest.raises(RuntimeError, match="no more frames"):
        write_clip(tmp_path / "a.mp4", broken(), fps=24)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_existing_clip(tmp_path: Path, photo: np.ndarray) -> None:
    """A failed encode leaves an existing file unchanged."""
    write_clip(tmp_path / "a.mp4", [photo], fps=24)
    before = (tmp_path / "a.mp4").read_bytes()

    def broken() -> Iterator[np.ndarray]:
        yield photo
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_clip(tmp_path / "a.mp4", broken(), fps=24)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == before


def test_an_empty_source_is_refused(tmp_path: Path) -> None:
    """It raises ValueError and leaves no file."""
    with pytest.raises(ValueError, match="no frame"):
        write_clip(tmp_path / "a.mp4", [], fps=24)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path, photo: np.ndarray) -> None:
    """FetchError names the clip that cannot be written."""
    with pytest.raises(FetchError, match=r"missing.a\.mp4: cannot be written"):
        write_clip(tmp_path / "missing" / "a.mp4", [photo], fps=24)


def test_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    """When the disk is full, one line says so and no file is left."""
    program = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from lab.errors import RunFolderError\n"
        "from lab.media import write_clip\n"
        "noise = np.random.default_rng(0).integers(0, 255, (20, 240, 320, 3), np.uint8)\n"
        "try:\n"
        "    write_clip(Path(sys.argv[1]), noise, fps=24)\n"
        "except RunFolderError as error:\n"
        "    print(error)\n"
    )

    def limit_file_size() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.mp4")],
        preexec_fn=limit_file_size,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{tmp_path}: the disk is full; free space and try again\n"
    assert list(tmp_path.iterdir()) == []
