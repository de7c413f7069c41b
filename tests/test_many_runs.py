"""Many small runs, as papermill makes them, are one table and one report, with the run a factor."""

import json
import shutil
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import lab
from lab.analysis import compliance
from lab.cli import main
from lab.errors import InputError, RunFolderError
from lab.metrics import SPECS
from lab.report import verify
from lab.stills import Still

SPEEDS = ("slow", "medium", "fast")


@pytest.fixture(scope="module")
def one_thread() -> Executor:
    """The cores are filled by other tests."""
    return ThreadPoolExecutor(1)


@pytest.fixture(scope="module")
def series(
    tmp_path_factory: pytest.TempPathFactory, coffee: Still, one_thread: Executor
) -> list[Path]:
    """Runs of one take each that differ in their prompt, and in the parameter they are named by."""
    base = tmp_path_factory.mktemp("series")
    for speed in SPEEDS:
        sweep = lab.Sweep.of(
            stills=[coffee.path],
            prompts=[{"name": "pan", "text": f"{speed} pan left"}],
            settings={"duration_s": 0.25, "seed": 7},
            name="series",
        )
        assert lab.run(sweep, base / speed, executor=one_thread, quiet=True).complete
    return [base / speed for speed in SPEEDS]


@pytest.fixture
def copied(series: list[Path], tmp_path: Path) -> list[Path]:
    """Copies of the runs, to be spoiled."""
    return [Path(shutil.copytree(path, tmp_path / "runs" / path.name)) for path in series]


def _run_cli(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return int(done.value.code or 0), printed.out, printed.err


def _measured_by_older_flicker(run: Path) -> None:
    for path in (run / "measures").glob("*.json"):
        kept = json.loads(path.read_text())
        kept["numbers"]["flicker"]["version"] -= 1
        path.write_text(json.dumps(kept))


def test_they_are_one_table_with_the_run_as_a_factor(series: list[Path]) -> None:
    """A row a take, the run's name first; medians by run; each take as in its own run."""
    results = lab.load(series)
    assert (results.factors[0], results.varied) == ("run", ("run", "prompt"))
    assert list(results.table()["run"]) == list(SPEEDS)
    assert set(results.summary("run")["run"]) == set(SPEEDS)
    for path in series:
        alone = lab.load(path)
        assert alone.varied == ()
        (take_id,) = alone.takes["take_id"]
        assert results.headlines().loc[take_id].equals(alone.headlines().loc[take_id])
        assert results.record(take_id) == alone.record(take_id)
    assert len(results.scores) == 3 * len(SPECS)
    assert list(compliance(results)["backend"]) == ["offline"] * 3
    assert results.remarks == (
        "Simulated: these clips were rendered locally; no video model was involved.",
    )
    assert "3 runs, 3 takes" in repr(results)


def test_what_has_one_name_and_is_not_the_same_is_told_apart(series: list[Path]) -> None:
    """The prompts of these runs are all called "pan" and are different ones, so the run tells them
    apart; the still is the same one and keeps its name.
    """
    results = lab.load(series)
    assert list(results.takes["prompt"]) == [f"pan ({speed})" for speed in SPEEDS]
    assert set(results.takes["still"]) == {"coffee"}


def test_a_take_in_two_runs_keeps_both_rows(copied: list[Path], tmp_path: Path) -> None:
    """Each run's table is whole; ids are still different, and a remark says what that means."""
    again = Path(shutil.copytree(copied[0], tmp_path / "again"))
    results = lab.load([copied[0], again])
    one, two = results.takes["take_id"]
    assert two == f"{one}-2"
    assert list(results.takes["run"]) == ["slow", "again"]
    assert list(results.takes["prompt"]) == ["pan", "pan"]
    assert results.record(two) == results.record(one)
    assert "Takes that are also in an earlier run: 1." in results.remarks[0]
    shutil.rmtree(again / "measures")
    assert lab.load([copied[0], again]).stored_measure(two).measure is None


def test_folders_of_one_name_are_called_with_their_parents(series: list[Path]) -> None:
    """As many parents as it takes; or whatever names the caller gives."""
    both = [series[0], Path(shutil.copytree(series[1], series[0].parent / "more" / "slow"))]
    name = series[0].parent.name
    assert [run.name for run in lab.load(both).runs] == [f"{name}/slow", "more/slow"]
    named = lab.load({"a": both[0], "b": both[1]})
    assert list(named.takes["run"]) == ["a", "b"]
    shutil.rmtree(both[1].parent)


def test_runs_of_different_definitions_are_refused(
    copied: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line names the number, its versions, and what brings the older run up to date."""
    _measured_by_older_flicker(copied[1])
    version = SPECS["flicker"].version
    with pytest.raises(InputError) as caught:
        lab.load(copied)
    said = str(caught.value)
    assert f"flicker was measured by different definitions (version {version} in slow, " in said
    assert f"version {version - 1} in medium)" in said
    assert said.endswith(f"`lab measure {copied[1]}`")
    code, out, err = _run_cli(capsys, "compare", *copied)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    mixed = lab.load(copied, mixed=True)
    assert mixed.headlines()["flicker"].isna().sum() == 1


def test_every_folder_that_is_no_run_is_named(
    copied: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Missing, empty or damaged among dozens: a line each, and exit 2; none twice, and some run."""
    (copied[1] / "ledger.sqlite").write_bytes(b"rubbish" * 1000)
    code, out, err = _run_cli(capsys, "compare", *copied, tmp_path / "none")
    assert (code, out) == (2, "")
    damaged, missing = err.splitlines()
    assert str(copied[1]) in damaged
    assert f"{tmp_path / 'none'}: holds no run" in missing
    with pytest.raises(InputError, match="given 2 times"):
        lab.load([copied[0], copied[0].parent / "fast" / ".." / "slow"])
    with pytest.raises(InputError, match="no run to load"):
        lab.load([])


def test_what_is_for_one_run_says_so(series: list[Path], tmp_path: Path) -> None:
    """Advice and panels; tables and reports of several runs want a place of their own."""
    results = lab.load(series)
    for refused in (lab.suggest_next, lab.ResultsPanel):
        with pytest.raises(InputError, match="this needs one run, and 3 are loaded"):
            refused(results)
    with pytest.raises(InputError, match=r"save\(DIR\)"):
        results.save()
    assert all(path.parent == tmp_path / "t" for path in results.save(tmp_path / "t"))
    with pytest.raises(InputError, match="needs a path"):
        lab.write_report(results)


def test_what_is_mixed_is_said(series: list[Path]) -> None:
    """Backends that differ, and clips of which some are simulated, are no reason to refuse."""
    results = lab.load(series)
    first, *others = results.runs
    paid = replace(first, sweep={**first.sweep, "backend": "kling"})
    takes = results.takes.assign(simulated=[False, True, True])
    said = replace(results, runs=(paid, *others), takes=takes).remarks
    assert (
        said[0] == "The runs were made by different backends (kling: slow; offline: medium, fast)."
    )
    assert said[1].startswith("Simulated: 2 of 3 clips were rendered locally")


def test_compare_has_a_line_a_run(series: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    """The run is the first factor; the camera's table says whose take it is."""
    code, out, _ = _run_cli(capsys, "compare", *series, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["level"] for line in lines if line["factor"] == "run"] == sorted(SPEEDS)
    code, out, _ = _run_cli(capsys, "compare", *series, "--camera")
    assert code == 0
    assert "medium" in out


@pytest.fixture(scope="module")
def page(series: list[Path]) -> str:
    """The report of all runs, written beside them."""
    return lab.write_report(series, series[0].parent / "all.html").read_text()


def test_they_are_one_report(page: str, series: list[Path]) -> None:
    """Tiles, player and tables have every run's takes, with links to each folder's own clips."""
    assert "<h1>series</h1>" in page
    for path in series:
        (take_id,) = lab.load(path).takes["take_id"]
        assert f'id="take-{take_id}"' in page
        assert f'id="film-{take_id}"' in page
        assert f'href="./{path.name}/clips/{take_id}.mp4"' in page
    assert "Medians by run, as measured" in page


def test_the_command_writes_it_where_it_is_told(
    series: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a place for it nothing is written, and one line says so."""
    code, _, err = _run_cli(capsys, "report", *series)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "-o FILE.html" in err
    out = tmp_path / "all.html"
    code, said, _ = _run_cli(capsys, "report", *series, "-o", out)
    assert (code, said.strip()) == (0, str(out))


def test_the_report_is_held_to_all_of_them(
    page: str, copied: list[Path], one_thread: Executor, tmp_path: Path
) -> None:
    """Every run's ledger, files and clips; a run that is not up to date changes nothing."""
    _measured_by_older_flicker(copied[2])
    report = tmp_path / "runs" / "all.html"
    report.write_text(page)
    found = verify(report, executor=one_thread, quiet=True)
    assert found.matches, list(map(str, found.mismatches))
    assert (found.clips.checked, found.files.checked) == (3, 6)
    assert found.runs == tuple(copied)
    shutil.copyfile(*(next((run / "clips").glob("*.mp4")) for run in copied[1:]))
    found = verify(report, scores=False)
    (take_id,) = lab.load(copied[2]).takes["take_id"]
    assert {told.take_id for told in found.mismatches} == {take_id}


def test_runs_that_moved_are_named(page: str, copied: list[Path], tmp_path: Path) -> None:
    """Each in the report's order, or the folder that holds them by their names."""
    report = tmp_path / "mail.html"
    report.write_text(page)
    with pytest.raises(RunFolderError, match="name run 'slow' of the report with --run DIR"):
        verify(report, scores=False)
    assert verify(report, tmp_path / "runs", scores=False).matches
    assert verify(report, copied, scores=False).matches
    assert not verify(report, copied[::-1], scores=False).matches
    with pytest.raises(InputError, match=r"is of 3 runs and 2 were named; .*: slow, medium, fast"):
        verify(report, copied[:2], scores=False)
