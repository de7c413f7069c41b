"""An executor that skips the measurement, for runs whose clips need no scores."""

import math
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from lab.files import sha256_file
from lab.measures import Measure, Number
from lab.metrics import SPECS


class Unscored(Executor):
    """Returns an empty record for each clip instead of measuring it."""

    def submit(self, work: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(unmeasured(Path(arguments[0])).to_json())
        return future


def unmeasured(clip: Path) -> Measure:
    """A record of a clip without any number."""
    numbers = {
        name: Number(math.nan, spec.unit, spec.version, "not measured here")
        for name, spec in SPECS.items()
    }
    return Measure(
        clip=str(clip),
        clip_sha256=sha256_file(clip),
        still=None,
        simulated=True,
        width_px=0,
        height_px=0,
        fps=0.0,
        frames=0,
        duration_s=0.0,
        numbers=numbers,
        series={},
        boxes={},
        times_s=(),
        notes={},
        damage="",
    )
