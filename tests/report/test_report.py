"""The report: one file that opens anywhere, runs nothing it was not given, and hides nothing."""

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
from lab.calibration import in_words, load_card
from lab.errors import RunFolderError
from lab.metrics import HEADLINES, SPECS
from lab.report import SECTIONS, write_report

HOSTILE = """<img src=x onerror=alert(1)>"'</script>"""
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


class Page(HTMLParser):
    """Every element of a page with its attributes, and the text inside each kind."""

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
        """Attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def parsed(page: str) -> Page:
    """The page as a browser would read it."""
    return Page(page)


def test_hostile_text_stays_text(page: str, parsed: Page) -> None:
    """A prompt and a name made of markup are shown letter by letter and become no element."""
    assert HOSTILE not in page
    assert "<img src=x" not in page
    assert parsed.texts["h1"] == [HOSTILE]
    assert any(text.strip() == HOSTILE for text in parsed.texts["dd"])
    assert any(text.strip() == HOSTILE for text in parsed.texts["th"])
    assert not any(name.startswith("on") for _, attrs in parsed.elements for name in attrs)


def test_a_hostile_file_name_stays_text(page: str, parsed: Page) -> None:
    """A still's name with markup characters in it is shown as it is."""
    assert "a&b<c>" not in page
    assert "a&amp;b&lt;c&gt;" in page
    assert any("a&b<c>" in text for text in parsed.texts["td"])
    assert parsed.of("c") == []


def test_only_our_own_script_may_run(parsed: Page) -> None:
    """Nothing is allowed by default; one style and one script are, by their hashes."""
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
    """No address leads off the page but to the clips beside it."""
    addresses = set(re.findall(r"https?://[^\s\"'<]+|\burl\(", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, which nobody fetches
    for _, attributes in parsed.elements:
        for name in ("src", "poster"):
            if attributes.get(name) is not None:
                assert (attributes[name] or "").startswith("data:")
        if attributes.get("href") is not None:
            assert re.match(r"#|\./clips/[0-9a-f]{12}\.mp4$", attributes["href"] or "")
    assert parsed.of("link") == parsed.of("iframe") == []


def test_every_take_has_a_tile(hostile_results: Results, parsed: Page) -> None:
    """A tile a take in the grid; those with a clip can be pressed, and their films are inside."""
    takes = hostile_results.takes
    tiles = [a["id"] for a in parsed.of("div") if a.get("class") == "tile"]
    assert sorted(map(str, tiles)) == sorted(f"take-{take_id}" for take_id in takes["take_id"])
    made = set(takes[takes["clip"] != ""]["take_id"])
    assert len(made) == 2
    assert {a["data-take"] for a in parsed.of("button") if "aria-pressed" in a} == made
    films = [str(a["id"]) for a in parsed.of("script") if a.get("type") == "text/plain"]
    assert {name.removeprefix("video-") for name in films} == made


def test_the_player_has_what_it_plays(hostile_results: Results, parsed: Page) -> None:
    """Every address in the player's data is an element of the page, and every film decodes."""
    kinds = [attributes.get("id") for attributes in parsed.of("script")]
    data = json.loads(parsed.texts["script"][kinds.index("i2v-session")])
    ids = {str(a["id"]) for _, a in parsed.elements if "id" in a}
    for clip in data["clips"]:
        for name in ("video", "poster", "still"):
            assert clip[name].removeprefix("#") in ids
        film = parsed.texts["script"][kinds.index(clip["video"][1:])]
        assert base64.b64decode(film)[4:8] == b"ftyp"
        assert clip["frames"] == len(clip["times_s"] or range(6))
        assert clip["series"]["flicker"]
    (place,) = [a for a in parsed.of("div") if a.get("id") == "i2v-player"]
    assert set((place["data-chosen"] or "").split()) <= {clip["id"] for clip in data["clips"]}


def test_links_lead_to_the_originals(hostile_results: Results, parsed: Page) -> None:
    """The link under a clip is the way to its file beside the report."""
    links = [a["href"] or "" for a in parsed.of("a") if "clips/" in (a["href"] or "")]
    assert len(links) == 2
    assert all((hostile_results.folder.path / link).is_file() for link in links)


def test_a_take_without_a_clip_says_why(hostile_results: Results, parsed: Page) -> None:
    """A table lists it with its state and the reason."""
    (message,) = hostile_results.takes[hostile_results.takes["clip"] == ""]["message"]
    assert message
    assert message in [text.strip() for text in parsed.texts["td"]]
    assert any("Failed, refused or not made" in text for text in parsed.texts["caption"])


def test_a_missing_score_says_why(hostile_results: Results, parsed: Page) -> None:
    """In the table of scores a gap is a sentence, once for every headline that has no value."""
    scores = hostile_results.scores
    missing = scores[scores["headline"] & scores["value"].isna()]
    gaps = [text for text in parsed.texts["td"] if text.startswith("none: ")]
    assert sorted(gaps) == sorted(f"none: {reason}" for reason in missing["reason"])
    assert len(gaps) >= len(HEADLINES)
    assert all(len(text) > len("none: ") for text in gaps)


def test_one_missing_score_says_its_own_reason(hostile_results: Results, tmp_path: Path) -> None:
    """A single NaN among numbers carries the reason its metric gave."""
    scores = hostile_results.scores.copy()
    chosen = (scores["metric"] == "drift") & (scores["take_id"] == scores["take_id"][0])
    scores.loc[chosen, "value"] = float("nan")
    scores.loc[chosen, "reason"] = "the subject left <the> frame"
    path = write_report(replace(hostile_results, scores=scores), tmp_path / "r.html", now=NOW)
    assert "none: the subject left &lt;the&gt; frame" in path.read_text()


def test_takes_too_still_to_judge_are_named(hostile_results: Results, tmp_path: Path) -> None:
    """They are flagged among the scores and listed under the ranks, with the time held still."""
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


def test_ranks_say_how_they_were_matched(hostile_results: Results, tmp_path: Path) -> None:
    """Two takes are too few for a line, so the words say that they stand as measured."""
    scores = hostile_results.scores.copy()
    for metric, value in (("motion.still", 0.0), ("warp", 0.5), ("drift", 1.0)):
        scores.loc[scores["metric"] == metric, "value"] = value
    results = replace(hostile_results, scores=scores)
    text = write_report(results, tmp_path / "r.html", now=NOW).read_text()
    assert "Ranked by the mean rank of flicker, drift and warp." in text
    assert "needs 6 takes that differ in motion by a tenth" in text


def test_the_level_that_nobody_would_notice_is_shown(parsed: Page) -> None:
    """The definitions have a column for it, empty where it means nothing."""
    assert "nobody would notice" in parsed.texts["button"]
    cells = [text.strip() for text in parsed.texts["td"]]
    for name in ("flicker", "motion"):
        level = SPECS[name].unnoticed
        shown = "" if level != level else f"up to {level:g}"
        pair = [name, SPECS[name].unit]
        place = max(place for place in range(len(cells)) if cells[place : place + 2] == pair)
        assert cells[place + 3] == shown


def test_every_section_stands_in_order(parsed: Page) -> None:
    """Every section has a heading, and the way to it leads there; no still was made from text."""
    assert len(parsed.of("section")) == len(SECTIONS) - 1
    ids = [attributes["id"] for attributes in parsed.of("section")]
    assert [a["href"] for a in parsed.of("a")][: len(ids)] == [f"#{name}" for name in ids]
    assert len(set(ids)) == len(ids)


def test_every_number_is_defined(parsed: Page) -> None:
    """The table of definitions has every metric and part."""
    cells = {text.strip() for text in parsed.texts["td"]}
    assert set(SPECS) <= cells


def test_the_reader_learns_that_it_is_simulated(parsed: Page) -> None:
    """The warning stands on the page, set apart."""
    warnings = [p for p in parsed.of("p") if p.get("class") == "warning"]
    assert len(warnings) == 2  # the other stands where scripts are off
    assert any(text.startswith("Simulated: ") for text in parsed.texts["p"])


def test_what_was_not_done_is_listed(parsed: Page) -> None:
    """What the prompt asked for and the backend would not play stands with its reason."""
    assert any("cinematic: a mood changes nothing" in text for text in parsed.texts["td"])


def test_pictures_say_what_they_show(parsed: Page) -> None:
    """Every picture has a text for those who cannot see it; a still's stands beside it."""
    for attributes in parsed.of("img"):
        assert attributes.get("alt") or (attributes["id"] or "").startswith("still-")


def test_the_same_run_is_the_same_file(hostile_results: Results, tmp_path: Path) -> None:
    """Written twice at one moment to one place, the bytes are equal; the moment shows."""
    path = tmp_path / "r.html"
    first = write_report(hostile_results, path, now=NOW).read_bytes()
    assert write_report(hostile_results.folder.path, path, now=NOW).read_bytes() == first
    assert b"written 2026-01-02 03:04 UTC" in first


def test_a_run_without_any_score_has_a_report(hostile_results: Results, tmp_path: Path) -> None:
    """Before anything is measured the page is written all the same."""
    scores = hostile_results.scores.assign(value=float("nan"), reason="not measured yet")
    bare = replace(hostile_results, scores=scores, frames=pd.DataFrame(hostile_results.frames[:0]))
    text = write_report(bare, tmp_path / "r.html", now=NOW).read_text()
    assert "Too few takes" in text
    assert text.count("none: not measured yet") == 3 * len(HEADLINES)


def test_what_cannot_be_written_is_told(hostile_results: Results, tmp_path: Path) -> None:
    """A place that does not exist and a folder without a run are refused by name."""
    with pytest.raises(RunFolderError, match="cannot be written"):
        write_report(hostile_results, tmp_path / "none" / "r.html")
    with pytest.raises(RunFolderError, match="holds no run"):
        write_report(tmp_path)


def test_the_validity_card_stands_beside_the_numbers(parsed: Page) -> None:
    """Each defect with how well it is told, in words what falls short of its goal, and every
    number with how it was tried, those never calibrated by name.
    """
    card = load_card()
    said = " ".join(text for texts in parsed.texts.values() for text in texts)
    for name in card.summary()["defect"]:
        assert name in said
    for missed in (*card.shortfalls(), *in_words(card.tried())):
        assert missed in said
