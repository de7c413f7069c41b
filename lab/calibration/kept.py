"""Measure many small clips over an executor, and keep what was measured for the next time."""

import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lab.errors import Interrupted
from lab.files import write_text
from lab.runs.executors import WorkerPool
from lab.runs.progress import Progress
from lab.runs.scoring import VERSIONS, worker_died


class Wanted(Protocol):
    """One clip to make. key: the same for the same clip anywhere. source: what neighbours share."""

    @property
    def key(self) -> str: ...

    @property
    def source(self) -> Hashable: ...


Clip = TypeVar("Clip", bound=Wanted)


def measured(
    wanted: Sequence[Clip],
    work: Callable[[Sequence[Clip]], list[dict[str, Any]]],
    kept: Path,
    *,
    executor: Executor | None,
    quiet: bool,
    unit: str,
) -> list[dict[str, Any]]:
    """A row for every clip wanted, in their order; made by `work` unless `kept` already holds it.

    work: takes several clips of one source and returns a plain row each, with its key. kept: a file
    of rows, one JSON object a line, added to as they come. Raises Interrupted on Ctrl-C.
    """
    rows = _rows(kept)
    missing = [clip for clip in wanted if clip.key not in rows]
    pool = executor or WorkerPool()
    done = False
    try:
        jobs = [pool.submit(work, chunk) for chunk in chunks(missing)]
        with Progress(len(missing), unit, quiet=quiet) as progress:
            for job in as_completed(jobs):
                fresh = job.result()
                with kept.open("a", encoding="utf-8") as file:
                    for row in fresh:
                        file.write(json.dumps({**row, "versions": VERSIONS}) + "\n")
                for row in fresh:
                    rows[row["key"]] = row
                    progress.advance()
        done = True
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; {len(rows)} of {len(wanted)} clips are measured and kept in "
            f"{kept.parent}; the same command goes on from there"
        ) from None
    except BrokenProcessPool:
        raise worker_died() from None
    finally:
        if executor is None:
            assert isinstance(pool, WorkerPool)
            pool.shutdown() if done else pool.stop()
    return [rows[clip.key] for clip in wanted]


def chunks(wanted: Sequence[Clip], size: int = 8) -> Iterator[list[Clip]]:
    """Clips of one source together, so that a worker draws it once."""
    chunk: list[Clip] = []
    for clip in wanted:
        if chunk and (chunk[-1].source != clip.source or len(chunk) >= size):
            yield chunk
            chunk = []
        chunk.append(clip)
    if chunk:
        yield chunk


def _rows(path: Path) -> dict[str, dict[str, Any]]:
    """Rows measured earlier by today's definitions; a line that a crash cut short is left out."""
    rows: dict[str, dict[str, Any]] = {}
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        if text and not text.endswith("\n"):
            write_text(path, text + "\n")  # so that the next row has a line of its own
        for line in text.splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if row.pop("versions") == VERSIONS:
                rows[row["key"]] = row
    return rows
