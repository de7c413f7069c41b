"""Writing clips, whole or not at all."""

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
def test_colours_survive(colour: str, tmp_path: Path) -> None:
    """A flat colour comes back within three code values in every channel."""
    wanted = COLOURS[colour]
    write_clip(tmp_path / "a.mp4", [np.full((64, 96, 3), wanted, np.uint8)] * 2, fps=24)
    for frame in frames(tmp_path / "a.mp4"):
        assert np.abs(frame.rgb.reshape(-1, 3).mean(axis=0) - wanted).max() <= 3


def test_a_photograph_survives(tmp_path: Path, photo: np.ndarray) -> None:
    """A photograph comes back within a few code values."""
    write_clip(tmp_path / "a.mp4", [photo] * 2, fps=24)
    for frame in frames(tmp_path / "a.mp4"):
        assert np.abs(frame.rgb.astype(int) - photo).mean() < 3


def test_the_count_rate_and_comment_are_kept(tmp_path: Path, photo: np.ndarray) -> None:
    """How many frames went in is returned, and rate and comment are in the file."""
    count = write_clip(
        tmp_path / "a.mp4", [photo] * 7, fps=24000 / 1001, comment="simulated by i2v-lab: x"
    )
    facts = probe(tmp_path / "a.mp4")
    assert count == facts.frames == 7
    assert facts.fps == pytest.approx(24000 / 1001)
    assert facts.comment == "simulated by i2v-lab: x"


def test_sound_is_kept(tmp_path: Path, photo: np.ndarray) -> None:
    """A mono track comes back with its pitch, cut to the length of the pictures."""
    time_s = np.arange(3 * 48_000) / 48_000
    tone = (0.5 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
    write_clip(tmp_path / "a.mp4", [photo] * 24, fps=24, sound=tone)
    assert probe(tmp_path / "a.mp4").has_audio
    assert probe(tmp_path / "a.mp4").frames == 24
    with av.open(str(tmp_path / "a.mp4")) as container:
        heard = np.concatenate(
            [frame.to_ndarray()[0] for frame in container.decode(container.streams.audio[0])]
        )
    assert heard.size / 48_000 == pytest.approx(1.0, abs=0.1)
    middle = heard[12_000:36_000]
    loudest_hz = np.abs(np.fft.rfft(middle)).argmax() * 48_000 / middle.size
    assert loudest_hz == pytest.approx(440, abs=4)
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.1)


def test_short_and_loud_sounds_do_no_harm(tmp_path: Path, photo: np.ndarray) -> None:
    """A track shorter than the pictures, one beyond [-1, 1], and an empty one are taken."""
    for index, sound in enumerate((np.ones(100), 9 * np.ones(48_000), np.ones(0))):
        path = tmp_path / f"{index}.mp4"
        write_clip(path, [photo] * 12, fps=24, sound=sound.astype(np.float32))
        assert probe(path).frames == 12


def test_a_silent_clip_has_no_track(tmp_path: Path, photo: np.ndarray) -> None:
    """Unless sound was given."""
    write_clip(tmp_path / "a.mp4", [photo] * 2, fps=24)
    assert not probe(tmp_path / "a.mp4").has_audio


def test_a_clip_starts_before_it_is_all_there(tmp_path: Path, photo: np.ndarray) -> None:
    """The index stands before the pictures, so a browser plays a clip while it loads."""
    write_clip(tmp_path / "a.mp4", [photo] * 2, fps=24)
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_encoding_is_repeatable(
    tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """Encoding the same frames twice with one thread gives the same bytes."""
    one = pan_clip(tmp_path / "a.mp4", photo, threads=1)
    other = pan_clip(tmp_path / "b.mp4", photo, threads=1)
    assert one.read_bytes() == other.read_bytes()


def test_a_failure_midway_leaves_nothing(tmp_path: Path, photo: np.ndarray) -> None:
    """When the frames' source fails, its own error comes out and no file is left."""

    def broken() -> Iterator[np.ndarray]:
        yield photo
        yield photo
        raise RuntimeError("the artist fell ill")

    with pytest.raises(RuntimeError, match="the artist fell ill"):
        write_clip(tmp_path / "a.mp4", broken(), fps=24)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_midway_keeps_the_former_clip(tmp_path: Path, photo: np.ndarray) -> None:
    """A clip that was there before a failed encode is still there, untouched."""
    write_clip(tmp_path / "a.mp4", [photo], fps=24)
    before = (tmp_path / "a.mp4").read_bytes()

    def broken() -> Iterator[np.ndarray]:
        yield photo
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_clip(tmp_path / "a.mp4", broken(), fps=24)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == before


def test_no_frame_is_no_clip(tmp_path: Path) -> None:
    """An empty source is refused and leaves no file."""
    with pytest.raises(ValueError, match="no frame"):
        write_clip(tmp_path / "a.mp4", [], fps=24)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, photo: np.ndarray) -> None:
    """A clip that cannot be written is a FetchError that names it."""
    with pytest.raises(FetchError, match=r"gone.a\.mp4: cannot be written"):
        write_clip(tmp_path / "gone" / "a.mp4", [photo], fps=24)


def test_a_disk_that_refuses_leaves_nothing(tmp_path: Path) -> None:
    """When the system refuses more bytes, one line says so and no file is left."""
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

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.mp4")],
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{tmp_path}: the disk is full; free space and go on\n"
    assert list(tmp_path.iterdir()) == []
