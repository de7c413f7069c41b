"""Runs a calibration: makes and measures all probes and computes the validity card."""

from concurrent.futures import Executor
from pathlib import Path

from lab.calibration.card import Card
from lab.calibration.clean_clips import moving_sources, photographs, sources
from lab.calibration.measuring import measure_clips
from lab.calibration.probes import ProbeRow, measure_probes, probes
from lab.files import make_writable_folder

_QUICK_PHOTOGRAPHS = 4
_MOVES_EACH = 2
_SUBJECT_MOVES_EACH = 2


def calibrate(
    out: str | Path,
    *,
    stills: str | Path | None = None,
    footage: str | Path | None = None,
    quick: bool = False,
    executor: Executor | None = None,
    quiet: bool = False,
) -> Card:
    """Measure clips with known defects and compute the validity card.

    Returns the card, which is also written to `out`/card.json. stills: a folder of photographs; the
    sample stills when None. footage: a folder of real clips to use as well. quick: four
    photographs with one camera move each, one moving subject, and the middle strengths only. Rows
    are cached in `out`/probes.jsonl, so that a second call continues. The card lists the clips that
    could not be measured. Raises InputError for folders without pictures, Interrupted on Ctrl-C.
    """
    folder = Path(out)
    make_writable_folder(folder)
    photos = photographs(None if stills is None else Path(stills))
    if quick:
        photos = photos[:_QUICK_PHOTOGRAPHS]
    all_sources = sources(
        photos,
        None if footage is None else Path(footage),
        moves_each=1 if quick else _MOVES_EACH,
    )
    moving = moving_sources(photos, each=_SUBJECT_MOVES_EACH)
    # The card shows the final half first, so that is where the one of a quick calibration counts.
    all_sources += [source for source in moving if source.final][:1] if quick else moving
    measured = measure_clips(
        probes(all_sources, quick=quick),
        measure_probes,
        folder / "probes.jsonl",
        executor=executor,
        quiet=quiet,
        unit="calibration clips",
    )
    # A photograph changes halves when others are added to its folder, so a cached half may be old.
    rows: list[ProbeRow] = [{**row, "final": probe.source.final} for probe, row in measured.pairs]
    card = Card.from_rows(rows, failed=measured.failed)
    card.save(folder / "card.json")
    return card
