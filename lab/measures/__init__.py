"""The typed record of what was measured on a clip, and the store that keeps these records.

`Measure` is the record. It holds every number with its value, unit, version and reason.
`MeasureStore` reads and writes the records of one run. It returns a `StoredMeasure`, whose state
says whether the record is fresh, stale, missing, damaged or of another clip. No other room knows
the storage format.
"""

from lab.measures.cards import headline_text, is_too_still, score_card, score_json
from lab.measures.measuring import measure_clip
from lab.measures.record import SCHEMA_VERSION, ClipRecord, Measure, MeasureJson, Number
from lab.measures.store import (
    ClipFile,
    MeasureState,
    MeasureStore,
    StoredMeasure,
    replaced_clip_message,
)

__all__ = [
    "SCHEMA_VERSION",
    "ClipFile",
    "ClipRecord",
    "Measure",
    "MeasureJson",
    "MeasureState",
    "MeasureStore",
    "Number",
    "StoredMeasure",
    "headline_text",
    "is_too_still",
    "measure_clip",
    "replaced_clip_message",
    "score_card",
    "score_json",
]
