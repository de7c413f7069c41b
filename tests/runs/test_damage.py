"""A damaged ledger is reported in one line and rebuilt, and nothing is bought twice."""

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.unscored import Unscored
from lab.backends import Job
from lab.cli import main
from lab.emulator import RunningServer
from lab.errors import BusyError, RunFolderError
from lab.files import sha256_file
from lab.media import write_clip
from lab.report import write_report
from lab.runs import Ledger, RunFolder, TakeRow, TakeState, plan, reconcile, recover, run
from lab.runs.ledger.errors import translate_sqlite_errors
from lab.runs.ledger.schema import PAGE_BYTES, row_checksum
from lab.runs.purchases import PurchaseIndex
from lab.stills import Still
from lab.sweeps import Sweep

KINDS = ("zeros", "noise", "cut", "cut inside")
COMMANDS = ("status", "compare", "suggest", "plan", "verify", "reconcile", "run", "report")
SAFE = (TakeState.FETCHED, TakeState.WAITING, TakeState.READY, TakeState.UNCERTAIN)

SweepOf = Callable[..., Sweep]


def pages_of(content: bytes) -> range:
    return range(len(content) // PAGE_BYTES)


def damaged(content: bytes, kind: str, page: int) -> bytes:
    """A file whose page (counted from 0) is overwritten, or that ends before or within it."""
    rng = random.Random(page)
    start, end = page * PAGE_BYTES, (page + 1) * PAGE_BYTES
    if kind == "cut":
        return content[:start]
    if kind == "cut inside":
        return content[: start + rng.randrange(1, PAGE_BYTES)]
    filling = bytes(PAGE_BYTES) if kind == "zeros" else rng.randbytes(PAGE_BYTES)
    return content[:start] + filling + content[end:]


def damage_ledger(folder: RunFolder, kind: str = "zeros", page: int = 0) -> None:
    folder.ledger.write_bytes(damaged(folder.ledger.read_bytes(), kind, page))


def states(folder: RunFolder) -> dict[str, TakeState]:
    with Ledger.read(folder.ledger) as ledger:
        ledger.check()
        return ledger.states()


# --- commands --------------------------------------------------------------------------------


@dataclass
class Real:
    """A small finished run whose folder a test may damage."""

    sweep: Path
    intact: Path
    folder: RunFolder
    ledger: bytes

    def again(self, ledger: bytes) -> None:
        """Restore the folder, with these bytes as its ledger."""
        shutil.rmtree(self.folder.path, ignore_errors=True)
        shutil.copytree(self.intact, self.folder.path)
        self.folder.ledger.write_bytes(ledger)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, coffee: Still) -> Real:
    """A run of two prompts, rendered and scored. Its ledger has no write-ahead log."""
    base = tmp_path_factory.mktemp("real")
    sweep = base / "tiny.yaml"
    sweep.write_text(
        f"stills: {coffee.path.resolve()}\nprompts: [slow push in, make it move]\n"
        "settings: {duration_s: 0.25, seed: 1}\nbudget_usd: 0\n"
    )
    intact = base / "kept"
    with ThreadPoolExecutor(1) as threads:
        run(sweep, intact, executor=threads, quiet=True)
    for end in ("-wal", "-shm"):
        (intact / f"ledger.sqlite{end}").unlink(missing_ok=True)
    return Real(sweep, intact, RunFolder(base / "run"), (intact / "ledger.sqlite").read_bytes())


Answer = tuple[int, str, str]


@pytest.fixture
def ask(made: Real, capsys: pytest.CaptureFixture[str]) -> Callable[[str], Answer]:
    """Runs a command on the folder; returns its exit code, output and errors."""
    path = made.folder.path
    words: dict[str, tuple[object, ...]] = {
        "plan": ("plan", made.sweep, "--out", path),
        "run": ("run", made.sweep, "--out", path),
        "verify": ("verify", path / "report.html", "--no-scores"),
    }

    def command(name: str) -> Answer:
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words.get(name, (name, path))])
        captured = capsys.readouterr()
        return stopped.value.code, captured.out, captured.err  # type: ignore[return-value]

    return command


def named_or_equal(answer: Answer, right: Answer) -> bool:
    code, out, err = answer
    if code == right[0]:
        return out == right[1]
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    return (
        code == 2
        and len(errors) == 1
        and "ledger.sqlite: the ledger is damaged (" in errors[0]
        and "`lab recover " in errors[0]
    )


def _ask_about_every_page(
    made: Real, ask: Callable[[str], Answer], commands: tuple[str, ...], kinds: tuple[str, ...]
) -> None:
    for command in commands:
        made.again(made.ledger)
        right = ask(command)
        assert right[0] == 0, right
        for page in pages_of(made.ledger):
            for kind in kinds:
                made.again(damaged(made.ledger, kind, page))
                answer = ask(command)
                assert named_or_equal(answer, right), (command, page, kind, answer)


def test_a_damaged_ledger_is_named_or_the_answer_is_right(
    made: Real, ask: Callable[[str], Answer]
) -> None:
    """For any damage of any page: exit 2 and one line, or the same output as before."""
    _ask_about_every_page(made, ask, ("status", "plan", "reconcile"), KINDS)
    _ask_about_every_page(made, ask, ("compare", "suggest"), ("noise", "cut inside"))


@pytest.mark.slow
def test_every_command_names_a_damaged_ledger(made: Real, ask: Callable[[str], Answer]) -> None:
    """As above, for every command, page and kind of damage."""
    write_report(made.intact, made.intact / "report.html")
    _ask_about_every_page(made, ask, COMMANDS, KINDS)


def test_an_empty_ledger_is_damaged(made: Real, ask: Callable[[str], Answer]) -> None:
    """An empty file is a damaged ledger, and opening it for writing leaves it empty."""
    for command in ("status", "run"):
        made.again(b"")
        _, _, err = ask(command)
        assert "ledger.sqlite: the ledger is damaged (it is empty); `lab recover " in err
        assert made.folder.ledger.read_bytes() == b""


def test_recover_says_what_it_did(made: Real, ask: Callable[[str], Answer]) -> None:
    """Exit 0 for a sound ledger, which stays as it is, and for a full recovery; 1 for losses."""
    made.again(made.ledger)
    assert ask("recover") == (
        0,
        f"{made.folder.path}: the ledger passes the full check; nothing was changed\n",
        "",
    )
    assert made.folder.ledger.read_bytes() == made.ledger
    made.again(damaged(made.ledger, "zeros", 0))
    code, out, err = ask("recover")
    assert (code, err) == (0, "")
    assert "file is not a database" in out
    assert "rebuilt with 2 takes and 8 events; the damaged ledger is kept as " in out
    assert (made.folder.path / "ledger.damaged-1.sqlite").read_bytes() == damaged(
        made.ledger, "zeros", 0
    )
    made.again(damaged(made.ledger, "cut", 4))
    code, out, err = ask("recover")
    assert (code, err) == (1, "")
    assert "lost: events " in out
    assert ask("run")[0] == 0
    assert ask("compare")[0] == 0
    assert ask("recover")[0] == 0


# --- the ledger of a paid run ------------------------------------------------------------------


@pytest.fixture
def paid(remote: object, sweep_of: SweepOf, tmp_path: Path) -> tuple[RunFolder, Sweep, set[str]]:
    """A ledger of 48 takes in every state, written as a runner writes it.

    Returns the folder, the sweep, and the ids that were or may have been bought.
    """
    sweep = sweep_of(
        ["push in " + f"towards the {word} cup " * 60 for word in ("red", "blue", "old", "new")],
        backend="scripted",
        repeats=12,
    )
    folder = RunFolder(tmp_path / "run")
    folder.make()
    still = folder.copy_still(next(s for s in sweep.levels["still"] if isinstance(s, Still)))
    rows = [
        TakeRow(t.id, n, trial.index, t.repeat, trial.factors, t.relocated(lambda _: still))
        for n, (trial, t) in enumerate(sweep.takes())
    ]
    clip = folder.path / "any.mp4"
    write_clip(clip, (Still.open(folder.locate(still).path).rgb() for _ in range(3)), fps=24)
    sent: set[str] = set()
    with Ledger.write(folder.ledger) as ledger:
        ledger.add(rows)
        ledger.set_fact("sweep", sweep.to_json())
        ledger.set_fact("provenance", {"origin": "scripted"})
        ledger.set_fact("origin", "scripted")
        ledger.set_fact("run_id", "0123456789ab")
        for row in rows:
            if _live(ledger, row, row.position % 12, folder, clip):
                sent.add(row.take_id)
    clip.unlink()
    return folder, sweep, sent


def _live(ledger: Ledger, row: TakeRow, fate: int, folder: RunFolder, clip: Path) -> bool:
    """Record the events of a take; True when it was or may have been bought."""
    take_id = row.take_id
    if fate == 0:
        return False
    key = f"i2v-0123456789ab-{take_id}"
    ledger.record(
        take_id, "submitting", low_usd=0.5, high_usd=0.5, account="", origin="scripted", key=key
    )
    if fate == 1:
        ledger.record(take_id, "not_submitted", message="no slot")
        return False
    if fate == 2:
        return True
    if fate in (3, 4):
        ledger.record(take_id, "refused" if fate == 3 else "uncertain", message="as scripted")
        return fate == 4
    job = Job("scripted", f"job-{take_id}", take_id, {"prompt": row.take.shot.prompt.text})
    ledger.record(take_id, "submitted", job=job.to_json())
    if fate == 5:
        return True
    ledger.record(take_id, "ready", cost_usd=0.5)
    if fate == 6:
        return True
    shutil.copyfile(clip, folder.clip_path(take_id))
    facts = {"sha256": sha256_file(clip), "bytes": clip.stat().st_size, "notes": []}
    ledger.record(take_id, "fetched", clip={**facts, "honoured": [], "not_honoured": []})
    if fate == 7:
        folder.clip_path(take_id).unlink()
    return True


def _recover_every(
    folder: RunFolder, sent: set[str], cases: list[tuple[str, int]], sweep: Sweep
) -> None:
    content = folder.ledger.read_bytes()
    before = states(folder)
    for kind, page in cases:
        for old in folder.path.glob("ledger*"):
            old.unlink()
        folder.ledger.write_bytes(damaged(content, kind, page))
        outcome = recover(folder.path)
        after = states(folder)
        where = (kind, page)
        for take_id in sent:
            lost = take_id not in after
            assert lost or after[take_id] in (*SAFE, TakeState.SUBMITTING), where
        if outcome.complete:
            assert after == before, where
        uncertain = {i for i, state in after.items() if state is TakeState.UNCERTAIN}
        new = {i for i in uncertain if before[i] is not TakeState.UNCERTAIN}
        assert new <= set(outcome.uncertain), where
        if kind in ("zeros", "noise"):
            assert after == before, where  # one page costs no take its state
        assert recover(folder.path).backup is None


def test_no_damage_makes_a_bought_take_planned(
    paid: tuple[RunFolder, Sweep, set[str]],
) -> None:
    """After a recovery, a bought take is fetched, waiting, ready or uncertain; for some pages."""
    folder, sweep, sent = paid
    pages = list(pages_of(folder.ledger.read_bytes()))
    assert len(pages) > 60
    rng = random.Random(0)
    picked = [*pages[:8], *rng.sample(pages[8:], 4)]
    _recover_every(folder, sent, [(kind, page) for page in picked for kind in KINDS], sweep)


@pytest.mark.slow
def test_no_damage_of_any_page_makes_a_bought_take_planned(
    paid: tuple[RunFolder, Sweep, set[str]],
) -> None:
    """As above, for every page and kind of damage."""
    folder, sweep, sent = paid
    pages = pages_of(folder.ledger.read_bytes())
    _recover_every(folder, sent, [(kind, page) for page in pages for kind in KINDS], sweep)


def test_the_next_run_sends_only_what_was_never_sent(
    paid: tuple[RunFolder, Sweep, set[str]], remote: Any, impatient: Callable[..., None]
) -> None:
    """After any damage, the next run submits only takes that were certainly never bought."""
    impatient(unlisted_s=0.0)
    folder, sweep, sent = paid
    intact = folder.path.with_name("kept")
    shutil.copytree(folder.path, intact)
    remote.lookup = lambda take_id: "absent"  # the worst that a service could say
    last = len(pages_of(folder.ledger.read_bytes())) - 1
    for kind, page in [("cut", 1), ("cut", 3), ("cut", last // 2), ("zeros", 1), ("noise", last)]:
        shutil.rmtree(folder.path)
        shutil.copytree(intact, folder.path)
        damage_ledger(folder, kind, page)
        recover(folder.path)
        remote.bought.clear()
        run(sweep, folder.path, executor=Unscored(), quiet=True, reuse=False)
        # One was surely never sent again: it was sent with this very key, and never arrived.
        never_arrived = {i for i in remote.bought if i in sent}
        with Ledger.read(intact / "ledger.sqlite") as ledger:
            doubtful = {
                row.take_id
                for row in ledger.takes()
                if row.state in (TakeState.SUBMITTING, TakeState.UNCERTAIN)
            }
        assert never_arrived <= doubtful, (kind, page)
        if kind == "cut":
            assert not never_arrived, page
        assert len(set(remote.bought)) == len(remote.bought)


def test_lost_takes_come_back_in_their_state(
    paid: tuple[RunFolder, Sweep, set[str]], remote: Any
) -> None:
    """When no row can be read, takes count as submitted, unless their clip is in the folder."""
    folder, sweep, _ = paid
    here = {path.stem for path in folder.clips.iterdir()}
    damage_ledger(folder, "cut", 0)
    outcome = recover(folder.path)
    assert (outcome.takes, outcome.events) == (0, 0)
    remote.lookup = lambda take_id: "absent"
    outcome = run(sweep, folder.path, executor=Unscored(), quiet=True, reuse=False)
    assert remote.bought == []
    assert not outcome.complete
    after = states(folder)
    assert {i for i, state in after.items() if state is TakeState.FETCHED} == here
    assert {after[i] for i in after if i not in here} == {TakeState.UNCERTAIN}
    settled = reconcile(folder.path)
    assert {each.state for each in settled} == {TakeState.UNCERTAIN}
    assert {each.key for each in settled} == {""}
    deleted = sorted(here)[0]
    folder.clip_path(deleted).unlink()  # nobody knows its job, so it may not be bought instead
    run(sweep, folder.path, executor=Unscored(), quiet=True, reuse=False)
    assert remote.bought == []
    assert states(folder)[deleted] is TakeState.UNCERTAIN
    one = settled[0].take_id
    reconcile(folder.path, not_bought=[one])
    run(sweep, folder.path, executor=Unscored(), quiet=True, reuse=False)
    assert remote.bought == [one]


def test_a_take_whose_design_is_lost_waits_for_its_sweep(
    paid: tuple[RunFolder, Sweep, set[str]], remote: Any
) -> None:
    """Events of a take without row and design are kept until a run adds the take."""
    folder, sweep, sent = paid
    before = states(folder)
    with closing(sqlite3.connect(folder.ledger)) as other, other:
        other.execute("DELETE FROM facts WHERE name = 'sweep'")
        other.execute("DELETE FROM takes WHERE position < 12")
    outcome = recover(folder.path)
    assert outcome.takes == 36
    assert sum("the design of take" in line for line in outcome.lost) == 11
    with Ledger.read(folder.ledger) as ledger:
        lost = set(before) - set(ledger.states())
        assert len(lost) == 12
    damage_ledger(folder)  # and once more, before anybody ran it
    assert recover(folder.path).takes == 36
    with pytest.raises(BusyError), folder.lock():
        run(sweep, folder.path, quiet=True)
    run(sweep, folder.path, executor=Unscored(), quiet=True, reuse=False)
    assert set(states(folder)) == set(before)
    assert not set(remote.bought) & sent
    assert remote.bought


def test_an_uncertain_take_without_a_row_survives_a_second_recovery(
    paid: tuple[RunFolder, Sweep, set[str]], remote: Any
) -> None:
    """A second recovery keeps a take uncertain, though its remaining events say "not sent"."""
    folder, sweep, _ = paid
    with Ledger.write(folder.ledger) as ledger:
        take_id = next(row.take_id for row in ledger.takes() if row.message == "no slot")
        job = Job("scripted", f"job-{take_id}", take_id)
        ledger.record(take_id, "submitting", account="", low_usd=0.5, high_usd=0.5)
        ledger.record(take_id, "submitted", job=job.to_json())
    with closing(sqlite3.connect(folder.ledger)) as other, other:
        other.execute("DELETE FROM facts WHERE name = 'sweep'")
        other.execute("DELETE FROM takes WHERE take_id = ?", (take_id,))
        other.execute("DELETE FROM events WHERE seq > (SELECT max(seq) - 2 FROM events)")
    assert take_id in recover(folder.path).uncertain
    damage_ledger(folder)
    recover(folder.path)
    remote.lookup = lambda take_id: "absent"
    run(sweep, folder.path, executor=Unscored(), quiet=True, reuse=False)
    assert take_id not in remote.bought
    assert states(folder)[take_id] is TakeState.UNCERTAIN


def _forget_keys(ledger: sqlite3.Connection) -> None:
    """Leave the keys of jobs out of the events, as ledgers of the second schema did."""
    events = ledger.execute("SELECT seq, at, take_id, kind, data FROM events").fetchall()
    for seq, *columns in events:
        data = json.loads(columns[-1])
        data.pop("key", None)
        columns[-1] = json.dumps(data)
        seal = row_checksum("events", (seq, *columns))
        ledger.execute(
            "UPDATE events SET data = ?, seal = ? WHERE seq = ?", (columns[-1], seal, seq)
        )


def test_with_the_run_id_lost_submitted_takes_are_uncertain(
    paid: tuple[RunFolder, Sweep, set[str]], remote: Any
) -> None:
    """With the run id lost, an unsuccessful look-up leaves submitted takes uncertain."""
    folder, sweep, sent = paid
    with Ledger.write(folder.ledger) as ledger:
        rows = ledger.takes()
        fresh = {row.take_id for row in rows if row.state is TakeState.SUBMITTING}
    with closing(sqlite3.connect(folder.ledger)) as other, other:
        other.execute("DROP TABLE facts")
        _forget_keys(other)
    outcome = recover(folder.path)
    assert fresh <= set(outcome.uncertain)
    assert not any("events" in line for line in outcome.lost)
    remote.lookup = lambda take_id: "absent"
    run(sweep, folder.path, executor=Unscored(), quiet=True, reuse=False)
    assert not set(remote.bought) & sent
    assert {states(folder)[take_id] for take_id in fresh} == {TakeState.UNCERTAIN}


def test_run_id_and_origin_are_recovered_from_submissions(
    paid: tuple[RunFolder, Sweep, set[str]],
) -> None:
    """The run id and the origin are recovered from the submissions."""
    folder, _, _ = paid
    with closing(sqlite3.connect(folder.ledger)) as other, other:
        other.execute("DROP TABLE facts")
    outcome = recover(folder.path)
    assert [line.split()[1] for line in outcome.lost] == ["design", "software"]
    assert outcome.uncertain == ()
    with Ledger.read(folder.ledger) as ledger:
        assert (ledger.fact("run_id"), ledger.fact("origin")) == ("0123456789ab", "scripted")


def test_what_was_lost_once_is_not_lost_again(
    paid: tuple[RunFolder, Sweep, set[str]],
) -> None:
    """A second recovery uses the snapshots of the first one and all later events."""
    folder, _, _ = paid
    damage_ledger(folder, "cut", len(pages_of(folder.ledger.read_bytes())) // 2)
    assert not recover(folder.path).complete
    with Ledger.write(folder.ledger) as ledger:
        row = next(row for row in ledger.takes() if row.state is TakeState.UNCERTAIN)
        ledger.record(row.take_id, "submitted", job=Job("scripted", "j", row.take_id).to_json())
    before = states(folder)
    damage_ledger(folder)
    assert recover(folder.path).complete
    assert states(folder) == before
    assert (folder.path / "ledger.damaged-2.sqlite").is_file()


@pytest.mark.parametrize("log_at", [8, 60, 20_000])
def test_a_damaged_log_makes_takes_uncertain(
    paid: tuple[RunFolder, Sweep, set[str]], tmp_path: Path, log_at: int
) -> None:
    """With a damaged write-ahead log, older pages of the file count as out of date."""
    folder, _, sent = paid
    with Ledger.write(folder.ledger) as ledger:
        fresh = [row for row in ledger.takes() if row.state is TakeState.PLANNED]
        for row in fresh[3:]:
            ledger.record(row.take_id, "submitting", account="", low_usd=0.5, high_usd=0.5)
        copy = RunFolder(tmp_path / "copy")
        shutil.copytree(folder.path, copy.path)
    log = copy.path / "ledger.sqlite-wal"
    content = bytearray(log.read_bytes())
    content[log_at] ^= 0xFF
    log.write_bytes(content)
    damage_ledger(copy, "zeros", 2)
    recover(copy.path)
    after = states(copy)
    for take_id in {*sent, *(row.take_id for row in fresh[3:])}:
        assert after[take_id] in (*SAFE, TakeState.SUBMITTING)


def test_a_recovery_that_is_killed_leaves_one_ledger_or_the_other(
    paid: tuple[RunFolder, Sweep, set[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before any step, it leaves either the damaged or the new ledger, complete."""
    folder, _, _ = paid
    writer = Ledger.write(folder.ledger)
    writer.record(next(iter(writer.states())), "submitting", account="", high_usd=1, low_usd=1)
    intact = tmp_path / "kept"
    shutil.copytree(folder.path, intact)  # with the log of a writer that never closed
    writer.close()
    assert (intact / "ledger.sqlite-wal").stat().st_size
    want = states(folder)
    moved, removed = Path.replace, Path.unlink
    for last in range(100):
        shutil.rmtree(folder.path)
        shutil.copytree(intact, folder.path)
        damage_ledger(folder, "zeros", 3)
        steps = iter(range(last))

        def step(original: Callable[..., Any], *given: Any, left: Any = steps, **how: Any) -> Any:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return original(*given, **how)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", lambda *a, **k: step(moved, *a, **k))
            patch.setattr(Path, "unlink", lambda *a, **k: step(removed, *a, **k))
            try:
                recover(folder.path)
                done = True
            except KeyboardInterrupt:
                done = False
        recover(folder.path)
        assert states(folder) == want, last
        if done:
            break
    assert done
    assert last > 4


# --- when the ledger is looked at as a whole ---------------------------------------------------


def test_after_a_killed_runner_the_whole_ledger_is_checked(
    sweep_of: SweepOf, remote: Any, tmp_path: Path
) -> None:
    """A row that disagrees with its events is found before anything is sent, on every start."""
    sweep = sweep_of(["push in", "pan left"], backend="scripted")
    folder = RunFolder(tmp_path / "run")
    run(sweep, folder.path, executor=Unscored(), quiet=True)
    owner = folder.path / "run.owner.json"
    owner.write_text("{}")
    run(sweep, folder.path, executor=Unscored(), quiet=True)  # nothing is wrong
    assert not owner.exists()
    with Ledger.write(folder.ledger) as ledger:
        row = ledger.takes()[0]
    with closing(sqlite3.connect(folder.ledger)) as other, other:
        other.execute("DELETE FROM events WHERE take_id = ?", (row.take_id,))
    wider = sweep_of(["push in", "pan left", "lock off"], backend="scripted")
    remote.bought.clear()
    owner.write_text("{}")
    for _ in range(2):
        with pytest.raises(RunFolderError, match=r"disagrees with its events\); `lab recover"):
            run(wider, folder.path, executor=Unscored(), quiet=True)
        assert owner.exists()
    assert remote.bought == []
    assert recover(folder.path).backup is not None
    run(wider, folder.path, executor=Unscored(), quiet=True)
    assert len(remote.bought) == 1


def test_the_purchase_index_reports_only_its_own_errors(
    sweep_of: SweepOf, remote: Any, tmp_path: Path
) -> None:
    """Errors of other databases pass through the index; a damaged index is named."""
    with pytest.raises(sqlite3.DatabaseError, match="of somebody else"), PurchaseIndex.open():
        raise sqlite3.DatabaseError("of somebody else")
    folder = RunFolder(tmp_path / "run")
    sweep = sweep_of(["push in"], backend="scripted")
    run(sweep, folder.path, executor=Unscored(), quiet=True)
    damage_ledger(folder, "zeros", 3)
    with pytest.raises(RunFolderError, match=r"ledger\.sqlite: the ledger is damaged"):
        run(sweep, folder.path, executor=Unscored(), quiet=True)
    with PurchaseIndex.open() as index:
        (_, _, path) = index._connection.execute("PRAGMA database_list").fetchone()
    Path(path).write_bytes(b"noise" * 1000)
    with pytest.raises(RunFolderError, match=r"bought\.sqlite: not a usable purchase index"):
        plan(sweep, tmp_path / "other")


def _full(path: Path) -> None:
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("PRAGMA max_page_count = 2")
        opened.execute("CREATE TABLE t AS SELECT randomblob(90000)")


def _busy(path: Path) -> None:
    with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(path, timeout=0)) as two:
        one.execute("BEGIN EXCLUSIVE")
        two.execute("BEGIN EXCLUSIVE")


def _read_only(path: Path) -> None:
    sqlite3.connect(path).close()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as opened:
        opened.execute("CREATE TABLE t (x)")


def _no_file(path: Path) -> None:
    with closing(sqlite3.connect(path / "below" / "nothing")) as opened:
        opened.execute("PRAGMA user_version")


def _no_text(path: Path) -> None:
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("SELECT CAST(x'ff0a' AS TEXT)").fetchone()


@pytest.mark.parametrize(
    ("trouble", "error", "says"),
    [
        (_full, RunFolderError, "the disk is full; free space"),
        (_busy, BusyError, "keeps the ledger locked; wait"),
        (_read_only, RunFolderError, "need write permission"),
        (_no_file, RunFolderError, "cannot be opened"),
        (_no_text, RunFolderError, r"damaged \(text that is not UTF-8\); `lab recover"),
    ],
)
def test_damage_is_distinguished_from_other_errors(
    tmp_path: Path, trouble: Callable[[Path], None], error: type[Exception], says: str
) -> None:
    """A full disk, a lock or a missing permission is not damage; each says what to change."""
    path = tmp_path / "ledger.sqlite"
    with pytest.raises(error, match=says) as caught, translate_sqlite_errors(path):
        trouble(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


# --- against a service ---------------------------------------------------------------------------


def test_a_recovered_run_is_not_bought_again(
    service: RunningServer, sweep_of: SweepOf, tmp_path: Path
) -> None:
    """At a service, four takes are charged once, whichever page of the ledger is damaged."""
    sweep = sweep_of(
        ["push in", "pan left"], backend="kling", repeats=2, settings={"duration_s": 3}
    )
    folder, intact = RunFolder(tmp_path / "run"), tmp_path / "kept"
    outcome = run(sweep, intact, executor=Unscored(), quiet=True, confirmed=True)
    assert (outcome.complete, service.emulator.charged_jobs) == (True, 4)
    last = len(pages_of((intact / "ledger.sqlite").read_bytes()))
    for page in range(last):
        for kind in ("zeros", "cut") if page % 4 == 1 else ("zeros",):
            shutil.rmtree(folder.path, ignore_errors=True)
            shutil.copytree(intact, folder.path)
            for clip in sorted(folder.clips.iterdir())[::2]:
                clip.unlink()
            damage_ledger(folder, kind, page)
            recover(folder.path)
            again = run(
                sweep, folder.path, executor=Unscored(), quiet=True, confirmed=True, reuse=False
            )
            assert service.emulator.charged_jobs == 4, (kind, page)
            if kind == "zeros" or page > 1:
                assert again.complete, (kind, page, str(again))
