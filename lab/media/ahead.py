"""Let a producer of frames work while its consumer does."""

import threading
from collections.abc import Generator, Iterable
from queue import Empty, Full, Queue
from typing import TypeVar

Item = TypeVar("Item")
_DEPTH = 3
_TICK_S = 0.1


def ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """Yield the same items, produced at most three ahead in a thread of their own.

    An error in the producer is raised here, in its place. When the consumer stops early, so does
    the producer, and its own clean-up has run before this generator is closed.
    """
    queue: Queue[tuple[str, Item | BaseException | None]] = Queue(_DEPTH)
    stopped = threading.Event()

    def put(kind: str, value: Item | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                queue.put((kind, value), timeout=_TICK_S)
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

    thread = threading.Thread(target=produce, name="frames-ahead", daemon=True)
    thread.start()
    try:
        while True:
            try:
                kind, value = queue.get(timeout=_TICK_S)
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
