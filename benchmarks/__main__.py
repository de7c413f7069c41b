"""`python -m benchmarks`: run every benchmark and print one table.

`--smoke` runs each with little work, to show that it still runs; its numbers mean nothing.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import agreement, embeddings, importing, memory, rendering, scoring, showing, takes
from lab.errors import WeightsError

Rows = list[tuple[str, str, str]]
BENCHMARKS: dict[str, Callable[..., Rows]] = {
    "importing": importing.measure,
    "rendering": rendering.measure,
    "scoring": scoring.measure,
    "memory": memory.measure,
    "embeddings": embeddings.measure,
    "showing": showing.measure,
    "takes": takes.measure,
}


def main() -> int:
    """Run all benchmarks, or those named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--smoke", action="store_true", help="do little work and print no goals")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"unknown benchmark {', '.join(unknown)}; accepted: {', '.join(BENCHMARKS)}")
    rows: Rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.names or BENCHMARKS:
            print(f"{name} ...", file=sys.stderr)
            try:
                rows += BENCHMARKS[name](Path(folder), smoke=arguments.smoke)
            except WeightsError as error:
                print(f"{name} did not run: {error}", file=sys.stderr)
        if arguments.smoke and not arguments.names:
            print("agreement ...", file=sys.stderr)
            rows += agreement.smoke(Path(folder))
    width = max((len(name) for name, *_ in rows), default=0)
    for name, value, goal in rows:
        print(f"{name:<{width}}  {value:>10}" + ("" if arguments.smoke else f"   goal {goal}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
