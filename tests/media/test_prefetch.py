"""Prefetching: a producer of frames runs in a background thread."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.media.prefetch import prefetch


@given(st.lists(st.integers() | st.none(), max_size=20))
def test_items_and_order_are_unchanged(items: list[int | None]) -> None:
    """No item is lost, repeated or reordered, None included."""
    assert list(prefetch(items)) == items


def test_items_are_made_in_another_thread() -> None:
    """The producer does not run in the consumer's thread."""

    def produce() -> Iterator[int]:
        yield threading.get_ident()

    assert list(prefetch(produce())) != [threading.get_ident()]


def test_an_error_is_raised_after_the_items_before_it() -> None:
    """The items before an error arrive, then the error itself."""

    def produce() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("the disk failed")

    items = prefetch(produce())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(OSError, match="the disk failed"):
        next(items)


def test_a_consumer_that_stops_stops_the_producer() -> None:
    """After an early stop the producer has run its clean-up and its thread has ended."""
    cleaned = []

    def produce() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            cleaned.append(True)

    before = threading.active_count()
    with closing(prefetch(produce())) as items:
        assert next(items) == 0
    assert cleaned == [True]
    assert threading.active_count() == before


def test_the_producer_is_at_most_a_few_items_ahead() -> None:
    """A fast producer waits for a slow consumer, so only a few frames are in memory."""
    consumed = 0
    leads = []

    def produce() -> Iterator[int]:
        for index in range(200):
            leads.append(index - consumed)
            yield index

    for _ in prefetch(produce()):
        hashlib.sha256(bytes(200_000)).digest()
        consumed += 1
    # Three items wait in the queue; producer and consumer hold one each.
    assert max(leads) <= 5
    assert len(leads) == 200
