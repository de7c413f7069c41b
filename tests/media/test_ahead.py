"""A producer that works while its consumer does."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.media.ahead import ahead


@given(st.lists(st.integers() | st.none(), max_size=20))
def test_the_same_items_come_in_the_same_order(items: list[int | None]) -> None:
    """Nothing is lost, repeated or reordered on the way, None included."""
    assert list(ahead(items)) == items


def test_items_are_made_in_another_thread() -> None:
    """The producer does not run in the consumer's thread."""

    def produce() -> Iterator[int]:
        yield threading.get_ident()

    assert list(ahead(produce())) != [threading.get_ident()]


def test_an_error_comes_in_its_place() -> None:
    """The items before an error arrive, then the error itself."""

    def produce() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("the disk is gone")

    items = ahead(produce())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)


def test_a_consumer_that_stops_stops_the_producer() -> None:
    """After an early stop the producer has been cleaned up and its thread is gone."""
    cleaned = []

    def produce() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            cleaned.append(True)

    before = threading.active_count()
    with closing(ahead(produce())) as items:
        assert next(items) == 0
    assert cleaned == [True]
    assert threading.active_count() == before


def test_the_producer_is_a_few_items_ahead_at_most() -> None:
    """A fast producer waits for a slow consumer, so that few frames are in memory."""
    consumed = 0
    leads = []

    def produce() -> Iterator[int]:
        for index in range(200):
            leads.append(index - consumed)
            yield index

    for _ in ahead(produce()):
        hashlib.sha256(bytes(200_000)).digest()
        consumed += 1
    # Three wait in the queue, one is in each hand.
    assert max(leads) <= 5
    assert len(leads) == 200
