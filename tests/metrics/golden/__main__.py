"""`make golden`: take new numbers and raised versions into the golden table, and nothing else."""

import sys

from tests.metrics.golden.table import (
    WHAT_TO_DO,
    complaints,
    measured,
    read,
    rewritten,
    stored,
    write,
)

before, after = stored(), read(measured())
found = complaints(before, after)
write(rewritten(before, after))
for one in found:
    print("refused:" if one.forbidden else "written:", one)
if any(one.forbidden for one in found):
    print(WHAT_TO_DO)
    sys.exit(1)
if not found:
    print("The golden table is up to date.")
