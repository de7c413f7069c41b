"""A report can be held to its originals, and what no longer matches is named."""

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
    """A copy of the run, with its report beside it."""
    copy = tmp_path / "run"
    kept = shutil.ignore_patterns("proxies", "*.html")
    shutil.copytree(hostile_results.folder.path, copy, ignore=kept)
    (copy / "report.html").write_text(page)
    return copy


@pytest.fixture
def measures_are(moved: Path) -> Callable[[str], Path]:
    """The report of a run whose records of measurements are there, gone, or of older versions."""

    def put(state: str) -> Path:
        folder = moved / "measures"
        if state == "absent":
            shutil.rmtree(folder)
        if state == "stale":
            for path in folder.glob("*.json"):
                kept = json.loads(path.read_text())
                for number in kept["numbers"].values():
                    number["version"] -= 1
                path.write_text(json.dumps(kept))
        return moved / "report.html"

    return put


class _Once(ThreadPoolExecutor):
    """Measures each clip once for all tests of this module, for as long as its bytes stay."""

    def __init__(self) -> None:
        super().__init__(1)
        self._known: dict[tuple[str, str], Future[Any]] = {}

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        clip = Path(args[0])
        key = (clip.name, sha256_file(clip))
        if key not in self._known:
            self._known[key] = super().submit(fn, *args, **kwargs)
        return self._known[key]


@pytest.fixture(scope="module")
def once() -> Iterator[Executor]:
    """Where clips are measured, each once."""
    with _Once() as executor:
        yield executor


def _said(found: Verification) -> str:
    return " | ".join(map(str, found.mismatches))


def _forged(page: Path, what: str, old: str, new: str) -> str:
    """Write another text where the page shows something; returns what stood there."""
    text = page.read_text()
    what = re.escape(what.replace("'", "&#39;"))
    pattern = f'(data-shows="{what}"[^>]*>[^<]*?)({old})'
    found = re.search(pattern, text)
    assert found is not None, what
    page.write_text(text[: found.start(2)] + new + text[found.end(2) :])
    return found[2]


@pytest.mark.parametrize("state", STATES)
def test_an_honest_report_holds(
    measures_are: Callable[[str], Path], state: str, once: Executor
) -> None:
    """Page, ledger, hashes and every score measured again agree, and all of them are counted.

    The records of measurements have no say in it.
    """
    page = measures_are(state)
    found = verify(page, executor=once, quiet=True)
    assert found.matches, _said(found)
    assert "all match" in str(found)
    reported = len(SPECS) * 2
    assert (found.scores.checked, found.scores.total, found.not_measured) == (
        *(reported, reported),
        len(SPECS),
    )
    assert f"scores measured again: {reported} of {reported} (2 of 2 clips)" in str(found)
    assert (found.takes.checked, found.files.checked, found.clips.checked) == (3, 3, 2)
    assert found.values.checked == found.values.total > 60
    assert found.own_script


_NUMBER = r"\d[\d.]*"
_EDITS = {
    "flicker in the table": _NUMBER,
    "scores in the trials": _NUMBER,
    "sentence 1 on what leads": _NUMBER,
    "motion of slow push in, cinematic in the medians by prompt": _NUMBER,
    "compliance (median) of push_in in the camera's terms": _NUMBER,
    "takes in what was asked": _NUMBER,
    "row 1 of the trials": "img src",
}


@pytest.mark.parametrize("state", STATES)
def test_numbers_changed_in_the_page_are_told(
    measures_are: Callable[[str], Path], state: str
) -> None:
    """A score, a tile, a verdict, a median, the camera: what is edited is named, measuring nothing.

    What it says and what it should say are both there, and nothing else is accused.
    """
    page = measures_are(state)
    before = {what: _forged(page, what, old, "0.0123") for what, old in _EDITS.items()}
    found = verify(page, scores=False)
    assert [told.what for told in found.mismatches if told.what not in _EDITS] == []
    assert len(found.mismatches) == len(_EDITS)
    for told in found.mismatches:
        assert "0.0123" in told.reported
        assert before[told.what] in told.found


@pytest.fixture(scope="module")
def forged_facts(
    hostile_results: Results, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, str]:
    """A report that agrees with itself and whose flicker is half of what was measured; of whom."""
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
def test_forged_facts_are_told_by_the_clip(
    measures_are: Callable[[str], Path], state: str, forged_facts: tuple[str, str], once: Executor
) -> None:
    """A report that agrees with itself is held to the clips; without them it says what it left."""
    page = measures_are(state)
    text, take_id = forged_facts
    page.write_text(text)
    found = verify(page, executor=once, quiet=True)
    assert {(told.take_id, told.what) for told in found.mismatches} == {(take_id, "flicker")}
    unmeasured = verify(page, scores=False)
    assert unmeasured.matches
    assert "scores were not measured again: 0 of" in str(unmeasured)
    assert "all that was compared matches" in str(unmeasured)
    assert "all match" not in str(unmeasured)


def test_a_report_without_scores_claims_none(moved: Path, once: Executor) -> None:
    """Written before anything was measured, it holds, and says that there was nothing to check."""
    shutil.rmtree(moved / "measures")
    page = write_report(moved, now=NOW)
    found = verify(page, executor=once, quiet=True)
    assert found.matches, _said(found)
    assert (found.scores.total, found.clips.total, found.not_measured) == (0, 0, 3 * len(SPECS))
    assert "scores measured again: none, because the report has none" in str(found)


def test_nothing_that_the_page_says_of_takes_is_without_a_name(hostile_results: Results) -> None:
    """In the sections that are held, texts with digits that carry no name are the same whatever
    the takes came to.
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
        "Takes with a compliance below 0.7, or without one"
    )  # it is one now
    assert one == two
    shown = [{text.text for s in page.sections.values() for text in s.values} for page in pages]
    assert len(shown[1] - shown[0]) > 12


def _cell(text: str, what: str) -> tuple[int, int]:
    """Where the first cell that shows something begins and ends."""
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
def test_a_number_hidden_from_the_check_is_told(moved: Path, swap: Callable[[str], str]) -> None:
    """A cell beside the real one, none at all, or one that sorts elsewhere is as bad as a changed
    one.
    """
    page = moved / "report.html"
    text = page.read_text()
    start, end = _cell(text, "motion in the table")
    page.write_text(text[:start] + swap(text[start:end]) + text[end:])
    assert not verify(page, scores=False).matches


def test_tiles_that_changed_places_are_told(moved: Path) -> None:
    """A tile stands under the prompt that made it; two that are exchanged do not."""
    page = moved / "report.html"
    text = page.read_text()
    one, two = re.findall(r'<div class="tile" id="take-.*?</div>', text, re.DOTALL)[:2]
    page.write_text(text.replace(one, "@").replace(two, one).replace("@", two))
    assert "order of the values" in _said(verify(page, scores=False))


def test_another_clip_under_the_same_name_is_told(moved: Path, once: Executor) -> None:
    """A clip that was exchanged differs in hash and in scores; the other take is not accused."""
    one, other = sorted(path for path in (moved / "clips").glob("*.mp4") if path.is_file())
    shutil.copyfile(other, one)
    found = verify(moved / "report.html", executor=once, quiet=True)
    assert {mismatch.take_id for mismatch in found.mismatches} == {one.stem}
    assert any(mismatch.what.startswith("clip ") for mismatch in found.mismatches)
    assert any(mismatch.what == "motion" for mismatch in found.mismatches)


def test_a_take_dressed_as_another_is_told(moved: Path) -> None:
    """Whose clip and still a take has is the ledger's to say, not the page's."""
    page = moved / "report.html"
    text = page.read_text()
    one, other = sorted(path for path in (moved / "clips").glob("*.mp4") if path.is_file())
    forged = text.replace(f'"clip": "clips/{one.name}"', f'"clip": "clips/{other.name}"')
    assert forged != text
    page.write_text(forged)
    assert f"take {one.stem}: clip: the report says clips/{other.name}" in _said(
        verify(page, scores=False)
    )
    page.write_text(text.replace(f'"clip": "clips/{one.name}"', '"clip": ""'))
    assert f"take {one.stem}: clip: the report says none" in _said(verify(page, scores=False))


def test_what_the_ledger_says_now_is_told(moved: Path) -> None:
    """A take whose state or cost changed since is named."""
    with Ledger.write(moved / "ledger.sqlite") as ledger:
        take_id = next(iter(ledger.states()))
        ledger.record(take_id, "refused", message="taken back", cost_usd=3.0)
    said = _said(verify(moved / "report.html", scores=False))
    assert f"take {take_id}: state: the report says fetched, found refused" in said
    assert "cost in USD" in said


@pytest.mark.parametrize("state", STATES)
def test_a_missing_clip_is_told(
    measures_are: Callable[[str], Path], state: str, once: Executor
) -> None:
    """Its scores cannot be checked, which is counted and fails; the other clip's are checked."""
    page = measures_are(state)
    clip = next(path for path in (page.parent / "clips").glob("*.mp4") if path.is_file())
    clip.unlink()
    found = verify(page, executor=once, quiet=True)
    assert {told.take_id for told in found.mismatches} == {clip.stem}
    assert f"take {clip.stem}: clip clips/{clip.name}" in _said(found)
    assert f"{len(SPECS)} numbers, found not checked: its clip is missing" in _said(found)
    assert found.clips.to_json() == {"checked": 1, "of": 2, "unchecked": {"missing": 1}}
    assert found.scores.unchecked == {"missing": len(SPECS)}
    assert "(1 of 2 clips; 1 missing)" in str(found)
    assert found.files.to_json() == {"checked": 2, "of": 3, "unchecked": {"missing": 1}}


def test_a_missing_still_is_told(moved: Path, once: Executor) -> None:
    """Without it nothing can be measured as it was, so no score is checked."""
    next((moved / "stills").glob("*")).unlink()
    found = verify(moved / "report.html", executor=once, quiet=True)
    assert found.clips.to_json() == {"checked": 0, "of": 2, "unchecked": {"without their still": 2}}
    assert "its still stills/a&b<c>-" in _said(found)


def test_a_clip_that_cannot_be_read_is_told(moved: Path, once: Executor) -> None:
    """What is no film any more is named with the reason, and its scores are not checked."""
    clip = next(path for path in (moved / "clips").glob("*.mp4") if path.is_file())
    clip.write_bytes(b"rubbish" * 100)
    found = verify(moved / "report.html", executor=once, quiet=True)
    assert found.clips.unchecked == {"that cannot be measured": 1}
    assert {told.take_id for told in found.mismatches} == {clip.stem}


def test_scores_of_another_definition_are_not_checked(
    moved: Path, monkeypatch: pytest.MonkeyPatch, once: Executor
) -> None:
    """They are counted and fail, however well everything else matches."""
    bumped = replace(SPECS["flicker.local"], version=SPECS["flicker.local"].version + 1)
    monkeypatch.setitem(SPECS, "flicker.local", bumped)
    found = verify(moved / "report.html", executor=once, quiet=True)
    (told,) = found.mismatches
    assert "definition of flicker.local" in told.what
    assert found.scores.unchecked == {"of another definition": 2}
    assert found.scores.checked == found.scores.total - 2
    assert found.clips.checked == 2


def test_a_report_may_lie_elsewhere(moved: Path, tmp_path: Path) -> None:
    """Away from its run it says how to name the run, and then it is compared."""
    page = tmp_path / "mail" / "report.html"
    page.parent.mkdir()
    shutil.move(moved / "report.html", page)
    shutil.move(moved, tmp_path / "archive")
    with pytest.raises(RunFolderError, match="--run DIR"):
        verify(page, scores=False)
    assert verify(page, tmp_path / "archive", scores=False).matches


def test_paths_out_of_the_run_are_not_followed(moved: Path, tmp_path: Path) -> None:
    """A forged report cannot make this machine read files beside the run."""
    (tmp_path / "secret.mp4").write_bytes(b"x")
    page = moved / "report.html"
    text = page.read_text()
    clip = next(path for path in (moved / "clips").glob("*.mp4") if path.is_file())
    page.write_text(text.replace(f'"clip": "clips/{clip.name}"', '"clip": "../secret.mp4"'))
    assert "leads out of the run folder" in _said(verify(page, scores=False))


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
    """One clear line says which format it is and what to do."""
    path = tmp_path / "r.html"
    path.write_text(f'<script id="i2v-facts">{{"format": {kind}}}</script>', encoding="utf-8")
    with pytest.raises(InputError, match=f"facts of format {kind} and .* reads 2; .*{says}"):
        verify(path)


def test_another_script_is_told(moved: Path) -> None:
    """A page that runs something else may show what it does not hold, and that is said."""
    page = moved / "report.html"
    text = page.read_text()
    page.write_text(text.replace("class PageModel", "class Model"))
    found = verify(page, scores=False)
    assert not found.own_script
    assert "the page's script and style, which are not those of this i2v-lab" in str(found)


def test_the_command_tells_by_its_exit_code(
    moved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 when all match, 1 when something differs, 2 for what is no report."""
    page = str(moved / "report.html")
    with pytest.raises(SystemExit) as done:
        main(["verify", page, "--no-scores"])
    assert done.value.code == 0
    next((moved / "stills").glob("*")).unlink()
    with pytest.raises(SystemExit) as done:
        main(["verify", page, "--no-scores", "--json"])
    assert done.value.code == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line[:1] == "{"]
    *differ, summary = told
    assert {line["found"] for line in differ} == {"no such file"}
    assert (summary["holds"], summary["mismatches"]) == (False, len(differ))
    assert summary["counts"]["files"] == {"checked": 2, "of": 3, "unchecked": {"missing": 1}}
    assert summary["counts"]["scores"]["checked"] == 0
    assert not summary["measured_again"]
    with pytest.raises(SystemExit) as done:
        main(["verify", str(moved / "ledger.sqlite")])
    assert done.value.code == 2
