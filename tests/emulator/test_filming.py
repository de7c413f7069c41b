"""The clips themselves: made from the still, as asked, and never twice the same."""

import base64
import itertools
import threading
from collections.abc import Callable
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lab.clips import SIMULATED_MARK, Clip
from lab.emulator.filming import Unwanted, film, paint, size_px
from lab.emulator.orders import Cut, Order
from lab.emulator.pictures import Pictures, drawn, is_loopback
from lab.emulator.store import Job
from lab.media import frames, open_image

SHORT = 96


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """An empty keep."""
    return Pictures(tmp_path / "pictures")


@pytest.fixture
def filmed(tmp_path: Path, pictures: Pictures, still_base64: str) -> Callable[..., Clip]:
    """Render a task on the good still and open its clip."""
    key, problem = pictures.keep(still_base64, most_bytes=10**7, data_uris=False)
    assert problem == ""

    def make(number: int = 0, *, marked: bool = False, **order: Any) -> Clip:
        usual = {"still": key, "prompt": "push in", "duration_s": 3}
        path = tmp_path / f"{number}{marked}.mp4"
        job = _job(number, **{**usual, **order})
        film(job, pictures, path, marked=marked, short_side_px=SHORT)
        return Clip.open(path)

    return make


def _job(number: int = 0, **order: Any) -> Job:
    usual: dict[str, Any] = {
        "protocol": "new",
        "family": "image-to-video",
        "model": "kling-3.0",
        "prompt": "push in",
        "units": Decimal(1),
        "usd": Decimal("0.14"),
    }
    return Job(str(10**17 + number), number, Order(**usual | order), 0.0, 0.0, 0.0)


def _jumps(clip: Clip) -> list[int]:
    """Frames that differ from the one before far more than the others do."""
    shown = [frame.rgb.astype(np.int16) for frame in frames(clip.path)]
    steps = np.array([np.abs(b - a).mean() for a, b in itertools.pairwise(shown)])
    return [int(index) + 1 for index in np.nonzero(steps > 4 * np.median(steps) + 4)[0]]


def test_a_clip_is_what_was_asked_for(filmed: Callable[..., Clip]) -> None:
    """24 fps, a frame over the duration, the still's ratio, even sides, silent, labelled."""
    clip = filmed()
    assert clip.simulated
    assert clip.facts.comment.startswith(SIMULATED_MARK)
    assert clip.facts.fps == 24
    assert clip.facts.frames == 73
    assert f"{clip.facts.duration_s:.2f}" == "3.04"
    assert (clip.facts.width_px, clip.facts.height_px) == (144, 96)
    assert not clip.facts.has_audio


def test_it_starts_from_the_still(filmed: Callable[..., Clip], photo: np.ndarray) -> None:
    """The first frame is the still, reduced."""
    first = next(iter(frames(filmed().path))).rgb.astype(int)
    wanted = cv2.resize(photo, (144, 96), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(first - wanted).mean() < 4


def test_two_identical_tasks_differ(filmed: Callable[..., Clip]) -> None:
    """There is no seed: another id is another clip; the same task is the same clip."""
    first, other, again = filmed(1), filmed(2), filmed(1)
    assert first.sha256 != other.sha256
    last = [list(frames(clip.path))[-1].rgb.astype(int) for clip in (first, other, again)]
    assert np.abs(last[0] - last[1]).mean() > 0.5
    assert np.array_equal(last[0], last[2])


def test_sound_comes_when_asked_for(filmed: Callable[..., Clip]) -> None:
    """A track as long as the pictures."""
    assert filmed(sound=True).facts.has_audio


def test_shots_are_cut(filmed: Callable[..., Clip]) -> None:
    """One jump where each shot ends, and none in a clip of one shot."""
    assert _jumps(filmed(1)) == []
    shots = (Cut(1.0, "push in"), Cut(1.0, "pan left"), Cut(1.0, "tilt up"))
    assert _jumps(filmed(2, cuts=shots)) == [24, 48]


def test_it_ends_on_the_last_frame(
    filmed: Callable[..., Clip], pictures: Pictures, image_of: Callable[[int, int], str]
) -> None:
    """Cross-faded over the last second, whatever its ratio."""
    end, _ = pictures.keep(image_of(400, 400), most_bytes=10**7, data_uris=False)
    shown = [frame.rgb.astype(int) for frame in frames(filmed(end_still=end).path)]
    wide = cv2.resize(pictures.rgb(end), (144, 144), interpolation=cv2.INTER_AREA)
    wanted = wide[24:120].astype(int)
    assert np.abs(shown[-1] - wanted).mean() < 6
    assert np.abs(shown[40] - wanted).mean() > 20


def test_a_watermark_is_seen(filmed: Callable[..., Clip]) -> None:
    """The marked copy is the same clip with letters on it."""
    plain, marked = (next(iter(frames(filmed(marked=m).path))).rgb.astype(int) for m in (0, 1))
    difference = np.abs(plain - marked).max(axis=2)
    assert difference[-20:].max() > 40
    assert np.median(difference) < 4


@pytest.mark.parametrize(
    ("size", "resolution", "wanted"),
    [
        ((1600, 900), "720p", (1280, 720)),
        ((900, 1600), "1080p", (1080, 1920)),
        ((600, 400), "720p", (1080, 720)),
        ((333, 500), "4k", (2160, 3244)),
        ((500, 500), "720p", (960, 960)),
        ((500, 500), "4k", (2880, 2880)),
    ],
)
def test_the_size_follows_still_and_resolution(
    size: tuple[int, int], resolution: str, wanted: tuple[int, int]
) -> None:
    """The short side is the resolution's; squares have their documented sizes; all are even."""
    still = np.zeros((size[1], size[0], 3), np.uint8)
    assert size_px(_job(resolution=resolution).order, still, None) == wanted


def test_words_alone_make_a_clip(tmp_path: Path, pictures: Pictures) -> None:
    """From a picture made up from them, in the ratio that was asked for."""
    job = _job(family="text-to-video", aspect_ratio="9:16", duration_s=3)
    film(job, pictures, tmp_path / "a.mp4", marked=False, short_side_px=SHORT)
    facts = Clip.open(tmp_path / "a.mp4").facts
    assert facts.height_px / facts.width_px == pytest.approx(16 / 9, rel=0.02)


def test_pictures_are_painted(tmp_path: Path, pictures: Pictures, still_base64: str) -> None:
    """In the ratio asked for; one after the other they differ; a reference is followed."""
    key, _ = pictures.keep(still_base64, most_bytes=10**7, data_uris=False)
    for index, still in ((0, ""), (1, ""), (2, key)):
        job = _job(family="image", resolution="1k", aspect_ratio="4:3", still=still)
        paint(job, index, pictures, tmp_path / f"{index}.png")
    first, second, third = (open_image(tmp_path / f"{n}.png").rgb for n in range(3))
    assert first.shape == second.shape == third.shape == (768, 1024, 3)
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_made_up_pictures_depend_on_the_words() -> None:
    """Same words, same picture; half a surrogate pair is no matter."""
    assert np.array_equal(drawn("a", 64, 48), drawn("a", 64, 48))
    assert not np.array_equal(drawn("a", 64, 48), drawn("b", 64, 48))
    assert drawn("\ud800", 64, 48).shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("http://127.0.0.1:8000/a.png", True),
        ("http://localhost/a", True),
        ("http://[::1]:80/a", True),
        ("https://example.com/a.png", False),
        ("http://127.0.0.1.example.com/a", False),
        ("http://10.0.0.1/a", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_only_this_machine_is_called(url: str, inside: bool) -> None:
    """By address, not by the look of the name."""
    assert is_loopback(url) is inside


def test_a_url_here_is_followed(pictures: Pictures, still_base64: str) -> None:
    """A picture is kept; a page, a redirect, a closed port make the format invalid."""
    good = base64.b64decode(still_base64)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = good if self.path == "/a.jpg" else b"<html></html>"
            self.send_response(302 if self.path == "/moved" else 200)
            self.send_header("Location", "/a.jpg")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        told = {
            name: pictures.keep(
                f"http://127.0.0.1:{server.server_port}/{name}", most_bytes=10**7, data_uris=True
            )
            for name in ("a.jpg", "page", "moved")
        }
        server.shutdown()
        thread.join()
    assert told["a.jpg"][1] == ""
    assert pictures.rgb(told["a.jpg"][0]).shape == (400, 600, 3)
    assert told["page"][1] == told["moved"][1] == "Image format is invalid"
    closed = pictures.keep("http://127.0.0.1:9/a", most_bytes=9, data_uris=True)
    assert closed[1] == "Image format is invalid"


def test_a_clip_nobody_waits_for_is_given_up(
    tmp_path: Path, pictures: Pictures, still_base64: str
) -> None:
    """At the next frame, and nothing is left of it."""
    key, _ = pictures.keep(still_base64, most_bytes=10**7, data_uris=False)
    answers = iter([True] * 5)
    with pytest.raises(Unwanted):
        film(_job(still=key), pictures, tmp_path / "a.mp4", wanted=lambda: next(answers, False))
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_a_url_elsewhere_gets_a_stand_in(pictures: Pictures) -> None:
    """It is not fetched; the same URL is the same picture."""
    key, problem = pictures.keep("https://example.com/a.png", most_bytes=9, data_uris=True)
    assert problem == ""
    assert pictures.rgb(key).shape == (720, 1280, 3)
