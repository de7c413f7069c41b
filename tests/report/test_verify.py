"""A report can be held to its originals, and what no longer matches is named."""

import json
import shutil
from pathlib import Path

import pytest

from lab.analysis import Results
from lab.cli import main
from lab.errors import InputError, RunFolderError
from lab.report import Verification, verify, write_report
from lab.runs import Ledger
from lab.units import number_text
from tests.report.conftest import NOW

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture
def moved(hostile_results: Results, tmp_path: Path) -> Path:
    """A copy of the run, with its report beside it."""
    copy = tmp_path / "run"
    shutil.copytree(hostile_results.folder.path, copy)
    write_report(copy, now=NOW)
    return copy


def _said(found: Verification) -> str:
    return " | ".join(map(str, found.mismatches))


def test_a_report_matches_its_run(moved: Path) -> None:
    """Score table, ledger, hashes and scores measured again all agree."""
    found = verify(moved / "report.html", quiet=True)
    assert found.holds
    assert found.takes == 3
    assert "all match" in str(found)


def test_another_clip_under_the_same_name_is_told(moved: Path) -> None:
    """A clip that was exchanged differs in hash and in scores; the other take is not accused."""
    one, other = sorted(path for path in (moved / "clips").glob("*.mp4") if path.is_file())
    shutil.copyfile(other, one)
    found = verify(moved / "report.html", quiet=True)
    assert {mismatch.take_id for mismatch in found.mismatches} == {one.stem}
    assert any(mismatch.what.startswith("clip ") for mismatch in found.mismatches)
    assert any(mismatch.what == "motion" for mismatch in found.mismatches)


def test_a_number_changed_in_the_page_is_told(moved: Path) -> None:
    """Whoever edits a score in the table is found out, without measuring anything."""
    page = moved / "report.html"
    text = page.read_text()
    facts = json.loads(text.split('id="i2v-facts">')[1].split("</script>")[0])
    (take,) = [take for take in facts["takes"] if take["scores"]["motion"]][:1]
    shown = f'data-metric="motion">{number_text(take["scores"]["motion"])}<'
    assert shown in text
    page.write_text(text.replace(shown, 'data-metric="motion">0.001<'))
    found = verify(page, scores=False)
    assert f"take {take['id']}: motion in the table: the report says 0.001" in _said(found)


@pytest.mark.parametrize("hidden", [True, False])
def test_a_number_hidden_from_the_check_is_told(moved: Path, hidden: bool) -> None:
    """A second cell for the same score, or none at all, is as good as a changed one."""
    page = moved / "report.html"
    text = page.read_text()
    start = text.index("<td", text.index('data-metric="motion"') - 80)
    end = text.index("</td>", start) + 5
    cell = text[start:end]
    forged = "<td>0.001</td>" + (cell.replace("<td", "<td hidden") * 2 if hidden else "")
    page.write_text(text[:start] + forged + text[end:])
    assert "motion in the table" in _said(verify(page, scores=False))


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


def test_missing_files_are_told(moved: Path) -> None:
    """A clip that is gone is a mismatch, not an error."""
    clip = next(path for path in (moved / "clips").glob("*.mp4") if path.is_file())
    clip.unlink()
    said = _said(verify(moved / "report.html", scores=False))
    assert f"take {clip.stem}: clip clips/{clip.name}" in said
    assert "no such file" in said


def test_a_report_may_lie_elsewhere(moved: Path, tmp_path: Path) -> None:
    """Away from its run it says how to name the run, and then it is compared."""
    page = tmp_path / "mail" / "report.html"
    page.parent.mkdir()
    shutil.move(moved / "report.html", page)
    shutil.move(moved, tmp_path / "archive")
    with pytest.raises(RunFolderError, match="--run DIR"):
        verify(page, scores=False)
    assert verify(page, tmp_path / "archive", scores=False).holds


def test_paths_out_of_the_run_are_not_followed(moved: Path, tmp_path: Path) -> None:
    """A forged report cannot make this machine read files beside the run."""
    (tmp_path / "secret.mp4").write_bytes(b"x")
    page = moved / "report.html"
    text = page.read_text()
    clip = next(path for path in (moved / "clips").glob("*.mp4") if path.is_file())
    page.write_text(text.replace(f'"clip": "clips/{clip.name}"', '"clip": "../secret.mp4"'))
    assert "no such file" in _said(verify(page, scores=False))


@pytest.mark.parametrize(
    "content",
    ["", "<p>hello</p>", '<script id="i2v-facts">{"format": 1}</script>', "\x00\xff" * 100],
)
def test_what_is_no_report_is_refused(content: str, tmp_path: Path) -> None:
    """Any other file gets one clear line."""
    path = tmp_path / "r.html"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        verify(path)
    assert "\n" not in str(caught.value)


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
    assert {line["found"] for line in told} == {"no such file"}
    with pytest.raises(SystemExit) as done:
        main(["verify", str(moved / "ledger.sqlite")])
    assert done.value.code == 2
