"""The JSON for the player is complete, plain, and true to the clips."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lab.analysis import Results, load
from lab.errors import InputError
from lab.measures import measure_clip
from lab.media import Frame, frames, write_clip
from lab.metrics import HEADLINES
from lab.player import Proxies, make_heatmap_videos, make_proxies, session
from lab.runs import run
from lab.stills import Still
from lab.sweeps import Sweep


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, coffee: Still) -> Results:
    """Four takes of less than half a second."""
    out = tmp_path_factory.mktemp("player") / "run"
    sweep = Sweep.of(
        stills=[coffee.path],
        prompts=["slow push in", "fast pan left"],
        settings={"duration_s": 0.4, "seed": 7, "fps": [24, 30]},
    )
    with ThreadPoolExecutor(2) as executor:
        assert run(sweep, out, quiet=True, executor=executor).complete
    return load(out)


@pytest.fixture(scope="module")
def proxies(results: Results) -> Proxies:
    """The proxies of these takes."""
    return make_proxies(results.folder, results.takes.to_dict("records"), quiet=True)


def _session(results: Results, take_ids: list[str], proxies: Proxies) -> dict[str, object]:
    return session(results, take_ids, proxies, lambda path: path.name)


def test_everything_is_plain_json(results: Results, proxies: Proxies) -> None:
    """The session contains only values that strict JSON has."""
    data = _session(results, list(results.takes["take_id"]), proxies)
    assert json.loads(json.dumps(data, allow_nan=False)) == json.loads(json.dumps(data))
    assert [metric["name"] for metric in data["metrics"]] == list(HEADLINES)


def test_each_clip_says_when_its_frames_begin(results: Results, proxies: Proxies) -> None:
    """Frame count and rate are those of the proxy, and values are at frame times."""
    data = _session(results, list(results.takes["take_id"]), proxies)
    for clip in data["clips"]:
        times = [frame.time_s for frame in frames(proxies.videos[clip["id"]])]
        assert clip["times_s"] is None
        assert len(times) == clip["frames"]
        assert [n / clip["fps"] for n in range(clip["frames"])] == pytest.approx(times, abs=1e-3)
        for time_s, _ in clip["series"]["flicker"]:
            assert min(abs(time_s - time) for time in times) < 1e-3


def test_the_worst_moments_are_the_highest_values(results: Results, proxies: Proxies) -> None:
    """The first moment of a metric is the highest value of its line."""
    data = _session(results, list(results.takes["take_id"]), proxies)
    for clip in data["clips"]:
        worst = next(worst for worst in clip["worst"] if worst["metric"] == "flicker")
        peak = max(clip["series"]["flicker"], key=lambda point: point[1] or 0)
        assert (worst["time_s"], worst["value"]) == pytest.approx(peak)


def test_a_take_without_a_copy_says_why(results: Results) -> None:
    """The entry has the reason and everything except the video."""
    take_id = results.takes["take_id"][0]
    (clip,) = _session(results, [take_id], Proxies(problems={take_id: "broken video"}))["clips"]
    assert (clip["video"], clip["no_video"]) == ("", "broken video")
    assert clip["series"]["flicker"]


def test_too_many_or_unknown_takes_are_refused(results: Results, proxies: Proxies) -> None:
    """More than nine takes are refused. An unknown id gets a suggestion."""
    take_id = results.takes["take_id"][0]
    with pytest.raises(InputError, match="choose up to 9"):
        _session(results, [take_id] * 10, proxies)
    with pytest.raises(InputError, match=f"did you mean '{take_id}'"):
        _session(results, [take_id[:-1] + "x"], proxies)


def test_uneven_times_are_listed(results: Results, proxies: Proxies, tmp_path: Path) -> None:
    """A clip with a variable frame rate has the time of every frame."""
    times = [0.0, 0.04, 0.1, 0.3]
    picture = np.zeros((64, 96, 3), np.uint8)
    write_clip(tmp_path / "a.mp4", (Frame(n, t, picture) for n, t in enumerate(times)), fps=10)
    record = measure_clip(str(tmp_path / "a.mp4"), None)
    record["clip_sha256"] = results.takes["clip_sha256"][0]
    take_id = results.takes["take_id"][0]
    path = results.folder.measures.path(take_id)
    original = path.read_text()
    path.write_text(json.dumps(record))
    try:
        (clip,) = _session(results, [take_id], proxies)["clips"]
    finally:
        path.write_text(original)
    assert clip["times_s"] == pytest.approx(times, abs=1e-4)


def test_heatmap_videos_are_made_once(results: Results) -> None:
    """Each headline gets a video with the clip's frame times. A second call measures nothing."""
    take_id = results.takes["take_id"][0]
    videos = make_heatmap_videos(results, take_id)
    assert set(videos) == set(HEADLINES)
    clip = results.folder.clip_path(take_id)
    for video in videos.values():
        assert [frame.time_s for frame in frames(video)] == [frame.time_s for frame in frames(clip)]
    before = {video: video.stat().st_mtime_ns for video in videos.values()}
    assert make_heatmap_videos(results, take_id) == videos
    assert {video: video.stat().st_mtime_ns for video in videos.values()} == before
