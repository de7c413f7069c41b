"""Time to list 200 takes in the panel and to write their report, with existing proxies."""

import json
import shutil
import time
from pathlib import Path

from lab.analysis import load
from lab.backends import Job
from lab.files import sha256_file
from lab.media import probe
from lab.player import make_proxies
from lab.report import write_report
from lab.runs import Ledger, RunFolder, run
from lab.runs.ledger import TakeRow
from lab.stills import Still
from lab.sweeps import Sweep
from lab.widgets import ResultsPanel

STILL = Path(__file__).resolve().parents[1] / "data" / "stills" / "coffee.jpg"
CAMERAS = ["push_in", "pull_out", "pan_left", "pan_right", "tilt_up"]
TAKES, SMOKE_TAKES = 200, 10


def measure(folder: Path, *, smoke: bool = False) -> list[tuple[str, str, str]]:
    """Times of listing and reporting, relative to loading and to making the proxies."""
    takes, seconds = (SMOKE_TAKES, 0.25) if smoke else (TAKES, 2)
    few = _sweep(1, seconds)
    run(few, folder / "few", quiet=True)
    each = takes // len(CAMERAS)
    many = _multiplied(few, _sweep(each, seconds), folder / "few", folder / "many")
    start = time.perf_counter()
    make_proxies(many, load(folder / "few").takes.to_dict("records"), quiet=True)
    proxy_s = (time.perf_counter() - start) / len(CAMERAS) * takes
    shutil.rmtree(many.proxies)
    many.proxies.mkdir()
    write_report(many.path)  # makes the proxies, so that the timed report finds them
    start = time.perf_counter()
    results = load(many.path)
    loading = time.perf_counter() - start
    start = time.perf_counter()
    panel = ResultsPanel(results)
    listing = time.perf_counter() - start
    assert len(panel.takes.table.rows) == takes
    start = time.perf_counter()
    write_report(results)
    reporting = time.perf_counter() - start
    return [
        (f"{takes} takes listed / read from disk", f"{listing / loading:.2f}", "below 1"),
        (f"{takes} takes listed (s)", f"{listing:.2f}", "below 1"),
        (f"{takes} takes reported / proxies made", f"{reporting / proxy_s:.2f}", "below 1"),
        (f"{takes} takes reported, with existing proxies (s)", f"{reporting:.1f}", "below 60"),
    ]


def _sweep(repeats: int, duration_s: float) -> Sweep:
    return Sweep.of(
        stills=[STILL],
        prompts=[{"camera": CAMERAS, "pace": "slow"}],
        settings={"duration_s": duration_s, "seed": 1},
        repeats=repeats,
    )


def _multiplied(few: Sweep, many: Sweep, source: Path, target: Path) -> RunFolder:
    """A run of many takes that repeats the clips and measures of a small run."""
    folder = RunFolder(target)
    folder.make()
    ids = {trial.index: take.id for trial, take in few.takes()}
    with Ledger.write(folder.ledger) as ledger:
        copy = folder.copy_still(Still.open(STILL))
        pairs = many.takes()
        ledger.add(
            TakeRow(
                take.id,
                position,
                trial.index,
                take.repeat,
                trial.factors,
                take.relocated(lambda _: copy),
            )
            for position, (trial, take) in enumerate(pairs)
        )
        ledger.set_fact("sweep", many.to_json())
        for trial, take in pairs:
            clip = RunFolder(source).clip_path(ids[trial.index])
            record = json.loads(RunFolder(source).measures.path(ids[trial.index]).read_text())
            # Append the id, so that each take has its own hash and its own proxies.
            content = clip.read_bytes() + take.id.encode()
            folder.clip_path(take.id).write_bytes(content)
            sha256 = sha256_file(folder.clip_path(take.id))
            folder.measures.path(take.id).write_text(json.dumps(record | {"clip_sha256": sha256}))
            ledger.record(take.id, "submitting", low_usd=0.0, high_usd=0.0, account="")
            ledger.record(take.id, "submitted", job=Job("offline", take.id, take.id).to_json())
            ledger.record(take.id, "ready")
            facts = {"sha256": sha256, "bytes": len(content), "notes": ["simulated"]}
            ledger.record(take.id, "fetched", clip=facts)
    assert probe(folder.clip_path(pairs[0][1].id)).frames
    return folder
