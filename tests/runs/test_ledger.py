"""The ledger stores every event, and its rows follow from them."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.backends import Job
from lab.errors import RunFolderError
from lab.prompts import Prompt
from lab.runs import Ledger, Money, TakeRow, TakeState
from lab.runs.ledger.schema import PAGE_BYTES
from lab.shots import Shot
from lab.stills import Still
from lab.takes import Take

LEDGERS = Path(__file__).resolve().parents[1] / "data" / "ledgers"
_STILL = Still(Path("stills/coffee.jpg"), "0" * 64, 640, 480)


def clock():
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    while True:
        yield moment
        moment += timedelta(seconds=1)


@pytest.fixture
def ledger(tmp_path: Path):
    ticks = clock()
    with Ledger.write(tmp_path / "ledger.sqlite", now=lambda: next(ticks)) as opened:
        yield opened


def planned(count: int) -> list[TakeRow]:
    takes = [
        Take(Shot(_STILL, Prompt.from_text("push in")), "offline", n + 1) for n in range(count)
    ]
    return [TakeRow(t.id, n, 0, n + 1, {"still": "coffee"}, t) for n, t in enumerate(takes)]


def bought(ledger: Ledger, take_id: str) -> None:
    ledger.record(take_id, "submitting")
    ledger.record(take_id, "submitted", job=Job("offline", "j1", take_id, {"a": 1}).to_json())


def test_rows_come_back_as_they_went_in(ledger: Ledger) -> None:
    """A planned take read from the ledger equals the one that was added."""
    rows = planned(3)
    ledger.add(rows)
    assert ledger.takes() == rows


def test_adding_again_changes_nothing(ledger: Ledger) -> None:
    """Adding a take that the ledger has keeps its history."""
    (row,) = planned(1)
    ledger.add([row])
    bought(ledger, row.take_id)
    ledger.add([row])
    assert ledger.take(row.take_id).state is TakeState.WAITING


def test_the_states_of_a_take(ledger: Ledger) -> None:
    """Each event changes the state of the take and adds its data."""
    (row,) = planned(1)
    ledger.add([row])
    bought(ledger, row.take_id)
    ledger.record(row.take_id, "ready", cost_usd=0.25)
    ledger.record(row.take_id, "fetch_failed", message="cut")
    after = ledger.record(row.take_id, "fetched", clip={"sha256": "ff", "bytes": 9})
    assert after.state is TakeState.FETCHED
    assert (after.cost_usd, after.failed_fetches, after.clip["sha256"]) == (0.25, 1, "ff")
    assert after.job == Job("offline", "j1", row.take_id, {"a": 1})
    assert [kind for _, _, kind, _ in ledger.events()] == [
        "submitting",
        "submitted",
        "ready",
        "fetch_failed",
        "fetched",
    ]
    assert ledger.money().spent_usd == 0.25
    ledger.verify()


def test_an_unknown_cost_counts_at_its_highest_price(ledger: Ledger) -> None:
    """A submitted take counts with its highest price, a charged one with its charge."""
    rows = [replace(row, low_usd=1.0, high_usd=1.5) for row in planned(4)]
    ledger.add(rows)
    assert ledger.money() == Money(0.0, (0.0, 0.0), 0.0)
    for row in rows[:3]:
        ledger.record(row.take_id, "submitting", low_usd=1.0, high_usd=1.5)
    assert ledger.money().open_usd == 4.5
    ledger.record(rows[0].take_id, "uncertain")
    bought(ledger, rows[1].take_id)
    ledger.record(rows[1].take_id, "ready", cost_usd=1.25)
    ledger.record(rows[2].take_id, "refused", message="no")
    assert ledger.money() == Money(1.25, (1.0, 1.5), 1.5)
    assert str(ledger.money()) == (
        "spent 1.25 USD (estimated 1.00 to 1.50 USD), up to 1.50 USD more under way"
    )
    ledger.verify()


def test_a_row_that_was_tampered_with_is_named(ledger: Ledger, tmp_path: Path) -> None:
    """A changed row is reported by every method that reads it."""
    (row,) = planned(1)
    ledger.add([row])
    bought(ledger, row.take_id)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as other, other:
        other.execute("UPDATE takes SET state = 'fetched'")
    for read in (ledger.takes, ledger.states, ledger.money, ledger.verify):
        with pytest.raises(RunFolderError, match=f"damaged .the row of {row.take_id} in takes"):
            read()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("DELETE FROM events", "take {} disagrees with its events"),
        ("DELETE FROM takes", "take {} has events and no row"),
    ],
)
def test_verify_finds_rows_that_disagree_with_their_events(
    ledger: Ledger, tmp_path: Path, damage: str, says: str
) -> None:
    """Deleted rows and deleted events are found by replaying all events."""
    (row,) = planned(1)
    ledger.add([row])
    bought(ledger, row.take_id)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as other, other:
        other.execute(damage)
    with pytest.raises(RunFolderError, match=says.format(row.take_id)):
        ledger.verify()


@pytest.mark.parametrize(
    ("table", "damage"),
    [
        ("takes", "take = '{}'"),
        ("takes", "cost_usd = 1e999"),
        ("events", "data = '{}'"),
        ("facts", "value = x'00'"),
    ],
)
def test_unreadable_rows_of_an_old_ledger_are_named(
    tmp_path: Path, table: str, damage: str
) -> None:
    """Unreadable rows without checksums are damage, and nothing is migrated."""
    path = Path(shutil.copy(LEDGERS / "v2.sqlite", tmp_path))
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(f"UPDATE {table} SET {damage}")
    before = path.read_bytes()
    with pytest.raises(RunFolderError, match=r"ledger is damaged \(") as caught:
        Ledger.write(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes()[100:] == before[100:]


def test_a_ledger_cut_inside_its_last_page_is_named(tmp_path: Path) -> None:
    """A file cut inside its last page is damage, although SQLite reads zeros there."""
    path = tmp_path / "ledger.sqlite"
    rows = planned(8)
    index_leaf, last_page = 0x0A, b""
    while not last_page or last_page[0] != index_leaf:
        with Ledger.write(path) as ledger:
            ledger.add(rows)
            for row in rows * 3:
                ledger.record(row.take_id, "not_submitted", message="no slot")
        last_page = path.read_bytes()[-PAGE_BYTES:]
    path.write_bytes(path.read_bytes()[: 100 - PAGE_BYTES])
    for opened in (Ledger.read, Ledger.write):
        with pytest.raises(RunFolderError, match="the ledger is damaged"):
            opened(path)


@pytest.mark.parametrize("version", [1, 2])
def test_an_old_ledger_gets_checksums_when_it_is_opened_for_writing(
    tmp_path: Path, version: int
) -> None:
    """An older ledger opened for writing reads the same, and every row has a checksum."""
    path = Path(shutil.copy(LEDGERS / f"v{version}.sqlite", tmp_path))
    with Ledger.read(path) as old:
        before = old.takes(), list(old.events()), old.fact("sweep")
    with Ledger.write(path) as new:
        assert (new.takes(), list(new.events()), new.fact("sweep")) == before
    with closing(sqlite3.connect(path)) as other:
        for table in ("facts", "takes", "events"):
            seals = [seal for (seal,) in other.execute(f"SELECT seal FROM {table}")]
            assert seals
            assert all(seals)


def test_unknown_events_are_refused_before_they_are_written(ledger: Ledger) -> None:
    """An unknown kind of event is refused and writes nothing."""
    (row,) = planned(1)
    ledger.add([row])
    with pytest.raises(KeyError):
        ledger.record(row.take_id, "vanished")
    assert list(ledger.events()) == []


def test_readers_see_what_a_writer_has_written(ledger: Ledger, tmp_path: Path) -> None:
    """A second connection reads while the first has the file open."""
    ledger.add(planned(2))
    ledger.set_fact("sweep", {"name": "é"})
    with Ledger.read(tmp_path / "ledger.sqlite") as reader:
        assert len(reader.takes()) == 2
        assert reader.fact("sweep") == {"name": "é"}
        assert reader.fact("nothing") is None


def test_events_survive_reopening(ledger: Ledger, tmp_path: Path) -> None:
    """Events are there after closing and opening the ledger again."""
    rows = planned(2)
    ledger.add(rows)
    bought(ledger, rows[1].take_id)
    ledger.close()
    with Ledger.write(tmp_path / "ledger.sqlite") as again:
        assert [row.state for row in again.takes()] == [TakeState.PLANNED, TakeState.WAITING]


@pytest.mark.parametrize("content", [b"not a database, just words " * 100, b""])
def test_a_file_that_is_not_a_ledger(tmp_path: Path, content: bytes) -> None:
    """A file that is not a ledger is refused in one line."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    with pytest.raises(RunFolderError) as caught, Ledger.write(path):
        pass
    assert "\n" not in str(caught.value)


def test_a_ledger_of_the_future_is_refused(tmp_path: Path) -> None:
    """A ledger of a newer schema is refused."""
    path = tmp_path / "ledger.sqlite"
    Ledger.write(path).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(RunFolderError, match="version 99"):
        Ledger.read(path)


@pytest.mark.parametrize("opened", ["read", "write"])
def test_the_first_schema_opens_for_ever(tmp_path: Path, opened: str) -> None:
    """A ledger of the first schema can still be read, verified and continued."""
    path = LEDGERS / "v1.sqlite"
    if opened == "write":
        path = Path(shutil.copy(path, tmp_path))
    with Ledger.write(path) if opened == "write" else Ledger.read(path) as old:
        if opened == "write":
            waiting = old.takes()[2].take_id
            after = old.record(waiting, "submitting", low_usd=0.4, high_usd=0.5)
            assert after.committed_usd == 0.5
            old.verify()
            return
        old.verify()
        states = [row.state.value for row in old.takes()]
        assert states == ["fetched", "refused", "planned"]
        assert old.takes()[0].take.shot.prompt.terms == ("slow", "push_in", "steam_rises")
        assert old.money().spent_usd == 0.5


def test_the_second_schema_opens_for_ever() -> None:
    """A ledger of the second schema, with every field of a shot, can still be read."""
    path = LEDGERS / "v2.sqlite"
    with Ledger.read(path) as old:
        old.verify()
        rows = old.takes()
        assert [row.state.value for row in rows] == ["fetched", "waiting", "uncertain", "planned"]
        assert [row.take.id for row in rows] == [row.take_id for row in rows]
        assert rows[1].take.shot.prompt.multi_shot[1].text == "pan left"
        assert rows[2].take.shot.elements == (("hero", "861500000000000001"),)
        assert old.money() == Money(0.42, (0.42, 0.462), 0.924)


def test_the_third_schema_opens_for_ever() -> None:
    """A ledger of the third schema, after a recovery, passes the full check."""
    with Ledger.read(LEDGERS / "v3.sqlite") as old:
        old.check()
        rows = old.takes()
        states = [row.state.value for row in rows]
        assert states == ["fetched", "uncertain", "waiting", "refused", "planned"]
        assert [row.take.id for row in rows] == [row.take_id for row in rows]
        assert old.submission_accounts(rows[1].take_id) == ["unknown"]
        assert old.submission_accounts(rows[2].take_id) == ["abcdefabcdef"]
        assert old.money() == Money(0.42, (0.42, 0.462), 0.924)
        assert old.fact("lost")["events"] == [[3, 4]]
