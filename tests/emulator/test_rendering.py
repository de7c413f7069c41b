"""Rendered clips and images: made from the still, as requested, and different for each task."""

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
from lab.emulator.images import ImageStore, placeholder_image
from lab.emulator.rendering import RenderCancelled, clip_size_px, render_clip, render_image
from lab.emulator.store import Task
from lab.emulator.task_spec import Segment, TaskSpec
from lab.media import frames, open_image

SHORT = 96


@pytest.fixture
def images(tmp_path: Path) -> ImageStore:
    """An empty image store."""
    return ImageStore(tmp_path / "pictures")


@pytest.fixture
def rendered(tmp_path: Path, images: ImageStore, still_base64: str) -> Callable[..., Clip]:
    """Render a task with the good still and open its clip."""
    key, failure = images.add(still_base64, max_bytes=10**7, accepts_data_uris=False)
    assert failure == ""

    def make(number: int = 0, *, watermarked: bool = False, **spec: Any) -> Clip:
        defaults = {"still": key, "prompt": "push in", "duration_s": 3}
        path = tmp_path / f"{number}{watermarked}.mp4"
        job = _job(number, **{**defaults, **spec})
        render_clip(job, images, path, watermarked=watermarked, short_side_px=SHORT)
        return Clip.open(path)

    return make


def _job(number: int = 0, **spec: Any) -> Task:
    defaults: dict[str, Any] = {
        "protocol": "new",
        "family": "image-to-video",
        "model": "kling-3.0",
        "prompt": "push in",
        "units": Decimal(1),
        "usd": Decimal("0.14"),
    }
    return Task(str(10**17 + number), number, TaskSpec(**defaults | spec), 0.0, 0.0, 0.0)


def _jumps(clip: Clip) -> list[int]:
    """Indices of frames that differ from the previous frame far more than the others do."""
    pixels = [frame.rgb.astype(np.int16) for frame in frames(clip.path)]
    changes = np.array([np.abs(b - a).mean() for a, b in itertools.pairwise(pixels)])
    return [int(index) + 1 for index in np.nonzero(changes > 4 * np.median(changes) + 4)[0]]


def test_a_clip_has_the_requested_properties(rendered: Callable[..., Clip]) -> None:
    """24 fps, one frame longer than requested, the still's ratio, even sides, silent, labelled."""
    clip = rendered()
    assert clip.simulated
    assert clip.facts.comment.startswith(SIMULATED_MARK)
    assert clip.facts.fps == 24
    assert clip.facts.frames == 73
    assert f"{clip.facts.duration_s:.2f}" == "3.04"
    assert (clip.facts.width_px, clip.facts.height_px) == (144, 96)
    assert not clip.facts.has_audio


def test_it_starts_from_the_still(rendered: Callable[..., Clip], photo: np.ndarray) -> None:
    """The first frame is the still, scaled down."""
    first = next(iter(frames(rendered().path))).rgb.astype(int)
    expected = cv2.resize(photo, (144, 96), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(first - expected).mean() < 4


def test_two_identical_tasks_differ(rendered: Callable[..., Clip]) -> None:
    """Another task id gives another clip; the same task gives the same clip."""
    first, other, again = rendered(1), rendered(2), rendered(1)
    assert first.sha256 != other.sha256
    last = [list(frames(clip.path))[-1].rgb.astype(int) for clip in (first, other, again)]
    assert np.abs(last[0] - last[1]).mean() > 0.5
    assert np.array_equal(last[0], last[2])


def test_sound_is_rendered_on_request(rendered: Callable[..., Clip]) -> None:
    """A task with sound has an audio stream."""
    assert rendered(sound=True).facts.has_audio


def test_shots_are_separated_by_cuts(rendered: Callable[..., Clip]) -> None:
    """The picture jumps where a shot ends; a clip of one shot has no jump."""
    assert _jumps(rendered(1)) == []
    shots = (Segment(1.0, "push in"), Segment(1.0, "pan left"), Segment(1.0, "tilt up"))
    assert _jumps(rendered(2, segments=shots)) == [24, 48]


def test_it_ends_on_the_last_frame(
    rendered: Callable[..., Clip], images: ImageStore, image_of: Callable[[int, int], str]
) -> None:
    """The clip cross-fades into the last frame within a second, whatever that image's ratio."""
    end, _ = images.add(image_of(400, 400), max_bytes=10**7, accepts_data_uris=False)
    decoded = [frame.rgb.astype(int) for frame in frames(rendered(end_still=end).path)]
    wide = cv2.resize(images.rgb(end), (144, 144), interpolation=cv2.INTER_AREA)
    expected = wide[24:120].astype(int)
    assert np.abs(decoded[-1] - expected).mean() < 6
    assert np.abs(decoded[40] - expected).mean() > 20


def test_a_watermark_is_visible(rendered: Callable[..., Clip]) -> None:
    """The watermarked copy is the same clip with text on it."""
    plain, watermarked = (
        next(iter(frames(rendered(watermarked=m).path))).rgb.astype(int) for m in (0, 1)
    )
    difference = np.abs(plain - watermarked).max(axis=2)
    assert difference[-20:].max() > 40
    assert np.median(difference) < 4


@pytest.mark.parametrize(
    ("size", "resolution", "expected"),
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
    size: tuple[int, int], resolution: str, expected: tuple[int, int]
) -> None:
    """The resolution gives the short side; squares have documented sizes; all sides are even."""
    still = np.zeros((size[1], size[0], 3), np.uint8)
    assert clip_size_px(_job(resolution=resolution).spec, still, None) == expected


def test_a_prompt_alone_makes_a_clip(tmp_path: Path, images: ImageStore) -> None:
    """Text-to-video starts from a placeholder image in the requested ratio."""
    job = _job(family="text-to-video", aspect_ratio="9:16", duration_s=3)
    render_clip(job, images, tmp_path / "a.mp4", watermarked=False, short_side_px=SHORT)
    facts = Clip.open(tmp_path / "a.mp4").facts
    assert facts.height_px / facts.width_px == pytest.approx(16 / 9, rel=0.02)


def test_image_tasks_are_rendered(tmp_path: Path, images: ImageStore, still_base64: str) -> None:
    """Images have the requested ratio, differ from each other and follow a reference image."""
    key, _ = images.add(still_base64, max_bytes=10**7, accepts_data_uris=False)
    for index, still in ((0, ""), (1, ""), (2, key)):
        job = _job(family="image", resolution="1k", aspect_ratio="4:3", still=still)
        render_image(job, index, images, tmp_path / f"{index}.png")
    first, second, third = (open_image(tmp_path / f"{n}.png").rgb for n in range(3))
    assert first.shape == second.shape == third.shape == (768, 1024, 3)
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_placeholder_images_depend_on_the_text() -> None:
    """Equal texts give equal images; a lone surrogate is accepted."""
    assert np.array_equal(placeholder_image("a", 64, 48), placeholder_image("a", 64, 48))
    assert not np.array_equal(placeholder_image("a", 64, 48), placeholder_image("b", 64, 48))
    assert placeholder_image("\ud800", 64, 48).shape == (48, 64, 3)


def test_a_local_url_is_downloaded(images: ImageStore, still_base64: str) -> None:
    """An image is stored; a page, a redirect and a closed port fail as an invalid format."""
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
        results = {
            name: images.add(
                f"http://127.0.0.1:{server.server_port}/{name}",
                max_bytes=10**7,
                accepts_data_uris=True,
            )
            for name in ("a.jpg", "page", "moved")
        }
        server.shutdown()
        thread.join()
    assert results["a.jpg"][1] == ""
    assert images.rgb(results["a.jpg"][0]).shape == (400, 600, 3)
    assert results["page"][1] == results["moved"][1] == "Image format is invalid"
    closed = images.add("http://127.0.0.1:9/a", max_bytes=9, accepts_data_uris=True)
    assert closed[1] == "Image format is invalid"


def test_a_render_can_be_cancelled(tmp_path: Path, images: ImageStore, still_base64: str) -> None:
    """It stops at the next frame and leaves no file."""
    key, _ = images.add(still_base64, max_bytes=10**7, accepts_data_uris=False)
    answers = iter([False] * 5)
    with pytest.raises(RenderCancelled):
        render_clip(
            _job(still=key), images, tmp_path / "a.mp4", is_cancelled=lambda: next(answers, True)
        )
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_a_remote_url_gives_a_placeholder(images: ImageStore) -> None:
    """It is not downloaded."""
    key, failure = images.add("https://example.com/a.png", max_bytes=9, accepts_data_uris=True)
    assert failure == ""
    assert images.rgb(key).shape == (720, 1280, 3)
