"""A report stays within its size limit and says what was left out."""

import re
from pathlib import Path

from lab.analysis import Results
from lab.report import write_report
from tests.report.conftest import NOW


def _video_ids(page: str) -> list[str]:
    return re.findall(r'<script type="text/plain" id="video-(\w+)">', page)


def test_without_room_videos_become_pictures(hostile_results: Results, tmp_path: Path) -> None:
    """Without room for videos, clips are posters that can be clicked, and the page says so."""
    page = write_report(hostile_results, tmp_path / "r.html", now=NOW, max_mb=0).read_text()
    assert _video_ids(page) == []
    assert "Only 0 of 2 clips are in this file as videos" in page
    assert page.count('aria-pressed="false"') == 2


def test_smaller_videos_come_first(hostile_results: Results, tmp_path: Path) -> None:
    """If only smaller videos fit, the report contains all of them, smaller."""
    folder = hostile_results.folder
    write_report(hostile_results, tmp_path / "r.html", now=NOW, max_mb=0)
    sizes = {
        side: sum(path.stat().st_size for path in folder.proxies.glob(f"*-{side}.mp4"))
        for side in (360, 240)
    }
    assert sizes[240] < sizes[360]
    between_mb = (sizes[240] + sizes[360]) / 2 * 4 / 3 / 1e6
    page = write_report(hostile_results, tmp_path / "s.html", now=NOW, max_mb=between_mb)
    text = page.read_text()
    assert len(_video_ids(text)) == 2
    assert "smaller than usual (240 px)" in text


def test_copies_are_made_once(hostile_results: Results, tmp_path: Path) -> None:
    """A second report makes no proxy again."""
    write_report(hostile_results, tmp_path / "r.html", now=NOW)
    before = {path: path.stat().st_mtime_ns for path in hostile_results.folder.proxies.iterdir()}
    write_report(hostile_results, tmp_path / "r.html", now=NOW)
    after = {path: path.stat().st_mtime_ns for path in hostile_results.folder.proxies.iterdir()}
    assert before == after


def test_a_broken_clip_is_named_and_stops_nothing(hostile_results: Results, tmp_path: Path) -> None:
    """A damaged clip is listed with the reason. The others are in the report."""
    folder = hostile_results.folder
    take = hostile_results.takes[hostile_results.takes["clip"] != ""].iloc[0]
    clip = folder.path / take["clip"]
    original = clip.read_bytes()
    copies = list(folder.proxies.glob(f"{take['clip_sha256'][:16]}-*"))
    for path in copies:
        path.unlink()
    clip.write_bytes(b"rubbish" * 100)
    try:
        page = write_report(hostile_results, tmp_path / "r.html", now=NOW).read_text()
    finally:
        clip.write_bytes(original)
    assert len(_video_ids(page)) == 1
    assert "is not the clip in the ledger" in page


def test_heatmaps_are_inside_when_asked_for(hostile_results: Results, tmp_path: Path) -> None:
    """With heatmaps, the initial takes have heatmap videos. Otherwise there are none."""
    plain = write_report(hostile_results, tmp_path / "r.html", now=NOW).read_text()
    assert 'id="heatmap-' not in plain
    page = write_report(hostile_results, tmp_path / "s.html", now=NOW, heatmaps=True).read_text()
    videos = re.findall(r'id="heatmap-(\w+)-(\w+)"', page)
    assert {"flicker", "drift"} <= {metric for _, metric in videos}
    (chosen,) = re.findall(r'data-chosen="([\w ]+)"', page)
    assert {take_id for take_id, _ in videos} == set(chosen.split())
    assert f'"flicker": "#heatmap-{videos[0][0]}-flicker"' in page
