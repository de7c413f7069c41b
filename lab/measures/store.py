"""The records of one run: read, written, and held to the clips and definitions of today."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from lab.errors import ClipError
from lab.files import sha256_file, target_outside, write_json
from lab.measures.record import Measure, Number
from lab.metrics import SPECS

_UNREADABLE = (
    *(OSError, ValueError, TypeError, KeyError, AttributeError),
    *(OverflowError, RecursionError),
)


class MeasureState(StrEnum):
    """What came of reading a record.

    fresh: every number is by today's definitions. stale: some numbers are not. missing: there is no
    record. damaged: it cannot be read. of another clip: record, clip file and ledger do not agree
    on which clip was measured.
    """

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    DAMAGED = "damaged"
    OTHER_CLIP = "of another clip"


@dataclass(frozen=True)
class ClipFile:
    """The clip that a record must be of: where it lies, and its hash and size in the ledger."""

    path: Path
    sha256: str
    bytes: int


@dataclass(frozen=True)
class StoredMeasure:
    """What is known of one clip's record.

    measure: the record where it can be used (fresh or stale), else None. In it stale numbers are
    NaN with their reason; they have no series, and their metrics have no boxes and no notes. stale:
    the numbers that are to be measured again, by the version they were measured by, 0 for one that
    was never measured. why: one line, "" when fresh. swapped: the clip file is not the one in the
    ledger; measuring it would not help.
    """

    state: MeasureState
    measure: Measure | None = None
    stale: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    clip_replaced: bool = False

    def number(self, name: str) -> Number:
        """The number of this name; NaN with the reason, and version 0, where there is none."""
        if self.measure is not None and name in self.measure.numbers:
            return self.measure.numbers[name]
        return Number(math.nan, SPECS[name].unit, 0, self.reason)

    def value(self, name: str) -> float:
        """The number's value, NaN where there is none."""
        return self.number(name).value


class MeasureStore:
    """The records of one run's clips, by take id."""

    def __init__(self, folder: Path) -> None:
        """folder: one in the run folder, made by the first `write`."""
        self.folder = folder

    def read(self, take_id: str, clip: ClipFile) -> StoredMeasure:
        """The record of a take, held to its clip and to today's definitions."""
        if real := target_outside(clip.path, self.folder.parent):
            why = f"{clip.path.name} leads out of the run folder, to {real}, and is not followed"
            return StoredMeasure(MeasureState.OTHER_CLIP, reason=why, clip_replaced=True)
        stored, written_ns = self._stored(take_id, clip)
        if _swapped(clip, written_ns):
            return StoredMeasure(
                MeasureState.OTHER_CLIP,
                reason=replaced_clip_message(clip.path, clip.sha256),
                clip_replaced=True,
            )
        return stored

    def _stored(self, take_id: str, clip: ClipFile) -> tuple[StoredMeasure, int]:
        """The record alone, and when it was written in ns; 0 where it tells nothing of the clip."""
        path = self.path(take_id)
        if real := target_outside(path, self.folder.parent):
            return _damaged(ValueError(f"it leads out of the run folder, to {real}")), 0
        try:
            text = path.read_text(encoding="utf-8")
            written_ns = path.stat().st_mtime_ns
            measure = Measure.from_json(json.loads(text))
        except FileNotFoundError:
            why = "not measured yet; `lab measure DIR` measures it"
            return StoredMeasure(MeasureState.MISSING, reason=why), _changed_ns(clip.path)
        except _UNREADABLE as error:
            return _damaged(error), 0
        if measure.clip_sha256 != clip.sha256:
            why = "measured on another clip; `lab measure DIR` measures this one"
            return StoredMeasure(MeasureState.OTHER_CLIP, reason=why), 0
        return _held_to_definitions(measure), written_ns

    def write(self, take_id: str, measure: Measure, clip: ClipFile) -> None:
        """Write the record of a take, whole or not at all.

        Raises ClipError when the record is of another clip than the ledger's, and RunFolderError
        on a full disk.
        """
        if measure.clip_sha256 != clip.sha256:
            raise ClipError(replaced_clip_message(clip.path, clip.sha256))
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.path(take_id), measure.to_json())

    def stamp(self, take_id: str, clip: ClipFile) -> tuple[int, int]:
        """Changes whenever `read` may answer otherwise than before."""
        return _changed_ns(self.path(take_id)), _changed_ns(clip.path)

    def path(self, take_id: str) -> Path:
        """Where the record of a take lies."""
        return self.folder / f"{take_id}.json"


def _held_to_definitions(measure: Measure) -> StoredMeasure:
    stale = {
        name: number.version if number else 0
        for name, spec in SPECS.items()
        if (number := measure.numbers.get(name)) is None or number.version != spec.version
    }
    if not stale:
        return StoredMeasure(MeasureState.FRESH, measure)
    heads = {name.partition(".")[0] for name in stale}
    usable = replace(
        measure,
        numbers={
            **measure.numbers,
            **{name: _stale_number(name, version) for name, version in stale.items()},
        },
        series={name: values for name, values in measure.series.items() if name not in stale},
        boxes={name: boxes for name, boxes in measure.boxes.items() if name not in heads},
        notes={name: note for name, note in measure.notes.items() if name not in heads},
    )
    first, *others = stale
    more = f"{len(others)} other numbers are not up to date either; " if others else ""
    why = more + _stale_reason(first, stale[first])
    return StoredMeasure(MeasureState.STALE, usable, stale, why)


def _stale_reason(name: str, version: int) -> str:
    if version == 0:
        return f"{name} was not measured yet; `lab measure DIR` measures it"
    return (
        f"measured by {name} version {version}, and this i2v-lab has version "
        f"{SPECS[name].version}; `lab measure DIR` brings it up to date"
    )


def _stale_number(name: str, version: int) -> Number:
    return Number(math.nan, SPECS[name].unit, version, _stale_reason(name, version))


def _damaged(error: Exception) -> StoredMeasure:
    said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    why = f"its record of measurements cannot be read ({said}); `lab measure DIR` makes a new one"
    return StoredMeasure(MeasureState.DAMAGED, reason=why)


def replaced_clip_message(clip: Path, sha256: str) -> str:
    """What to say of a file that is not the clip in the ledger, and what to do about it."""
    return (
        f"{clip.name} is not the clip in the ledger (SHA-256 {sha256[:12]}...); put that "
        "clip back, or move this file away and run the sweep again to fetch it"
    )


def _swapped(clip: ClipFile, measured_ns: int) -> bool:
    """True when the clip file is not the one in the ledger. A clip that is gone is no other clip.

    Hashing every clip at each reading would cost more than all else, so a file of the right size
    that is older than its record is believed.
    """
    try:
        status = clip.path.stat()
        if status.st_size != clip.bytes:
            return True
        return status.st_mtime_ns > measured_ns and sha256_file(clip.path) != clip.sha256
    except OSError:
        return False


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
