"""Start a run in a fresh process again and again, paying for the imports once.

Standard input: "go" starts a run, "reconcile" settles what is uncertain. Standard output: its
process id, then, when it ended, its status as the operating system has it. Everything a run opens,
it opens after the fork. Clips are not scored: that takes most of a run's time, and losing a score
costs nothing.
"""

import math
import os
import sys
import traceback
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import lab.backends  # noqa: F401 - loaded once for all
from lab.files import sha256_file
from lab.measures import Measure, Number
from lab.metrics import SPECS
from lab.runs import reconcile, run


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


def main(sweep: str, out: str) -> None:
    """Serve until standard input ends."""
    for order in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(_one(order.strip(), sweep, out))
        _say(pid)
        _say(os.waitpid(pid, 0)[1])


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _one(order: str, sweep: str, out: str) -> int:
    try:
        if order == "reconcile":
            reconcile(out)
            return 0
        outcome = run(sweep, out, executor=Unscored(), quiet=True, confirmed=True)
    except BaseException:  # noqa: BLE001 - the last door of a forked process
        traceback.print_exc()
        return 3
    sys.stderr.write(f"{outcome}\n")
    return 0 if outcome.complete else 1


if __name__ == "__main__":
    main(*sys.argv[1:])
