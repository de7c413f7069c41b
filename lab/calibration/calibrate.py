"""Make every probe, keep what was measured, work out the card."""

import json
from concurrent.futures import Executor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from lab.calibration.bases import photographs, sources
from lab.calibration.card import Card
from lab.calibration.probes import chunks, probes, take_all
from lab.errors import Interrupted
from lab.files import make_writable_folder, write_text
from lab.runs.executors import WorkerPool
from lab.runs.progress import Progress
from lab.runs.scoring import VERSIONS, worker_died

_QUICK_PHOTOGRAPHS = 4
_MOVES_EACH = 2


def calibrate(
    out: str | Path,
    *,
    stills: str | Path | None = None,
    footage: str | Path | None = None,
    quick: bool = False,
    executor: Executor | None = None,
    quiet: bool = False,
) -> Card:
    """Measure every metric on clips with known defects; returns the card, also `out`/card.json.

    stills: a folder of photographs; those of the source checkout when None. footage: a folder of
    real clips, also used when given. quick: four photographs, one camera move each, only the middle
    strengths. What was measured is kept in `out`/probes.jsonl, so a second call goes on where the
    first was stopped. Raises InputError for folders without pictures, Interrupted on Ctrl-C.
    """
    folder = Path(out)
    make_writable_folder(folder)
    photos = photographs(None if stills is None else Path(stills))
    found = sources(
        photos[:_QUICK_PHOTOGRAPHS] if quick else photos,
        None if footage is None else Path(footage),
        moves_each=1 if quick else _MOVES_EACH,
    )
    wanted = probes(found, quick=quick)
    kept = folder / "probes.jsonl"
    rows = _kept(kept)
    missing = [probe for probe in wanted if probe.key not in rows]
    pool = executor or WorkerPool()
    done = False
    try:
        jobs = [pool.submit(take_all, chunk) for chunk in chunks(missing)]
        with Progress(len(missing), "calibration clips", quiet=quiet) as progress:
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
            f"interrupted; {len(rows)} of {len(wanted)} clips are measured and kept in {folder}; "
            "the same command goes on from there"
        ) from None
    except BrokenProcessPool:
        raise worker_died() from None
    finally:
        if executor is None:
            assert isinstance(pool, WorkerPool)
            pool.shutdown() if done else pool.stop()
    # A photograph may have changed halves since its row was kept: others came into the folder.
    card = Card.of([{**rows[probe.key], "final": probe.source.final} for probe in wanted])
    card.save(folder / "card.json")
    return card


def _kept(path: Path) -> dict[str, dict[str, Any]]:
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
