"""Run a producer of frames in a background thread, a few items ahead of its consumer."""

import threading
from collections.abc import Generator, Iterable
from queue import Empty, Full, Queue
from typing import TypeVar

Item = TypeVar("Item")
_QUEUE_SIZE = 3  # bounds memory: one 4K frame is 25 MB
# How often a blocked side checks whether the other one has stopped.
_POLL_S = 0.1


def prefetch(items: Iterable[Item]) -> Generator[Item, None, None]:
    """Yield the same items; a background thread produces at most three of them in advance.

    An error in the producer is raised here, after the items that precede it. When the consumer
    closes this generator early, the producer stops, and its clean-up runs before close() returns.
    """
    queue: Queue[tuple[str, Item | BaseException | None]] = Queue(_QUEUE_SIZE)
    stopped = threading.Event()

    def put(kind: str, value: Item | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                queue.put((kind, value), timeout=_POLL_S)
                return True
            except Full:
                continue
        return False

    def produce() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not put("item", item):
                    return
            put("end", None)
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
            put("error", error)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=produce, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            try:
                kind, value = queue.get(timeout=_POLL_S)
            except Empty:
                continue
            if kind == "end":
                return
            if kind == "error":
                assert isinstance(value, BaseException)
                raise value
            yield value  # type: ignore[misc]  # kind "item" carries an Item
    finally:
        stopped.set()
        thread.join()
