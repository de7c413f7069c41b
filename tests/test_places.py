"""Run folders with unusual names, links, permissions and changed files."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.analysis import load
from lab.cli import main
from lab.errors import RunFolderError
from lab.player import make_proxies
from lab.report import verify, write_report
from lab.runs import Ledger, RunFolder, measure, recover, run
from lab.sweeps import Sweep
from tests.unwritable import unwritable

pytestmark = pytest.mark.usefixtures("in_process")
Lab = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory, stills_dir: Path) -> Sweep:
    """A sweep of one prompt on two stills, a third of a second each."""
    folder = tmp_path_factory.mktemp("sweep")
    for name in ("coffee", "cat"):
        shutil.copy(stills_dir / f"{name}.jpg", folder / f"{name}.jpg")
    settings = {"duration_s": 0.3, "seed": 1}
    return Sweep.of(stills="*.jpg", prompts="slow push in", settings=settings, folder=folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, sweep: Sweep, in_process: None) -> Path:
    """The finished run of that sweep; no test changes it."""
    folder = tmp_path_factory.mktemp("made") / "run"
    assert run(sweep, folder, quiet=True).complete
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> RunFolder:
    """A copy of the run that a test may change."""
    return RunFolder(shutil.copytree(made, tmp_path / "run"))


@pytest.fixture
def lab(capsys: pytest.CaptureFixture[str]) -> Lab:
    """Runs a command in this process; returns its exit code, output and errors."""

    def command(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return stopped.value.code, captured.out, captured.err  # type: ignore[return-value]

    return command


def _takes(folder: RunFolder) -> list[str]:
    with Ledger.read(folder.ledger) as ledger:
        return [row.take_id for row in ledger.takes()]


# The quick tier plans in such folders: tests/sweeps.
@pytest.mark.slow
def test_a_run_works_whatever_its_folder_is_called(made: Path, lab: Lab, tmp_path: Path) -> None:
    """A run folder may be named with special characters and bytes that are not text."""
    for name in ("concat:%03d [1] #2?x=3%41&{b}", "-~'\"<b> \udcff\u202e"):
        path = tmp_path / name / "run"
        shutil.copytree(made, path)
        for subfolder in ("proxies", "heatmaps"):
            shutil.rmtree(path / subfolder, ignore_errors=True)
        assert lab("status", path)[0] == 0
        page = write_report(path)
        assert verify(page, scores=False).matches
        assert len(load(path).save()) == 3
        assert lab("measure", path)[0] == 0


def test_a_run_that_cannot_be_written_can_be_read(made: Path, lab: Lab, tmp_path: Path) -> None:
    """A read-only run can be read and reported elsewhere; commands that write refuse it."""
    path = shutil.copytree(made, tmp_path / "run")
    shutil.rmtree(path / "proxies")
    page = tmp_path / "elsewhere.html"
    with unwritable(path):
        before = sorted(path.rglob("*"))
        assert lab("report", path, "-o", page, "--heatmaps")[:2] == (0, f"{page}\n")
        assert lab("verify", page, "--run", path, "--no-scores")[0] == 0
        assert lab("status", path)[0] == 0
        assert lab("compare", path, "--camera")[0] == 0
        assert len(load(path).takes) == 2
        assert sorted(path.rglob("*")) == before
        for command in ("report", "measure", "recover", "reconcile"):
            code, _, err = lab(command, path)
            assert (code, len(err.splitlines())) == (2, 1), command
            assert "cannot be written" in err
    assert page.read_text().count("data:image/jpeg") >= 4  # posters and stills


@pytest.mark.parametrize("shared", [True, False])
def test_a_log_left_in_a_folder_that_cannot_be_written_is_read(
    folder: RunFolder, tmp_path: Path, shared: bool
) -> None:
    """The write-ahead log of a killed runner is read, also in a read-only folder."""
    path = tmp_path / "killed"
    with Ledger.write(folder.ledger) as ledger:
        take_id = ledger.takes()[0].take_id
        ledger.record(take_id, "fetch_failed", message="only in the log")
        shutil.copytree(folder.path, path)
    if not shared:
        (path / "ledger.sqlite-shm").unlink()
    with unwritable(path), Ledger.read(path / "ledger.sqlite") as ledger:
        assert ledger.take(take_id).message == "only in the log"
        ledger.check()


def test_a_folder_reached_through_a_link_is_fine(folder: RunFolder, tmp_path: Path) -> None:
    """A run folder may be reached through a link."""
    (tmp_path / "link").symlink_to(folder.path)
    page = write_report(tmp_path / "link", tmp_path / "report.html")
    assert verify(page, tmp_path / "link", scores=False).matches
    assert measure(tmp_path / "link", quiet=True).problems == ()


def test_a_clip_that_leads_out_of_the_run_is_not_followed(
    folder: RunFolder, tmp_path: Path, sweep: Sweep, lab: Lab
) -> None:
    """A clip that is a link to outside is not used, even if its content is right."""
    first, _ = _takes(folder)
    outside = folder.clip_path(first).rename(tmp_path / "outside.mp4")
    folder.clip_path(first).symlink_to(outside)
    shutil.rmtree(folder.proxies)
    results = load(folder.path)
    assert "leads out of the run folder" in results.not_fresh[first]
    proxies = make_proxies(folder, results.takes.to_dict("records"), quiet=True)
    assert "leads out of the run folder" in proxies.problems[first]
    assert first not in proxies.videos | proxies.posters
    page = write_report(folder.path)
    assert "leads out of the run folder" in page.read_text()
    (found,) = verify(page, scores=False).mismatches
    assert "leads out" in found.found
    (problem,) = measure(folder.path, quiet=True).problems
    assert "leads out" in problem
    (problem,) = run(sweep, folder.path, quiet=True).problems
    assert "leads out" in problem
    content = bytearray(folder.ledger.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    folder.ledger.write_bytes(content)
    assert recover(folder.path).takes < 2  # only what lies here was made
    assert outside.is_file()


def test_other_links_out_of_the_run_are_not_followed(
    folder: RunFolder, tmp_path: Path, lab: Lab
) -> None:
    """No file or folder of a run is followed out of the run folder."""
    secret = tmp_path / "secret"
    secret.write_text('{"a secret": "of somebody"}')
    write_report(folder.path)
    first, _ = _takes(folder)
    for path in (*folder.proxies.iterdir(), folder.measures.path(first)):
        path.unlink()
        path.symlink_to(secret)
    page = write_report(folder.path).read_text()
    assert "of somebody" not in page
    assert "b2Ygc29tZWJvZHk" not in page  # in base64
    still = next(folder.stills.iterdir())
    still.unlink()
    still.symlink_to(secret)
    assert "leads out of the run folder" in lab("status", folder.path)[1]
    assert "leads out of the run folder" in write_report(folder.path).read_text()
    assert secret.read_text().startswith("{")
    measure(folder.path, quiet=True)
    assert not folder.measures.path(first).is_symlink()  # measured anew, in a file of its own
    shutil.move(folder.clips, tmp_path / "clips")
    folder.clips.symlink_to(tmp_path / "clips")
    with pytest.raises(RunFolderError, match="clips leads out"):
        measure(folder.path, quiet=True)
    shutil.move(folder.ledger, tmp_path / "ledger.sqlite")
    folder.ledger.symlink_to(tmp_path / "ledger.sqlite")
    assert "leads out" in lab("status", folder.path)[2]


@pytest.mark.parametrize(
    "named", ["/etc/passwd", pytest.param("stills/../../x.jpg", marks=pytest.mark.slow)]
)
def test_a_still_outside_the_run_folder_is_not_followed(
    folder: RunFolder, named: str, sweep: Sweep, lab: Lab
) -> None:
    """A ledger cannot name a file outside its folder as a still."""
    _rewrite_still(folder, named)
    assert "leads out of the run folder" in write_report(folder.path).read_text()
    assert "leads out" in lab("compare", folder.path, "--by", "still")[2]
    with pytest.raises(RunFolderError, match="leads out"):
        run(sweep, folder.path, quiet=True)
    shutil.rmtree(folder.measures.folder)
    assert len(measure(folder.path, quiet=True).problems) == 1


def _rewrite_still(folder: RunFolder, path: str) -> None:
    """Write another path of the first take's still into the ledger, with a valid checksum."""
    from lab.runs.ledger.schema import row_checksum

    with sqlite3.connect(folder.ledger) as connection:
        (row,) = connection.execute("SELECT * FROM takes ORDER BY position LIMIT 1").fetchall()
        take = json.loads(row[5])
        take["shot"]["still"]["path"] = path
        columns = (*row[:5], json.dumps(take), *row[6:-1])
        connection.execute(
            "UPDATE takes SET take = ?, seal = ? WHERE take_id = ?",
            (columns[5], row_checksum("takes", columns), row[0]),
        )
    connection.close()


def test_a_take_id_is_not_a_path(folder: RunFolder, lab: Lab) -> None:
    """A take id with a path in it is damage, because files are named after takes."""
    with sqlite3.connect(folder.ledger) as connection:
        from lab.runs.ledger.schema import row_checksum

        (row,) = connection.execute("SELECT * FROM takes ORDER BY position LIMIT 1").fetchall()
        columns = ("../../x", *row[1:-1])
        connection.execute(
            "UPDATE takes SET take_id = ?, seal = ? WHERE take_id = ?",
            ("../../x", row_checksum("takes", columns), row[0]),
        )
    connection.close()
    assert "damaged" in lab("status", folder.path)[2]


@pytest.mark.parametrize("how", [pytest.param("missing", marks=pytest.mark.slow), "changed"])
def test_missing_stills_are_named_and_the_rest_is_done(
    folder: RunFolder, sweep: Sweep, stills_dir: Path, lab: Lab, how: str
) -> None:
    """Scores and report still work, measuring names the take, and a run restores the still."""
    with Ledger.read(folder.ledger) as ledger:
        row = ledger.takes()[0]
    assert row.take.shot.still is not None
    still = folder.path / row.take.shot.still.path
    still.unlink()
    if how == "changed":
        shutil.copy(stills_dir / "flower.jpg", still)
    message = {"missing": "is missing", "changed": "has changed since the run began"}[how]
    shutil.rmtree(folder.proxies)
    assert message in lab("status", folder.path)[1]
    code, _, err = lab("compare", folder.path)
    assert code == 0
    assert message in err
    page = write_report(folder.path)
    assert message in page.read_text()
    assert len(verify(page, scores=False).mismatches) == 1
    shutil.rmtree(folder.measures.folder)
    outcome = measure(folder.path, quiet=True)
    assert outcome.measured == 1
    (problem,) = outcome.problems
    assert row.take_id in problem
    assert message in problem
    assert run(sweep, folder.path, quiet=True).complete
    assert load(folder.path).still_errors == {}


def test_a_still_changed_before_the_run_is_named(
    tmp_path: Path, stills_dir: Path, lab: Lab
) -> None:
    """A still that changed between plan and run is refused and named."""
    still = tmp_path / "a.jpg"
    sweep_file = tmp_path / "s.yaml"
    sweep_file.write_text("stills: a.jpg\nprompts: push in\nsettings: {duration_s: 0.1}\n")
    shutil.copy(stills_dir / "coffee.jpg", still)
    planned = Sweep.load(sweep_file)
    shutil.copy(stills_dir / "cat.jpg", still)
    with pytest.raises(Exception, match="changed after planning"):
        run(planned, tmp_path / "run", quiet=True)
    shutil.copy(stills_dir / "coffee.jpg", still)
    assert run(planned, tmp_path / "run", quiet=True).complete
    shutil.copy(stills_dir / "cat.jpg", still)
    assert "still 'a' has changed" in lab("run", sweep_file, "--out", tmp_path / "run")[2]
    still.unlink()
    assert "a.jpg: no such file" in lab("run", sweep_file, "--out", tmp_path / "run")[2]
