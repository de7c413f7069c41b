"""What was measured on a clip, as a typed record, and whether it still holds.

`Measure` is the record: every number with its value, unit, version and reason. `Measures` reads and
writes the records of one run; a `Reading` says whether a record is fresh, stale, missing, damaged,
or of another clip. How records are stored is known in this room only.
"""

from lab.measures.measuring import measure_clip
from lab.measures.record import SCHEMA_VERSION, Measure, Number
from lab.measures.store import ClipFile, Measures, Reading, ReadingState, swapped_reason

__all__ = [
    "SCHEMA_VERSION",
    "ClipFile",
    "Measure",
    "Measures",
    "Number",
    "Reading",
    "ReadingState",
    "measure_clip",
    "swapped_reason",
]
