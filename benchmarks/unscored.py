"""An executor that measures nothing, for runs whose clips need no scores."""

import math
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from lab.files import sha256_file
from lab.measures import Measure, Number
from lab.metrics import SPECS


class Unscored(Executor):
    """Stands where clips are measured, and measures nothing."""

    def submit(self, work: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(unmeasured(Path(arguments[0])).to_json())
        return done


def unmeasured(clip: Path) -> Measure:
    """A record of a clip in which every number is absent."""
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
