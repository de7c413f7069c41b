"""How fast 200 takes are listed in the panel and written into a report, their copies being made."""

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
from lab.runs.take_row import TakeRow
from lab.stills import Still
from lab.sweeps import Sweep
from lab.widgets import ResultsPanel

STILL = Path(__file__).resolve().parents[1] / "data" / "stills" / "coffee.jpg"
CAMERAS = ["push_in", "pull_out", "pan_left", "pan_right", "tilt_up"]
TAKES, SMOKE_TAKES = 200, 10


def measure(folder: Path, *, smoke: bool = False) -> list[tuple[str, str, str]]:
    """Times of listing and reporting, as shares of what making the copies takes."""
    takes, seconds = (SMOKE_TAKES, 0.25) if smoke else (TAKES, 2)
    few = _sweep(1, seconds)
    run(few, folder / "few", quiet=True)
    each = takes // len(CAMERAS)
    many = _multiplied(few, _sweep(each, seconds), folder / "few", folder / "many")
    began = time.perf_counter()
    make_proxies(many, load(folder / "few").takes.to_dict("records"), quiet=True)
    copying = (time.perf_counter() - began) / len(CAMERAS) * takes
    shutil.rmtree(many.proxies)
    many.proxies.mkdir()
    write_report(many.path)  # makes the copies that the timed one finds
    began = time.perf_counter()
    results = load(many.path)
    loading = time.perf_counter() - began
    began = time.perf_counter()
    panel = ResultsPanel(results)
    listing = time.perf_counter() - began
    assert len(panel.takes.table.rows) == takes
    began = time.perf_counter()
    write_report(results)
    reporting = time.perf_counter() - began
    return [
        (f"{takes} takes listed / read from disk", f"{listing / loading:.2f}", "below 1"),
        (f"{takes} takes listed (s)", f"{listing:.2f}", "below 1"),
        (f"{takes} takes reported / copied", f"{reporting / copying:.2f}", "below 1"),
        (f"{takes} takes reported, copies being there (s)", f"{reporting:.1f}", "below 60"),
    ]


def _sweep(repeats: int, duration_s: float) -> Sweep:
    return Sweep.of(
        stills=[STILL],
        prompts=[{"camera": CAMERAS, "pace": "slow"}],
        settings={"duration_s": duration_s, "seed": 1},
        repeats=repeats,
    )


def _multiplied(few: Sweep, many: Sweep, source: Path, target: Path) -> RunFolder:
    """A run of many takes whose clips and measures are those of a small one, over and over."""
    folder = RunFolder(target)
    folder.make()
    made = {trial.index: take.id for trial, take in few.takes()}
    with Ledger.write(folder.ledger) as ledger:
        kept = folder.copy_still(Still.open(STILL))
        pairs = many.takes()
        ledger.add(
            TakeRow(
                take.id,
                place,
                trial.index,
                take.repeat,
                trial.factors,
                take.relocated(lambda _: kept),
            )
            for place, (trial, take) in enumerate(pairs)
        )
        ledger.set_fact("sweep", many.to_json())
        for trial, take in pairs:
            clip = RunFolder(source).clip_path(made[trial.index])
            record = json.loads(RunFolder(source).measures.path(made[trial.index]).read_text())
            # Its own bytes, so that its copies are its own too.
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
