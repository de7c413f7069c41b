"""Every output says which measurements cannot be used and why."""

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import lab
from lab.cli import main
from lab.measures import Measure, MeasureState, measuring
from lab.metrics import METRICS, SPECS, MetricSpec
from lab.player import make_proxies, session
from lab.report import verify, write_report
from lab.runs import RunFolder
from lab.stills import Still
from lab.widgets.live_table import LiveTable


@pytest.fixture(scope="module")
def threads() -> Executor:
    """One worker, since other tests use the other cores."""
    return ThreadPoolExecutor(1)


@pytest.fixture(scope="module")
def original(
    tmp_path_factory: pytest.TempPathFactory, coffee: Still, threads: Executor
) -> tuple[Path, Path]:
    """A run of two short takes, and its sweep file."""
    base = tmp_path_factory.mktemp("not-fresh")
    sweep = base / "sweep.yaml"
    sweep.write_text(
        f"stills: {coffee.path.resolve()}\n"
        "prompts: [slow push in, pan left]\n"
        "settings: {duration_s: 0.25, seed: 7}\n"
    )
    outcome = lab.run(sweep, base / "run", executor=threads, quiet=True)
    assert outcome.complete
    return base / "run", sweep


@dataclass
class Case:
    """A run whose first take has measurements that cannot all be used.

    kind: the expected state. says: the text that every output must contain. lost: the numbers that
    cannot be used. whole: True when all takes are affected.
    """

    folder: Path
    sweep: Path
    victim: str
    other: str
    kind: MeasureState
    says: str
    lost: set[str]
    whole: bool = False


class _Blur:
    """A new metric that the run was not measured with."""

    specs = (
        MetricSpec(
            name="blur",
            unit="stops",
            direction="none",
            says="nothing",
            ignores="nothing",
            reference="none",
        ),
    )

    def start(self, reference: object) -> object:
        class Tracker:
            def see(self, moment: object) -> None: ...
            def result(self) -> object:
                from lab.metrics.contract import Measured, Score

                return Measured((Score("blur", 0.5),))

        return Tracker()


@pytest.fixture(
    params=[
        "bumped",
        pytest.param("added", marks=pytest.mark.slow),
        "cut off",
        pytest.param("copied", marks=pytest.mark.slow),
        "swapped",
    ]
)
def case(
    request: pytest.FixtureRequest,
    original: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Case:
    """One of the five reasons why measurements cannot be used."""
    folder = tmp_path / "run"
    shutil.copytree(original[0], folder, copy_function=shutil.copy2)
    run_folder = RunFolder(folder)
    victim, other = lab.load(folder).takes["take_id"]
    kind, says, lost, whole = MeasureState.DAMAGED, "cannot be read", set(SPECS), False
    path = run_folder.measures.path(victim)
    if request.param == "bumped":
        bumped = replace(SPECS["flicker.local"], version=SPECS["flicker.local"].version + 1)
        monkeypatch.setitem(SPECS, "flicker.local", bumped)
        kind, whole, lost = MeasureState.STALE, True, {"flicker.local"}
        says = f"measured by flicker.local version {bumped.version - 1}"
    elif request.param == "added":
        monkeypatch.setitem(SPECS, "blur", _Blur.specs[0])
        monkeypatch.setattr(measuring, "METRICS", (*METRICS, _Blur()))
        kind, whole, lost = MeasureState.STALE, True, {"blur"}
        says = "blur was not measured yet"
    elif request.param == "cut off":
        path.write_text(path.read_text()[:400])
    elif request.param == "copied":
        shutil.copyfile(run_folder.measures.path(other), path)
        kind, says = MeasureState.OTHER_CLIP, "measured on another clip"
    else:
        shutil.copyfile(run_folder.clip_path(other), run_folder.clip_path(victim))
        kind, says = MeasureState.OTHER_CLIP, "is not the clip in the ledger"
    return Case(folder, original[1], victim, other, kind, says, lost, whole)


def _run_cli(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return int(done.value.code or 0), printed.out + printed.err


def test_tables_keep_what_can_be_used(case: Case, original: tuple[Path, Path]) -> None:
    """Only the lost numbers are NaN, each with its reason; other values are unchanged."""
    results = lab.load(case.folder)
    before = lab.load(original[0])
    scores = results.scores.set_index(["take_id", "metric"])
    values = before.scores.set_index(["take_id", "metric"])["value"]
    for (take_id, metric), row in scores.iterrows():
        if metric in case.lost and (case.whole or take_id == case.victim):
            assert row["value"] != row["value"]
            assert case.says in row["reason"]
        else:
            then = values[(take_id, metric)]
            assert row["value"] == then or (then != then and row["value"] != row["value"])
    assert case.says in results.not_fresh[case.victim]
    assert (case.other in results.not_fresh) == case.whole
    table = results.table().set_index("take_id")
    assert case.says in table.loc[case.victim, "remark"]


def test_status_and_compare_say_so(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    """Status and compare count the takes and name each; the exit code is 0."""
    code, printed = _run_cli(capsys, "status", case.folder)
    assert code == 0
    assert case.victim in printed
    assert case.says in printed
    code, printed = _run_cli(capsys, "status", case.folder, "--json")
    status = json.loads(printed)
    assert status["measures"][case.kind] == (2 if case.whole else 1)
    assert case.says in status["not_fresh"][case.victim]
    code, printed = _run_cli(capsys, "compare", case.folder)
    assert code == 0
    assert case.says in printed


def test_table_and_player_say_so(case: Case) -> None:
    """The row of the live table and the player's caption have the reason."""
    live = LiveTable(choosable=False, caption="")
    status = live.update(RunFolder(case.folder))
    assert status.not_fresh == (2 if case.whole else 1)
    (row,) = [row for row in live.table.rows if row["id"] == case.victim]
    assert any(case.says in cell["title"] for cell in row["cells"])
    results = lab.load(case.folder)
    rows = results.takes.to_dict("records")
    proxies = make_proxies(results.folder, rows, short_side_px=None, quiet=True)
    shown = session(results, [case.victim], proxies, str)
    assert case.says in shown["clips"][0]["remark"]


def test_the_report_says_so_and_verifies(case: Case, threads: Executor) -> None:
    """The report has the reason, and `lab verify` checks what the report contains."""
    page = write_report(case.folder)
    assert case.says in page.read_text(encoding="utf-8")
    found = verify(page, executor=threads, quiet=True)
    accused = {mismatch.take_id for mismatch in found.mismatches}
    assert accused == ({case.victim} if case.says.endswith("in the ledger") else set())


def test_measure_brings_it_up_to_date(
    case: Case,
    original: tuple[Path, Path],
    threads: Executor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only numbers that are not fresh are measured; a replaced clip is named."""
    ran: list[str] = []
    every = measuring.METRICS
    for metric in every:
        start = type(metric).start

        def noted(self: object, reference: object, start: Callable = start) -> object:
            ran.append(self.specs[0].name)  # type: ignore[attr-defined]
            return start(self, reference)

        monkeypatch.setattr(type(metric), "start", noted)
    outcome = lab.measure(case.folder, executor=threads, quiet=True)
    if case.says.endswith("in the ledger"):
        assert (outcome.measured, len(outcome.problems)) == (0, 1)
        assert case.says in outcome.problems[0]
        assert ran == []
        return
    assert outcome.problems == ()
    assert outcome.measured == (2 if case.whole else 1)
    heads = {metric.specs[0].name for metric in every}
    expected = {name.partition(".")[0] for name in case.lost} if case.whole else heads
    assert set(ran) == expected
    assert lab.load(case.folder).not_fresh == {}
    then = lab.load(original[0]).scores.set_index(["take_id", "metric"])["value"]
    now = lab.load(case.folder).scores.set_index(["take_id", "metric"])["value"]
    for key in then.index:
        if then[key] == then[key]:  # what is stale in the original is NaN there
            assert now[key] == pytest.approx(then[key])
    again = lab.measure(case.folder, executor=threads, quiet=True)
    assert again.measured == 0


def test_run_brings_it_up_to_date(case: Case, threads: Executor) -> None:
    """A run measures them too, and never overwrites a replaced clip."""
    outcome = lab.run(case.sweep, case.folder, executor=threads, quiet=True)
    if case.says.endswith("in the ledger"):
        run_folder = RunFolder(case.folder)
        assert case.says in outcome.problems[0]
        assert (
            run_folder.clip_path(case.victim).read_bytes()
            == run_folder.clip_path(case.other).read_bytes()
        )
        run_folder.clip_path(case.victim).unlink()
        outcome = lab.run(case.sweep, case.folder, executor=threads, quiet=True)
    assert outcome.complete
    assert lab.load(case.folder).not_fresh == {}


def test_a_newer_record_loses_no_note(original: tuple[Path, Path], tmp_path: Path) -> None:
    """A record of the first schema is read and updated number by number."""
    folder = tmp_path / "run"
    shutil.copytree(original[0], folder, copy_function=shutil.copy2)
    run_folder = RunFolder(folder)
    take_id = lab.load(folder).takes["take_id"][0]
    path = run_folder.measures.path(take_id)
    measure = Measure.from_json(json.loads(path.read_text()))
    old = {**measure.record(), "damage": ""}
    path.write_text(json.dumps(old))
    os.utime(path)
    assert lab.load(folder).not_fresh == {}
