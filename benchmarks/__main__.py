"""`python -m benchmarks`: every measurement in turn, one table at the end."""

import sys
import tempfile
from pathlib import Path

from benchmarks import embeddings, importing, memory, rendering, scoring, showing, takes


def main() -> None:
    """Run all, or those named on the command line."""
    every = {
        "importing": importing.measure,
        "rendering": rendering.measure,
        "scoring": scoring.measure,
        "memory": memory.measure,
        "embeddings": embeddings.measure,
        "showing": showing.measure,
        "takes": takes.measure,
    }
    chosen = sys.argv[1:] or list(every)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            print(f"{name} ...", file=sys.stderr)
            rows += every[name](Path(folder))
    width = max(len(what) for what, *_ in rows)
    for what, value, goal in rows:
        print(f"{what:<{width}}  {value:>10}   goal {goal}")


if __name__ == "__main__":
    main()
