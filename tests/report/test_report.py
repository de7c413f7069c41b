"""The report is one file that opens anywhere, runs only its own script and is complete."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from lab.analysis import Results
from lab.calibration import describe_coverage, load_card, load_known_moves
from lab.errors import RunFolderError
from lab.metrics import HEADLINES, JUDGED, SPECS
from lab.report import SECTIONS, write_report
from lab.report.blocks import Paragraph
from lab.report.context import ReportContext
from lab.report.sections.camera import camera
from lab.report.sections.created_stills import created_stills

HOSTILE = """<img src=x onerror=alert(1)>"'</script>"""
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


class Page(HTMLParser):
    """The elements of a page with their attributes, and the texts by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open][-1] += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements with this tag."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def parsed(page: str) -> Page:
    """The parsed page."""
    return Page(page)


def test_hostile_text_stays_text(page: str, parsed: Page) -> None:
    """Markup in a prompt or a name is shown as text and makes no element."""
    assert HOSTILE not in page
    assert "<img src=x" not in page
    assert parsed.texts["h1"] == [HOSTILE]
    assert any(text.strip() == HOSTILE for text in parsed.texts["dd"])
    assert any(text.strip() == HOSTILE for text in parsed.texts["th"])
    assert not any(name.startswith("on") for _, attrs in parsed.elements for name in attrs)


def test_a_hostile_file_name_stays_text(page: str, parsed: Page) -> None:
    """Markup characters in the name of a still are shown as text."""
    assert "a&b<c>" not in page
    assert "a&amp;b&lt;c&gt;" in page
    assert any("a&b<c>" in text for text in parsed.texts["td"])
    assert parsed.of("c") == []


def test_only_our_own_script_may_run(parsed: Page) -> None:
    """The policy forbids everything but one style and one script, named by their hashes."""
    (policy,) = [
        attributes["content"] or ""
        for attributes in parsed.of("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == ["'none'"]
    assert (rules["img-src"], rules["media-src"]) == (["data:"], ["blob:"])
    kinds = [attributes.get("type") for attributes in parsed.of("script")]
    assert set(kinds) == {"application/json", "text/plain", "module"}
    (style,), program = parsed.texts["style"], parsed.texts["script"][kinds.index("module")]
    for name, text in (("style-src", style), ("script-src", program)):
        code = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[name] == [f"'sha256-{code}'"]
    assert not any("style" in attributes for _, attributes in parsed.elements)


def test_the_page_needs_no_network(page: str, parsed: Page) -> None:
    """The page has no addresses but those of its own parts and of the clips beside it."""
    addresses = set(re.findall(r"https?://[^\s\"'<]+|\burl\(", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a namespace, which is not loaded
    for _, attributes in parsed.elements:
        for name in ("src", "poster"):
            if attributes.get(name) is not None:
                assert (attributes[name] or "").startswith("data:")
        if attributes.get("href") is not None:
            assert re.match(r"#|\./clips/[0-9a-f]{12}\.mp4$", attributes["href"] or "")
    assert parsed.of("link") == parsed.of("iframe") == []


def test_every_take_has_a_tile(hostile_results: Results, parsed: Page) -> None:
    """Each take has a tile. Tiles of clips are buttons, and their videos are in the page."""
    takes = hostile_results.takes
    tiles = [a["id"] for a in parsed.of("div") if a.get("class") == "tile"]
    assert sorted(map(str, tiles)) == sorted(f"take-{take_id}" for take_id in takes["take_id"])
    made = set(takes[takes["clip"] != ""]["take_id"])
    assert len(made) == 2
    assert {a["data-take"] for a in parsed.of("button") if "aria-pressed" in a} == made
    videos = [str(a["id"]) for a in parsed.of("script") if a.get("type") == "text/plain"]
    assert {name.removeprefix("video-") for name in videos} == made


def test_the_player_has_what_it_plays(hostile_results: Results, parsed: Page) -> None:
    """Every address in the player's data is an element of the page, and every video decodes."""
    kinds = [attributes.get("id") for attributes in parsed.of("script")]
    data = json.loads(parsed.texts["script"][kinds.index("i2v-session")])
    ids = {str(a["id"]) for _, a in parsed.elements if "id" in a}
    for clip in data["clips"]:
        for name in ("video", "poster", "still"):
            assert clip[name].removeprefix("#") in ids
        video = parsed.texts["script"][kinds.index(clip["video"][1:])]
        assert base64.b64decode(video)[4:8] == b"ftyp"
        assert clip["frames"] == len(clip["times_s"] or range(6))
        assert clip["series"]["flicker"]
    (player,) = [a for a in parsed.of("div") if a.get("id") == "i2v-player"]
    assert set((player["data-chosen"] or "").split()) <= {clip["id"] for clip in data["clips"]}


def test_links_lead_to_the_originals(hostile_results: Results, parsed: Page) -> None:
    """The link below a clip leads to its file beside the report."""
    links = [a["href"] or "" for a in parsed.of("a") if "clips/" in (a["href"] or "")]
    assert len(links) == 2
    assert all((hostile_results.folder.path / link).is_file() for link in links)


def test_a_take_without_a_clip_says_why(hostile_results: Results, parsed: Page) -> None:
    """A table lists the take with its state and the reason."""
    (message,) = hostile_results.takes[hostile_results.takes["clip"] == ""]["message"]
    assert message
    assert message in [text.strip() for text in parsed.texts["td"]]
    assert any("Failed, refused or not made" in text for text in parsed.texts["caption"])


def test_a_missing_score_says_why(hostile_results: Results, parsed: Page) -> None:
    """A missing score is a text with the reason, once for each missing headline."""
    scores = hostile_results.scores
    missing = scores[scores["headline"] & scores["value"].isna()]
    gaps = [text for text in parsed.texts["td"] if text.startswith("none: ")]
    assert sorted(gaps) == sorted(f"none: {reason}" for reason in missing["reason"])
    assert len(gaps) >= len(HEADLINES)
    assert all(len(text) > len("none: ") for text in gaps)


def test_one_missing_score_says_its_own_reason(hostile_results: Results, tmp_path: Path) -> None:
    """A single missing score has the reason that its metric gave."""
    scores = hostile_results.scores.copy()
    chosen = (scores["metric"] == "drift") & (scores["take_id"] == scores["take_id"][0])
    scores.loc[chosen, "value"] = float("nan")
    scores.loc[chosen, "reason"] = "the subject left <the> frame"
    path = write_report(replace(hostile_results, scores=scores), tmp_path / "r.html", now=NOW)
    assert "none: the subject left &lt;the&gt; frame" in path.read_text()


def test_takes_too_still_to_judge_are_named(hostile_results: Results, tmp_path: Path) -> None:
    """They have a remark among the scores, and a table with the share of time held still."""
    scores = hostile_results.scores.copy()
    still = (scores["metric"] == "motion.still") & (scores["take_id"] == scores["take_id"][0])
    scores.loc[scores["metric"] == "motion.still", "value"] = 0.0
    plain = replace(hostile_results, scores=scores.copy())
    scores.loc[still, "value"] = 0.93
    flagged = replace(hostile_results, scores=scores)
    pages = [
        Page(write_report(results, tmp_path / "r.html", now=NOW).read_text())
        for results in (plain, flagged)
    ]
    cells = [page.texts["td"] for page in pages]
    assert [texts.count("too still to judge") for texts in cells] == [0, 1]
    assert [texts.count("93%") for texts in cells] == [0, 1]
    assert any("too still to judge, which are not ranked" in c for c in pages[1].texts["caption"])
    assert not any("too still" in caption for caption in pages[0].texts["caption"])


def test_moves_seen_instead_are_named_with_what_they_look_like(
    hostile_results: Results, tmp_path: Path
) -> None:
    """A take told to push in that tilts and pans is listed with both moves and their look-alikes;
    one whose camera was not measured is listed as such and not counted as a failure.
    """
    scores = hostile_results.scores.copy()
    motion = scores["metric"].str.startswith("motion.")
    scores.loc[motion, "value"] = float("nan")
    unknown = camera(ReportContext(replace(hostile_results, scores=scores), tmp_path / "r.html", 0))
    for name, value in {"pan": -4.0, "tilt": 4.0, "roll": 0.0, "zoom": 0.0, "sway": 0.1}.items():
        scores.loc[scores["metric"] == f"motion.{name}", "value"] = value
    other = camera(ReportContext(replace(hostile_results, scores=scores), tmp_path / "r.html", 0))
    assert unknown is not None
    assert other is not None
    told = {}
    for name, section in (("unknown", unknown), ("other", other)):
        _, terms, takes = section.blocks
        told[name] = [cell.text for row in (terms.rows[0], takes.rows[0]) for cell in row]
    method, *_ = other.blocks
    assert isinstance(method, Paragraph)
    assert load_known_moves().material in method.text
    assert "1 cannot tell" in told["unknown"]
    assert "0 of 1 did; too few takes to say how often" in told["other"]
    assert "pan_left or truck_left, with tilt_up" in told["other"]


def test_ranks_say_how_they_were_matched(hostile_results: Results, tmp_path: Path) -> None:
    """With two takes there is no line to match motion, and the text says so."""
    scores = hostile_results.scores.copy()
    for metric, value in (("motion.still", 0.0), ("warp", 0.5), ("drift", 1.0)):
        scores.loc[scores["metric"] == metric, "value"] = value
    results = replace(hostile_results, scores=scores)
    text = write_report(results, tmp_path / "r.html", now=NOW).read_text()
    measured = scores[scores["value"].notna()]["metric"]
    *others, last = (metric for metric in JUDGED if metric in set(measured))
    assert f"Ranked by the mean rank of {', '.join(others)} and {last}." in text
    assert "needs 6 takes that differ in motion by a tenth" in text


def test_the_noticeability_threshold_is_shown(parsed: Page) -> None:
    """The definitions have a column for it, which is empty if there is no threshold."""
    assert "not noticeable" in parsed.texts["button"]
    cells = [text.strip() for text in parsed.texts["td"]]
    for name in ("flicker", "motion"):
        level = SPECS[name].unnoticed
        shown = "" if level != level else f"up to {level:g}"
        pair = [name, SPECS[name].unit]
        row = max(row for row in range(len(cells)) if cells[row : row + 2] == pair)
        assert cells[row + 3] == shown


def test_every_section_stands_in_order(parsed: Page, hostile_results: Results) -> None:
    """Every section that has something to show has a heading and a link to it."""
    context = ReportContext(hostile_results, hostile_results.folder.path / "report.html", 10**8)
    shown = [section for each in SECTIONS if (section := each(context)) is not None]
    assert created_stills(context) is None  # no still was made from text here
    ids = [attributes["id"] for attributes in parsed.of("section")]
    assert ids == [section.anchor for section in shown]
    assert [a["href"] for a in parsed.of("a")][: len(ids)] == [f"#{name}" for name in ids]
    assert len(set(ids)) == len(ids)


def test_every_number_is_defined(parsed: Page) -> None:
    """The table of definitions has every metric and part."""
    cells = {text.strip() for text in parsed.texts["td"]}
    assert set(SPECS) <= cells


def test_simulated_clips_are_marked(parsed: Page) -> None:
    """The warning is on the page and highlighted."""
    warnings = [p for p in parsed.of("p") if p.get("class") == "warning"]
    # One is for pages without scripts, one for a card that older metrics were measured for.
    assert len(warnings) == 2 + bool(load_card().stale)
    assert any(text.startswith("Simulated: ") for text in parsed.texts["p"])


def test_unmet_requests_are_listed(parsed: Page) -> None:
    """A request that the backend did not meet is listed with the reason."""
    assert any("cinematic: a mood changes nothing" in text for text in parsed.texts["td"])


def test_pictures_say_what_they_show(parsed: Page) -> None:
    """Every picture has a description; the name of a still is beside it."""
    for attributes in parsed.of("img"):
        assert attributes.get("alt") or (attributes["id"] or "").startswith("still-")


def test_the_same_run_is_the_same_file(hostile_results: Results, tmp_path: Path) -> None:
    """Two reports with the same time and path are equal. The time is on the page."""
    path = tmp_path / "r.html"
    first = write_report(hostile_results, path, now=NOW).read_bytes()
    assert write_report(hostile_results.folder.path, path, now=NOW).read_bytes() == first
    assert b"written 2026-01-02 03:04 UTC" in first


def test_a_run_without_any_score_has_a_report(hostile_results: Results, tmp_path: Path) -> None:
    """A run without measurements has a report too."""
    scores = hostile_results.scores.assign(value=float("nan"), reason="not measured yet")
    bare = replace(hostile_results, scores=scores, frames=pd.DataFrame(hostile_results.frames[:0]))
    text = write_report(bare, tmp_path / "r.html", now=NOW).read_text()
    assert "Too few takes" in text
    assert text.count("none: not measured yet") == 3 * len(HEADLINES)


def test_an_unwritable_report_is_refused(hostile_results: Results, tmp_path: Path) -> None:
    """A missing folder and a folder without a run are refused by name."""
    with pytest.raises(RunFolderError, match="cannot be written"):
        write_report(hostile_results, tmp_path / "none" / "r.html")
    with pytest.raises(RunFolderError, match="holds no run"):
        write_report(tmp_path)


def test_the_validity_card_stands_beside_the_numbers(parsed: Page) -> None:
    """The page has each defect with its detection, each missed goal, and how each number was
    tested.
    """
    card = load_card()
    page_text = " ".join(text for texts in parsed.texts.values() for text in texts)
    for name in card.summary()["defect"]:
        assert name in page_text
    for missed in (*card.shortfalls(), *describe_coverage(card.coverage())):
        assert missed in page_text
