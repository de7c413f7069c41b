"""`python -m benchmarks`: every measurement in turn, one table at the end.

`--smoke` runs each with so little work that its numbers mean nothing: it shows that they still run.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import agreement, embeddings, importing, memory, rendering, scoring, showing, takes
from lab.errors import WeightsError

Rows = list[tuple[str, str, str]]
EVERY: dict[str, Callable[..., Rows]] = {
    "importing": importing.measure,
    "rendering": rendering.measure,
    "scoring": scoring.measure,
    "memory": memory.measure,
    "embeddings": embeddings.measure,
    "showing": showing.measure,
    "takes": takes.measure,
}


def main() -> int:
    """Run all, or those named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(EVERY))
    parser.add_argument("--smoke", action="store_true", help="little work, and no goal is shown")
    told = parser.parse_args()
    if unknown := set(told.names) - set(EVERY):
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(EVERY)}")
    rows: Rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in told.names or EVERY:
            print(f"{name} ...", file=sys.stderr)
            try:
                rows += EVERY[name](Path(folder), smoke=told.smoke)
            except WeightsError as error:
                print(f"{name} did not run: {error}", file=sys.stderr)
        if told.smoke and not told.names:
            print("agreement ...", file=sys.stderr)
            rows += agreement.smoke(Path(folder))
    width = max((len(what) for what, *_ in rows), default=0)
    for what, value, goal in rows:
        print(f"{what:<{width}}  {value:>10}" + ("" if told.smoke else f"   goal {goal}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
