"""Several runs give one table and one report, with the run as a factor."""

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
    """One worker, since other tests use the other cores."""
    return ThreadPoolExecutor(1)


@pytest.fixture(scope="module")
def series(
    tmp_path_factory: pytest.TempPathFactory, coffee: Still, one_thread: Executor
) -> list[Path]:
    """Three runs of one take, each with another prompt and named after its speed."""
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
def copies(series: list[Path], tmp_path: Path) -> list[Path]:
    """Copies of the runs that a test may change."""
    return [Path(shutil.copytree(path, tmp_path / "runs" / path.name)) for path in series]


def _run_cli(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return int(stopped.value.code or 0), printed.out, printed.err


def _set_older_flicker_version(run: Path) -> None:
    for path in (run / "measures").glob("*.json"):
        record = json.loads(path.read_text())
        record["numbers"]["flicker"]["version"] -= 1
        path.write_text(json.dumps(record))


def test_runs_give_one_table_with_the_run_as_a_factor(series: list[Path]) -> None:
    """Each take has one row, with the run first and the values of its own run."""
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


def test_different_prompts_with_equal_names_are_distinguished(series: list[Path]) -> None:
    """Different prompts named "pan" get the run's name; the common still keeps its name."""
    results = lab.load(series)
    assert list(results.takes["prompt"]) == [f"pan ({speed})" for speed in SPEEDS]
    assert set(results.takes["still"]) == {"coffee"}


def test_a_take_in_two_runs_keeps_both_rows(copies: list[Path], tmp_path: Path) -> None:
    """It gets a second id in the table, and a remark explains it."""
    again = Path(shutil.copytree(copies[0], tmp_path / "again"))
    results = lab.load([copies[0], again])
    one, two = results.takes["take_id"]
    assert two == f"{one}-2"
    assert list(results.takes["run"]) == ["slow", "again"]
    assert list(results.takes["prompt"]) == ["pan", "pan"]
    assert results.record(two) == results.record(one)
    assert "Takes that are also in an earlier run: 1." in results.remarks[0]
    shutil.rmtree(again / "measures")
    assert lab.load([copies[0], again]).stored_measure(two).measure is None


def test_folders_with_equal_names_get_their_parents_names(series: list[Path]) -> None:
    """Enough parent folders are added to distinguish them; the caller may give other names."""
    both = [series[0], Path(shutil.copytree(series[1], series[0].parent / "more" / "slow"))]
    name = series[0].parent.name
    assert [run.name for run in lab.load(both).runs] == [f"{name}/slow", "more/slow"]
    named = lab.load({"a": both[0], "b": both[1]})
    assert list(named.takes["run"]) == ["a", "b"]
    shutil.rmtree(both[1].parent)


def test_runs_of_different_definitions_are_refused(
    copies: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line names the metric, its versions and the command that updates the older run."""
    _set_older_flicker_version(copies[1])
    version = SPECS["flicker"].version
    with pytest.raises(InputError) as caught:
        lab.load(copies)
    message = str(caught.value)
    assert f"flicker was measured by different definitions (version {version} in slow, " in message
    assert f"version {version - 1} in medium)" in message
    assert message.endswith(f"`lab measure {copies[1]}`")
    code, out, err = _run_cli(capsys, "compare", *copies)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    mixed = lab.load(copies, mixed=True)
    assert mixed.headlines()["flicker"].isna().sum() == 1


def test_every_folder_without_a_run_is_named(
    copies: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Missing and damaged runs get one line each; no run, and a run given twice, are refused."""
    (copies[1] / "ledger.sqlite").write_bytes(b"rubbish" * 1000)
    code, out, err = _run_cli(capsys, "compare", *copies, tmp_path / "none")
    assert (code, out) == (2, "")
    damaged, missing = err.splitlines()
    assert str(copies[1]) in damaged
    assert f"{tmp_path / 'none'}: holds no run" in missing
    with pytest.raises(InputError, match="given 2 times"):
        lab.load([copies[0], copies[0].parent / "fast" / ".." / "slow"])
    with pytest.raises(InputError, match="no run to load"):
        lab.load([])


def test_functions_for_one_run_refuse_several(series: list[Path], tmp_path: Path) -> None:
    """Advice and panels need one run; tables and reports of several runs need a path."""
    results = lab.load(series)
    for refused in (lab.suggest_next, lab.ResultsPanel):
        with pytest.raises(InputError, match="this needs one run, and 3 are loaded"):
            refused(results)
    with pytest.raises(InputError, match=r"save\(DIR\)"):
        results.save()
    assert all(path.parent == tmp_path / "t" for path in results.save(tmp_path / "t"))
    with pytest.raises(InputError, match="needs a path"):
        lab.write_report(results)


def test_mixed_runs_give_remarks(series: list[Path]) -> None:
    """Different backends, and partly simulated clips, are accepted with a remark."""
    results = lab.load(series)
    first, *others = results.runs
    paid = replace(first, sweep={**first.sweep, "backend": "kling"})
    takes = results.takes.assign(simulated=[False, True, True])
    remarks = replace(results, runs=(paid, *others), takes=takes).remarks
    assert (
        remarks[0]
        == "The runs were made by different backends (kling: slow; offline: medium, fast)."
    )
    assert remarks[1].startswith("Simulated: 2 of 3 clips were rendered locally")


def test_compare_has_a_line_for_each_run(
    series: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The run is a factor; the camera table names the run of each take."""
    code, out, _ = _run_cli(capsys, "compare", *series, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["level"] for line in lines if line["factor"] == "run"] == sorted(SPEEDS)
    code, out, _ = _run_cli(capsys, "compare", *series, "--camera")
    assert code == 0
    assert "medium" in out


@pytest.fixture(scope="module")
def page(series: list[Path]) -> str:
    """The report of all runs, in their parent folder."""
    return lab.write_report(series, series[0].parent / "all.html").read_text()


def test_runs_give_one_report(page: str, series: list[Path]) -> None:
    """Tiles and player contain the takes of every run, with links to the clips in its folder."""
    assert "<h1>series</h1>" in page
    for path in series:
        (take_id,) = lab.load(path).takes["take_id"]
        assert f'id="take-{take_id}"' in page
        assert f'id="video-{take_id}"' in page
        assert f'href="./{path.name}/clips/{take_id}.mp4"' in page
    assert "Medians by run, as measured" in page


def test_the_command_needs_a_path_for_the_report(
    series: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without -o nothing is written, and one line says so."""
    code, _, err = _run_cli(capsys, "report", *series)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "-o FILE.html" in err
    out = tmp_path / "all.html"
    code, printed, _ = _run_cli(capsys, "report", *series, "-o", out)
    assert (code, printed.strip()) == (0, str(out))


def test_the_report_is_verified_against_all_runs(
    page: str, copies: list[Path], one_thread: Executor, tmp_path: Path
) -> None:
    """Ledgers, files and clips of every run are checked; outdated measurements are accepted."""
    _set_older_flicker_version(copies[2])
    report = tmp_path / "runs" / "all.html"
    report.write_text(page)
    result = verify(report, executor=one_thread, quiet=True)
    assert result.matches, list(map(str, result.mismatches))
    assert (result.clips.checked, result.files.checked) == (3, 6)
    assert result.runs == tuple(copies)
    shutil.copyfile(*(next((run / "clips").glob("*.mp4")) for run in copies[1:]))
    result = verify(report, scores=False)
    (take_id,) = lab.load(copies[2]).takes["take_id"]
    assert {mismatch.take_id for mismatch in result.mismatches} == {take_id}


def test_runs_that_moved_are_named(page: str, copies: list[Path], tmp_path: Path) -> None:
    """Moved runs are given in the report's order, or as the folder that contains them all."""
    report = tmp_path / "mail.html"
    report.write_text(page)
    with pytest.raises(
        RunFolderError, match="pass --run DIR with the folder of run 'slow' in the report"
    ):
        verify(report, scores=False)
    assert verify(report, tmp_path / "runs", scores=False).matches
    assert verify(report, copies, scores=False).matches
    assert not verify(report, copies[::-1], scores=False).matches
    with pytest.raises(
        InputError, match=r"has 3 runs, but 2 folders were given; .*: slow, medium, fast"
    ):
        verify(report, copies[:2], scores=False)
