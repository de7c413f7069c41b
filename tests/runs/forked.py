"""Starts runs in forked processes, so that the imports are paid for once.

Standard input: "go" starts a run, "reconcile" settles uncertain takes, "elements" registers the
sweep's elements only. Standard output: the process id, then the wait status of the ended process.
A run opens all its files and connections after the fork. Clips are not scored, because scoring
takes most of the time and a lost score costs nothing.
"""

import os
import sys
import traceback

import lab.backends
from benchmarks.unscored import Unscored
from lab.runs import reconcile, run
from lab.runs.elements import ensure_registered
from lab.sweeps import Sweep


def main(sweep: str, out: str) -> None:
    """Serve requests until standard input ends."""
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
        if order == "elements":
            ensure_registered(
                Sweep.load(sweep).pictured_elements, lab.backends.open_backend("kling"), quiet=True
            )
            return 0
        outcome = run(sweep, out, executor=Unscored(), quiet=True, confirmed=True)
    except BaseException:  # noqa: BLE001 - the last door of a forked process
        traceback.print_exc()
        return 3
    sys.stderr.write(f"{outcome}\n")
    return 0 if outcome.complete else 1


if __name__ == "__main__":
    main(*sys.argv[1:])
