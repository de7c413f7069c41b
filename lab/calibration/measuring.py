"""Measures many small clips in parallel and caches the rows in a file."""

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
"""Metric versions; cached rows of other versions are measured again."""


class CalibrationClip(Protocol):
    """A clip to make and measure.

    key: a hash of the content. source: what the clip is made from. title: the clip's name in error
    messages.
    """

    @property
    def key(self) -> str: ...

    @property
    def source(self) -> Hashable: ...

    @property
    def title(self) -> str: ...


Clip = TypeVar("Clip", bound=CalibrationClip)
Row = TypeVar("Row", bound=Mapping[str, object])
Work = Callable[[Sequence[Clip]], list[Row]]


@dataclass(frozen=True)
class MeasuredClips(Generic[Clip, Row]):
    """pairs: each measured clip and its row, in the order of the request.

    failed: one line with the reason for each clip that could not be measured.
    """

    pairs: tuple[tuple[Clip, Row], ...]
    failed: tuple[str, ...]


def measure_clips(
    clips: Sequence[Clip],
    work: Work[Clip, Row],
    cache: Path,
    *,
    executor: Executor | None,
    quiet: bool,
    unit: str,
) -> MeasuredClips[Clip, Row]:
    """Measure the clips that the cache does not hold.

    work: measures several clips of one source and returns a row with the key of each. cache: a file
    with one JSON row a line; each new row is appended at once. If a call of `work` fails, each of
    its clips is tried again alone. unit: the word for the clips in the progress line. Raises
    InputError if no clip could be measured, Interrupted on Ctrl-C.
    """
    rows: dict[str, Row] = _cached_rows(cache)
    missing = [clip for clip in clips if clip.key not in rows]
    failed: list[str] = []
    try:
        with (
            open_executor(executor, len(missing)) as pool,
            Progress(len(missing), unit, quiet=quiet) as progress,
        ):
            for clip, outcome in _completed(pool, work, chunks(missing)):
                if isinstance(outcome, BaseException):
                    failed.append(f"{clip.title}: {failure_text(outcome)}")
                else:
                    rows[clip.key] = outcome
                    with cache.open("a", encoding="utf-8") as file:
                        file.write(json.dumps({**outcome, "versions": VERSIONS}) + "\n")
                progress.advance()
    except KeyboardInterrupt:
        count = sum(clip.key in rows for clip in clips)
        raise Interrupted(
            f"interrupted; {count} of {len(clips)} clips are measured and stored in "
            f"{cache.parent}; run the same command again to continue"
        ) from None
    pairs = tuple((clip, rows[clip.key]) for clip in clips if clip.key in rows)
    if clips and not pairs:
        raise InputError(f"none of {len(clips)} clips could be measured; the first: {failed[0]}")
    return MeasuredClips(pairs, tuple(failed))


def _completed(
    pool: Executor, work: Work[Clip, Row], groups: Iterable[Sequence[Clip]]
) -> Iterator[tuple[Clip, Row | BaseException]]:
    """Each clip with its row, as calls complete; or with the error of a call for it alone."""
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


def chunks(clips: Sequence[Clip], size: int = 8) -> Iterator[list[Clip]]:
    """Consecutive clips of the same source, at most `size`, so that a worker makes it once."""
    chunk: list[Clip] = []
    for clip in clips:
        if chunk and (chunk[-1].source != clip.source or len(chunk) >= size):
            yield chunk
            chunk = []
        chunk.append(clip)
    if chunk:
        yield chunk


def _cached_rows(path: Path) -> dict[str, Row]:
    """The rows of the current metric versions, by key. Truncated lines are skipped."""
    rows: dict[str, Row] = {}
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        if text and not text.endswith("\n"):
            write_text(path, text + "\n")  # a crash truncated the last line
        for line in text.splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if row.pop("versions") == VERSIONS:
                rows[row["key"]] = row
    return rows
