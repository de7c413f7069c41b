"""Measure many small clips over an executor, and keep what was measured for the next time."""

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from lab.errors import InputError, Interrupted
from lab.files import write_text
from lab.metrics import SPECS
from lab.runs.executors import failure_text, open_executor, submit_to
from lab.runs.progress import Progress

VERSIONS = {name: spec.version for name, spec in SPECS.items()}
"""Rows measured by other versions are measured again."""


class Wanted(Protocol):
    """One clip to make.

    key: the same for the same clip anywhere. source: what neighbours share. title: what it is
    called when it fails.
    """

    @property
    def key(self) -> str: ...

    @property
    def source(self) -> Hashable: ...

    @property
    def title(self) -> str: ...


Clip = TypeVar("Clip", bound=Wanted)
Row = TypeVar("Row", bound=Mapping[str, object])
Work = Callable[[Sequence[Clip]], list[Row]]


@dataclass(frozen=True)
class Rows(Generic[Clip, Row]):
    """What was measured: clips with their rows, in the order they were wanted.

    failed: one line for each clip that could not be measured, and why.
    """

    pairs: tuple[tuple[Clip, Row], ...]
    failed: tuple[str, ...]


def measured(
    wanted: Sequence[Clip],
    work: Work[Clip, Row],
    kept: Path,
    *,
    executor: Executor | None,
    quiet: bool,
    unit: str,
) -> Rows[Clip, Row]:
    """A row for every clip wanted; made by `work` unless `kept` already holds it.

    work: takes several clips of one source and returns a plain row each, with its key. kept: a file
    of rows, one JSON object a line, added to as they come. Where a call of `work` fails, each of
    its clips is tried in a call of its own. Raises InputError when no clip at all could be measured
    and Interrupted on Ctrl-C.
    """
    rows: dict[str, Row] = _rows(kept)
    missing = [clip for clip in wanted if clip.key not in rows]
    failed: list[str] = []
    try:
        with (
            open_executor(executor, len(missing)) as pool,
            Progress(len(missing), unit, quiet=quiet) as progress,
        ):
            for clip, answer in _answers(pool, work, chunks(missing)):
                if isinstance(answer, BaseException):
                    failed.append(f"{clip.title}: {failure_text(answer)}")
                else:
                    rows[clip.key] = answer
                    with kept.open("a", encoding="utf-8") as file:
                        file.write(json.dumps({**answer, "versions": VERSIONS}) + "\n")
                progress.advance()
    except KeyboardInterrupt:
        here = sum(clip.key in rows for clip in wanted)
        raise Interrupted(
            f"interrupted; {here} of {len(wanted)} clips are measured and kept in "
            f"{kept.parent}; the same command goes on from there"
        ) from None
    pairs = tuple((clip, rows[clip.key]) for clip in wanted if clip.key in rows)
    if wanted and not pairs:
        raise InputError(f"none of {len(wanted)} clips could be measured; the first: {failed[0]}")
    return Rows(pairs, tuple(failed))


def _answers(
    pool: Executor, work: Work[Clip, Row], groups: Iterable[Sequence[Clip]]
) -> Iterator[tuple[Clip, Row | BaseException]]:
    """Each clip with its row, or with the error that it met in a call of its own."""
    jobs = {submit_to(pool, work, group): group for group in groups}
    while jobs:
        done, _ = wait(jobs, return_when=FIRST_COMPLETED)
        for job in done:
            group, error = jobs.pop(job), job.exception()
            if error is None:
                yield from zip(group, job.result(), strict=True)
            elif len(group) == 1:
                yield group[0], error
            else:
                jobs |= {submit_to(pool, work, [clip]): [clip] for clip in group}


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


def _rows(path: Path) -> dict[str, Row]:
    """Rows measured earlier by today's definitions; a line that a crash cut short is left out."""
    rows: dict[str, Row] = {}
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
