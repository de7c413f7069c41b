"""Make every probe, keep what was measured, work out the card."""

from concurrent.futures import Executor
from pathlib import Path

from lab.calibration.bases import photographs, sources
from lab.calibration.card import Card
from lab.calibration.kept import measured
from lab.calibration.probes import ProbeRow, probes, take_all
from lab.files import make_writable_folder

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
    """Measure clips with known defects; returns the card, also `out`/card.json.

    Numbers without a defect of their own are measured as well; the card names them as not tried.
    stills: a folder of photographs; the sample stills when None. footage: a folder of
    real clips, also used when given. quick: four photographs, one camera move each, only the middle
    strengths. What was measured is kept in `out`/probes.jsonl, so a second call goes on where the
    first was stopped. A clip that could not be measured is left out of the card, which names it.
    Raises InputError for folders without pictures, Interrupted on Ctrl-C.
    """
    folder = Path(out)
    make_writable_folder(folder)
    photos = photographs(None if stills is None else Path(stills))
    every = sources(
        photos[:_QUICK_PHOTOGRAPHS] if quick else photos,
        None if footage is None else Path(footage),
        moves_each=1 if quick else _MOVES_EACH,
    )
    wanted = probes(every, quick=quick)
    found = measured(
        wanted,
        take_all,
        folder / "probes.jsonl",
        executor=executor,
        quiet=quiet,
        unit="calibration clips",
    )
    # A photograph may have changed halves since its row was kept: others came into the folder.
    rows: list[ProbeRow] = [{**row, "final": probe.source.final} for probe, row in found.pairs]
    card = Card.of(rows, failed=found.failed)
    card.save(folder / "card.json")
    return card
