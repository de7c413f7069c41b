"""A report stays within the size that was asked for, and says what that cost."""

import re
from pathlib import Path

from lab.analysis import Results
from lab.report import write_report
from tests.report.conftest import NOW


def _films(page: str) -> list[str]:
    return re.findall(r'<script type="text/plain" id="video-(\w+)">', page)


def test_without_room_films_become_pictures(hostile_results: Results, tmp_path: Path) -> None:
    """With no room at all clips are posters that can still be pressed, and the page says so."""
    page = write_report(hostile_results, tmp_path / "r.html", now=NOW, max_mb=0).read_text()
    assert _films(page) == []
    assert "Only 0 of 2 clips are in this file as videos" in page
    assert page.count('aria-pressed="false"') == 2


def test_smaller_films_come_first(hostile_results: Results, tmp_path: Path) -> None:
    """When the usual films do not fit and smaller ones do, all are inside, smaller."""
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
    assert len(_films(text)) == 2
    assert "smaller than usual (240 px)" in text


def test_copies_are_made_once(hostile_results: Results, tmp_path: Path) -> None:
    """A second report encodes nothing again."""
    write_report(hostile_results, tmp_path / "r.html", now=NOW)
    before = {path: path.stat().st_mtime_ns for path in hostile_results.folder.proxies.iterdir()}
    write_report(hostile_results, tmp_path / "r.html", now=NOW)
    after = {path: path.stat().st_mtime_ns for path in hostile_results.folder.proxies.iterdir()}
    assert before == after


def test_a_broken_clip_is_named_and_stops_nothing(hostile_results: Results, tmp_path: Path) -> None:
    """A clip that turned to rubbish is listed with the reason; the others are in the report."""
    folder = hostile_results.folder
    take = hostile_results.takes[hostile_results.takes["clip"] != ""].iloc[0]
    clip = folder.path / take["clip"]
    kept = clip.read_bytes()
    copies = list(folder.proxies.glob(f"{take['clip_sha256'][:16]}-*"))
    for path in copies:
        path.unlink()
    clip.write_bytes(b"rubbish" * 100)
    try:
        page = write_report(hostile_results, tmp_path / "r.html", now=NOW).read_text()
    finally:
        clip.write_bytes(kept)
    assert len(_films(page)) == 1
    assert "is not the clip in the ledger" in page


def test_heatmaps_are_inside_when_asked_for(hostile_results: Results, tmp_path: Path) -> None:
    """The takes that the player opens with carry a film of their headline scores; else none."""
    plain = write_report(hostile_results, tmp_path / "r.html", now=NOW).read_text()
    assert 'id="heatmap-' not in plain
    page = write_report(hostile_results, tmp_path / "s.html", now=NOW, heatmaps=True).read_text()
    films = re.findall(r'id="heatmap-(\w+)-(\w+)"', page)
    assert {"flicker", "drift"} <= {metric for _, metric in films}
    (chosen,) = re.findall(r'data-chosen="([\w ]+)"', page)
    assert {take_id for take_id, _ in films} == set(chosen.split())
    assert f'"flicker": "#heatmap-{films[0][0]}-flicker"' in page
