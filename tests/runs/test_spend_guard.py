"""What a cap allows."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.prompts import Prompt
from lab.runs.ledger import TakeRow, TakeState
from lab.runs.runner.spend_guard import SpendGuard
from lab.shots import Shot
from lab.stills import Still
from lab.sweeps import block_of
from lab.takes import Take

_STILLS = [Still(f"{n}.png", str(n) * 64, 640, 480) for n in range(3)]  # type: ignore[arg-type]


def rows(prices: list[list[float]]) -> list[TakeRow]:
    """One block a still, one take a price."""
    takes = [
        (Take(Shot(still, Prompt.from_text(f"push in {n} times")), "paid"), price)
        for still, block in zip(_STILLS, prices, strict=False)
        for n, price in enumerate(block)
    ]
    return [
        TakeRow(take.id, place, place, 1, {}, take, low_usd=price, high_usd=price)
        for place, (take, price) in enumerate(takes)
    ]


def bought(row: TakeRow, cost_usd: float | None = None) -> TakeRow:
    state = TakeState.WAITING if cost_usd is None else TakeState.FETCHED
    return replace(row, state=state, cost_usd=cost_usd)


def spend(cap: float, takes: list[TakeRow], share: float) -> list[TakeRow]:
    """Buy in order until the guard says no; each take costs a share of its estimate."""
    guard, done = SpendGuard.from_rows(cap, takes), []
    for row in takes:
        admitted = guard.admit(row)
        if admitted is None:
            break
        after = bought(row, share * (row.high_usd or 0))
        guard = admitted.updated(row, bought(row)).updated(bought(row), after)
        done.append(after)
    return done


PRICES = st.lists(st.lists(st.floats(0.01, 5.0), min_size=1, max_size=4), min_size=1, max_size=3)


@given(PRICES, st.floats(0.0, 40.0), st.floats(0.0, 1.0))
def test_whole_blocks_within_the_cap(prices: list[list[float]], cap: float, share: float) -> None:
    """As long as nothing costs more than estimated, only whole blocks are made, under the cap."""
    takes = rows(prices)
    done = spend(cap, takes, share)
    assert sum(row.cost_usd or 0 for row in done) <= cap + 1e-5
    begun = {block_of(row.take) for row in done}
    assert len(done) == sum(block_of(row.take) in begun for row in takes)


@given(PRICES, st.floats(0.0, 40.0))
def test_the_cap_wins_over_the_block(prices: list[list[float]], cap: float) -> None:
    """When takes cost twice their estimate, spending passes the cap by one take at most."""
    done = spend(cap, rows(prices), 2.0)
    before_last = sum(row.cost_usd or 0 for row in done[:-1])
    assert before_last <= cap + 1e-5


def test_what_is_in_flight_counts_at_its_worst() -> None:
    """A second block waits until the first turns out cheaper, and starts then."""
    first, second = rows([[4.0], [4.0]])
    guard = SpendGuard.from_rows(6.0, [first, second]).admit(first)
    assert guard is not None
    guard = guard.updated(first, bought(first))
    assert guard.admit(second) is None
    guard = guard.updated(bought(first), bought(first, 1.0))
    assert guard.admit(second) is not None


def test_a_refused_take_gives_its_money_back() -> None:
    """What the backend will not make leaves room for the next block."""
    first, second = rows([[4.0], [4.0]])
    guard = SpendGuard.from_rows(6.0, [first, second]).admit(first)
    assert guard is not None
    assert guard.updated(first, replace(first, state=TakeState.REFUSED)).admit(second) is not None


def test_what_a_folder_cost_before_counts() -> None:
    """Money spent on other takes of the folder, and on earlier ones of these, counts."""
    first, second = rows([[4.0], [4.0]])
    assert SpendGuard.from_rows(6.0, [first], other_takes_usd=3.0).admit(first) is None
    assert SpendGuard.from_rows(6.0, [bought(first, 3.0), second]).admit(second) is None


@pytest.mark.parametrize("state", [TakeState.UNCERTAIN, TakeState.SUBMITTING])
def test_an_unknown_fate_counts_as_bought(state: TakeState) -> None:
    """A take that may have been bought is reserved for."""
    first, second = rows([[4.0], [4.0]])
    assert SpendGuard.from_rows(6.0, [replace(first, state=state), second]).admit(second) is None


def test_no_cap_no_limit() -> None:
    """Without a cap everything may be bought."""
    takes = rows([[4.0, 5.0], [1e9]])
    guard = SpendGuard.from_rows(None, takes)
    assert all(guard.admit(row) for row in takes)
