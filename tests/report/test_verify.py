"""A report can be verified, and every mismatch is named."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.analysis import Results
from lab.cli import main
from lab.errors import InputError, RunFolderError
from lab.files import sha256_file
from lab.metrics import SPECS
from lab.report import VERIFIED_SECTIONS, Verification, verify, write_report
from lab.report.build import render_page
from lab.report.context import ReportContext
from lab.report.page_values import ReportPage
from lab.runs import Ledger
from tests.report.conftest import NOW

pytestmark = pytest.mark.usefixtures("in_process")

STATES = ("present", "absent", "stale")


@pytest.fixture
def moved(hostile_results: Results, page: str, tmp_path: Path) -> Path:
    """A copy of the run, with its report in it."""
    copy = tmp_path / "run"
    ignored = shutil.ignore_patterns("proxies", "*.html")
    shutil.copytree(hostile_results.folder.path, copy, ignore=ignored)
    (copy / "report.html").write_text(page)
    return copy


@pytest.fixture
def measures_are(moved: Path) -> Callable[[str], Path]:
    """The report of a run whose stored measurements are present, absent or of older versions."""

    def put(state: str) -> Path:
        folder = moved / "measures"
        if state == "absent":
            shutil.rmtree(folder)
        if state == "stale":
            for path in folder.glob("*.json"):
                stored = json.loads(path.read_text())
                for number in stored["numbers"].values():
                    number["version"] -= 1
                path.write_text(json.dumps(stored))
        return moved / "report.html"

    return put


class _CachingExecutor(ThreadPoolExecutor):
    """Measures each clip once for all tests of this module, unless its bytes change."""

    def __init__(self) -> None:
        super().__init__(1)
        self._futures: dict[tuple[str, str], Future[Any]] = {}

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        clip = Path(args[0])
        key = (clip.name, sha256_file(clip))
        if key not in self._futures:
            self._futures[key] = super().submit(fn, *args, **kwargs)
        return self._futures[key]


@pytest.fixture(scope="module")
def once() -> Iterator[Executor]:
    """An executor that measures each clip once."""
    with _CachingExecutor() as executor:
        yield executor


def _mismatch_texts(result: Verification) -> str:
    return " | ".join(map(str, result.mismatches))


def _forge(page: Path, name: str, old: str, new: str) -> str:
    """Replace a value on the page; returns the original text."""
    text = page.read_text()
    escaped = re.escape(name.replace("'", "&#39;"))
    pattern = f'(data-shows="{escaped}"[^>]*>[^<]*?)({old})'
    match = re.search(pattern, text)
    assert match is not None, name
    page.write_text(text[: match.start(2)] + new + text[match.end(2) :])
    return match[2]


@pytest.mark.parametrize("state", STATES)
def test_an_honest_report_matches(
    measures_are: Callable[[str], Path], state: str, once: Executor
) -> None:
    """Page, ledger, hashes and new measurements agree, and all values are counted.

    The stored measurements make no difference.
    """
    page = measures_are(state)
    result = verify(page, executor=once, quiet=True)
    assert result.matches, _mismatch_texts(result)
    assert "all match" in str(result)
    reported = len(SPECS) * 2
    assert (result.scores.checked, result.scores.total, result.not_measured) == (
        *(reported, reported),
        len(SPECS),
    )
    assert f"scores measured again: {reported} of {reported} (2 of 2 clips)" in str(result)
    assert (result.takes.checked, result.files.checked, result.clips.checked) == (3, 3, 2)
    assert result.values.checked == result.values.total > 60
    assert result.script_matches


_NUMBER = r"\d[\d.]*"
_EDITS = {
    "flicker in the scores": _NUMBER,
    "scores in the trials": _NUMBER,
    "sentence 1 on what leads": _NUMBER,
    "motion of slow push in, cinematic in the medians by prompt": _NUMBER,
    "speed (median) of push_in in the camera's terms": _NUMBER,
    "takes in what was asked": _NUMBER,
    "row 1 of the trials": "img src",
}


@pytest.mark.parametrize("state", STATES)
def test_changed_numbers_are_reported(measures_are: Callable[[str], Path], state: str) -> None:
    """Every edited value is named, even if nothing is measured.

    The mismatch has the shown and the right value. Nothing else is a mismatch.
    """
    page = measures_are(state)
    before = {what: _forge(page, what, old, "0.0123") for what, old in _EDITS.items()}
    result = verify(page, scores=False)
    assert [mismatch.what for mismatch in result.mismatches if mismatch.what not in _EDITS] == []
    assert len(result.mismatches) == len(_EDITS)
    for mismatch in result.mismatches:
        assert "0.0123" in mismatch.reported
        assert before[mismatch.what] in mismatch.found


@pytest.fixture(scope="module")
def forged_facts(
    hostile_results: Results, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, str]:
    """A consistent report with half of the measured flicker, and the take it is of."""
    scores = hostile_results.scores.copy()
    take_id = scores["take_id"][0]
    chosen = (scores["take_id"] == take_id) & (scores["metric"] == "flicker")
    scores.loc[chosen, "value"] /= 2
    folder = hostile_results.folder.path
    path = folder / "forged.html"
    text = write_report(replace(hostile_results, scores=scores), path, now=NOW).read_text()
    path.unlink()
    return text, take_id


@pytest.mark.parametrize("state", STATES)
def test_forged_facts_are_found_by_measuring(
    measures_are: Callable[[str], Path], state: str, forged_facts: tuple[str, str], once: Executor
) -> None:
    """A consistent forgery is found by measuring. Without measuring, the result says so."""
    page = measures_are(state)
    text, take_id = forged_facts
    page.write_text(text)
    result = verify(page, executor=once, quiet=True)
    assert {(mismatch.take_id, mismatch.what) for mismatch in result.mismatches} == {
        (take_id, "flicker")
    }
    unmeasured = verify(page, scores=False)
    assert unmeasured.matches
    assert "scores were not measured again: 0 of" in str(unmeasured)
    assert "all that was compared matches" in str(unmeasured)
    assert "all match" not in str(unmeasured)


def test_a_report_without_scores_claims_none(moved: Path, once: Executor) -> None:
    """A report without measurements is verified, and the result says that it has no scores."""
    shutil.rmtree(moved / "measures")
    page = write_report(moved, now=NOW)
    result = verify(page, executor=once, quiet=True)
    assert result.matches, _mismatch_texts(result)
    assert (result.scores.total, result.clips.total, result.not_measured) == (0, 0, 3 * len(SPECS))
    assert "scores measured again: none, because the report has none" in str(result)


def test_every_value_about_takes_has_a_name(hostile_results: Results) -> None:
    """In the verified sections, texts with digits and without a name do not depend on the
    takes.
    """
    scores, takes = hostile_results.scores, hostile_results.takes
    other = replace(
        hostile_results,
        scores=scores.assign(value=scores["value"] * 1.37 + 0.011),
        takes=takes.assign(cost_usd=3.21, state=["failed", "fetched", "refused"], clip_bytes=77),
    )
    pages = []
    for results in (hostile_results, other):
        context = ReportContext(results, Path(), 0, pictures=False)
        sections = [made for build in VERIFIED_SECTIONS if (made := build(context))]
        pages.append(ReportPage(render_page(sections)))
    one, two = (
        {name: set(s.unnamed_numbers) for name, s in page.sections.items()} for page in pages
    )
    two["what-the-camera-did"].discard(
        "Takes that did not make the move, or that cannot be judged"
    )  # the other takes have this table
    assert one == two
    shown = [{text.text for s in page.sections.values() for text in s.values} for page in pages]
    assert len(shown[1] - shown[0]) > 12


def _cell(text: str, what: str) -> tuple[int, int]:
    """The start and the end of the first cell with this value."""
    start = text.rindex("<td", 0, text.index(f'data-shows="{what}"'))
    return start, text.index("</td>", start) + 5


@pytest.mark.parametrize(
    "swap",
    [
        lambda cell: "<td>0.001</td>" + cell.replace("<td", "<td hidden"),
        lambda cell: "<td>0.001</td>" + cell.replace("<td", "<td hidden") * 2,
        lambda cell: "<td>0.001</td>",
        lambda cell: cell.replace("<td", '<td style="font-size:0"') + "<td>0.001</td>",
        lambda cell: cell.replace("</td>", "<p>0.001</p></td>"),
        lambda cell: re.sub(r'data-number="[^"]*"', 'data-number="0.001"', cell),
        lambda cell: cell + "<td></td>",
    ],
)
def test_a_hidden_number_is_reported(moved: Path, swap: Callable[[str], str]) -> None:
    """An added, missing or hidden cell, or another sort number, is a mismatch."""
    page = moved / "report.html"
    text = page.read_text()
    start, end = _cell(text, "motion in the scores")
    page.write_text(text[:start] + swap(text[start:end]) + text[end:])
    assert not verify(page, scores=False).matches


def test_exchanged_tiles_are_reported(moved: Path) -> None:
    """Two exchanged tiles are a mismatch."""
    page = moved / "report.html"
    text = page.read_text()
    one, two = re.findall(r'<div class="tile" id="take-.*?</div>', text, re.DOTALL)[:2]
    page.write_text(text.replace(one, "@").replace(two, one).replace("@", two))
    assert "order of the values" in _mismatch_texts(verify(page, scores=False))


def test_a_replaced_clip_is_reported(moved: Path, once: Executor) -> None:
    """A replaced clip differs in hash and scores. The other take has no mismatch."""
    one, other = sorted(path for path in (moved / "clips").glob("*.mp4") if path.is_file())
    shutil.copyfile(other, one)
    result = verify(moved / "report.html", executor=once, quiet=True)
    assert {mismatch.take_id for mismatch in result.mismatches} == {one.stem}
    assert any(mismatch.what.startswith("clip ") for mismatch in result.mismatches)
    assert any(mismatch.what == "motion" for mismatch in result.mismatches)


def test_the_clip_of_another_take_is_reported(moved: Path) -> None:
    """The clip of a take must be the one in the ledger."""
    page = moved / "report.html"
    text = page.read_text()
    one, other = sorted(path for path in (moved / "clips").glob("*.mp4") if path.is_file())
    forged = text.replace(f'"clip": "clips/{one.name}"', f'"clip": "clips/{other.name}"')
    assert forged != text
    page.write_text(forged)
    assert f"take {one.stem}: clip: the report says clips/{other.name}" in _mismatch_texts(
        verify(page, scores=False)
    )
    page.write_text(text.replace(f'"clip": "clips/{one.name}"', '"clip": ""'))
    assert f"take {one.stem}: clip: the report says none" in _mismatch_texts(
        verify(page, scores=False)
    )


def test_changes_in_the_ledger_are_reported(moved: Path) -> None:
    """A take whose state or cost has changed is named."""
    with Ledger.write(moved / "ledger.sqlite") as ledger:
        take_id = next(iter(ledger.states()))
        ledger.record(take_id, "refused", message="taken back", cost_usd=3.0)
    texts = _mismatch_texts(verify(moved / "report.html", scores=False))
    assert f"take {take_id}: state: the report says fetched, found refused" in texts
    assert "cost in USD" in texts


@pytest.mark.parametrize("state", STATES)
def test_a_missing_clip_is_reported(
    measures_are: Callable[[str], Path], state: str, once: Executor
) -> None:
    """Its scores count as unchecked and as mismatches. The other clip is checked."""
    page = measures_are(state)
    clip = next(path for path in (page.parent / "clips").glob("*.mp4") if path.is_file())
    clip.unlink()
    result = verify(page, executor=once, quiet=True)
    assert {mismatch.take_id for mismatch in result.mismatches} == {clip.stem}
    assert f"take {clip.stem}: clip clips/{clip.name}" in _mismatch_texts(result)
    assert f"{len(SPECS)} numbers, found not checked: its clip is missing" in _mismatch_texts(
        result
    )
    assert result.clips.to_json() == {"checked": 1, "of": 2, "unchecked": {"missing": 1}}
    assert result.scores.unchecked == {"missing": len(SPECS)}
    assert "(1 of 2 clips; 1 missing)" in str(result)
    assert result.files.to_json() == {"checked": 2, "of": 3, "unchecked": {"missing": 1}}


def test_a_missing_still_is_reported(moved: Path, once: Executor) -> None:
    """Without the still no score can be checked."""
    next((moved / "stills").glob("*")).unlink()
    result = verify(moved / "report.html", executor=once, quiet=True)
    assert result.clips.to_json() == {
        "checked": 0,
        "of": 2,
        "unchecked": {"without their still": 2},
    }
    assert "its still stills/a&b<c>-" in _mismatch_texts(result)


def test_an_unreadable_clip_is_reported(moved: Path, once: Executor) -> None:
    """A broken clip is named with the reason, and its scores are not checked."""
    clip = next(path for path in (moved / "clips").glob("*.mp4") if path.is_file())
    clip.write_bytes(b"rubbish" * 100)
    result = verify(moved / "report.html", executor=once, quiet=True)
    assert result.clips.unchecked == {"that cannot be measured": 1}
    assert {mismatch.take_id for mismatch in result.mismatches} == {clip.stem}


def test_scores_of_another_definition_are_not_checked(
    moved: Path, monkeypatch: pytest.MonkeyPatch, once: Executor
) -> None:
    """Scores of a changed definition count as unchecked, and the report does not match."""
    bumped = replace(SPECS["flicker.local"], version=SPECS["flicker.local"].version + 1)
    monkeypatch.setitem(SPECS, "flicker.local", bumped)
    result = verify(moved / "report.html", executor=once, quiet=True)
    (mismatch,) = result.mismatches
    assert "definition of flicker.local" in mismatch.what
    assert result.scores.unchecked == {"of another definition": 2}
    assert result.scores.checked == result.scores.total - 2
    assert result.clips.checked == 2


def test_a_report_may_be_moved(moved: Path, tmp_path: Path) -> None:
    """A moved report needs --run, and then it is verified."""
    page = tmp_path / "mail" / "report.html"
    page.parent.mkdir()
    shutil.move(moved / "report.html", page)
    shutil.move(moved, tmp_path / "archive")
    with pytest.raises(RunFolderError, match="--run DIR"):
        verify(page, scores=False)
    assert verify(page, tmp_path / "archive", scores=False).matches


def test_paths_out_of_the_run_are_not_followed(moved: Path, tmp_path: Path) -> None:
    """A forged path cannot make `lab verify` read files outside the run folder."""
    (tmp_path / "secret.mp4").write_bytes(b"x")
    page = moved / "report.html"
    text = page.read_text()
    clip = next(path for path in (moved / "clips").glob("*.mp4") if path.is_file())
    page.write_text(text.replace(f'"clip": "clips/{clip.name}"', '"clip": "../secret.mp4"'))
    assert "leads out of the run folder" in _mismatch_texts(verify(page, scores=False))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<p>hello</p>",
        '<script id="i2v-facts">{"format": 2}</script>',
        '<script id="i2v-facts">[2]</script>',
        "\x00\xff" * 100,
    ],
)
def test_what_is_no_report_is_refused(content: str, tmp_path: Path) -> None:
    """Any other file gets one clear line."""
    path = tmp_path / "r.html"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        verify(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "says"), [(1, "write it again"), (3, "update this one")])
def test_facts_of_another_format_are_refused(tmp_path: Path, kind: int, says: str) -> None:
    """One clear line has the format and what to do."""
    path = tmp_path / "r.html"
    path.write_text(f'<script id="i2v-facts">{{"format": {kind}}}</script>', encoding="utf-8")
    with pytest.raises(InputError, match=f"facts of format {kind} and .* reads 2; .*{says}"):
        verify(path)


def test_another_script_is_reported(moved: Path) -> None:
    """A page with another script is reported, because it may show other values."""
    page = moved / "report.html"
    text = page.read_text()
    page.write_text(text.replace("class PageModel", "class Model"))
    result = verify(page, scores=False)
    assert not result.script_matches
    assert "the page's script and style, which are not those of this i2v-lab" in str(result)


def test_the_exit_code_is_the_result(moved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0 if all matches, 1 for a mismatch, 2 for a file that is not a report."""
    page = str(moved / "report.html")
    with pytest.raises(SystemExit) as done:
        main(["verify", page, "--no-scores"])
    assert done.value.code == 0
    next((moved / "stills").glob("*")).unlink()
    with pytest.raises(SystemExit) as done:
        main(["verify", page, "--no-scores", "--json"])
    assert done.value.code == 1
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line[:1] == "{"]
    *mismatches, summary = objects
    assert {line["found"] for line in mismatches} == {"no such file"}
    assert (summary["holds"], summary["mismatches"]) == (False, len(mismatches))
    assert summary["counts"]["files"] == {"checked": 2, "of": 3, "unchecked": {"missing": 1}}
    assert summary["counts"]["scores"]["checked"] == 0
    assert not summary["measured_again"]
    with pytest.raises(SystemExit) as done:
        main(["verify", str(moved / "ledger.sqlite")])
    assert done.value.code == 2
