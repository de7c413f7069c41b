"""Stores the measurement records of one run, and checks them against clips and definitions."""

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
_MAX_ERROR_CHARACTERS = 200
"""The reason stays one readable line, even where an error quotes the record."""


class MeasureState(StrEnum):
    """Whether a stored record can be used.

    fresh: every number has the current version of its definition. stale: some numbers have an older
    version. missing: there is no record. damaged: the record cannot be read. of another clip: the
    record, the clip file and the ledger disagree on which clip was measured.
    """

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    DAMAGED = "damaged"
    OTHER_CLIP = "of another clip"


@dataclass(frozen=True)
class ClipFile:
    """The clip that a record must belong to. sha256, bytes: hash and size in the ledger."""

    path: Path
    sha256: str
    bytes: int


@dataclass(frozen=True)
class StoredMeasure:
    """The stored record of one clip, and whether it can be used.

    measure: the record if it is fresh or stale, else None. Its stale numbers are NaN with a reason.
    They have no series, and their metrics have no boxes and no notes. stale: for each stale number
    the version that it was measured by, 0 if it was never measured. reason: why the record is not
    fresh, "" for a fresh one. clip_replaced: the clip file is not the one in the ledger, so
    measuring it would not help.
    """

    state: MeasureState
    measure: Measure | None = None
    stale: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    clip_replaced: bool = False

    def number(self, name: str) -> Number:
        """The number of this name. Without one: NaN with the reason, and version 0."""
        if self.measure is not None and name in self.measure.numbers:
            return self.measure.numbers[name]
        return Number(math.nan, SPECS[name].unit, 0, self.reason)

    def value(self, name: str) -> float:
        """The number's value; NaN when there is none."""
        return self.number(name).value


class MeasureStore:
    """The records of one run's clips, by take id."""

    def __init__(self, folder: Path) -> None:
        """folder: a subfolder of the run folder. The first `write` creates it."""
        self.folder = folder

    def read(self, take_id: str, clip: ClipFile) -> StoredMeasure:
        """The record of a take, checked against its clip and the current definitions."""
        if target := target_outside(clip.path, self.folder.parent):
            reason = (
                f"{clip.path.name} leads out of the run folder, to {target}, and is not followed"
            )
            return StoredMeasure(MeasureState.OTHER_CLIP, reason=reason, clip_replaced=True)
        stored, unchanged_ns = self._read_record(take_id, clip)
        if _is_replaced(clip, unchanged_ns):
            reason = replaced_clip_message(clip.path, clip.sha256)
            return StoredMeasure(MeasureState.OTHER_CLIP, reason=reason, clip_replaced=True)
        return stored

    def _read_record(self, take_id: str, clip: ClipFile) -> tuple[StoredMeasure, int]:
        """The record, checked against the current definitions only.

        Also returns the time in ns up to which the clip file counts as unchanged; 0 means that it
        must be hashed.
        """
        path = self.path(take_id)
        if target := target_outside(path, self.folder.parent):
            return _damaged(ValueError(f"it leads out of the run folder, to {target}")), 0
        try:
            text = path.read_text(encoding="utf-8")
            written_ns = path.stat().st_mtime_ns
            measure = Measure.from_json(json.loads(text))
        except FileNotFoundError:
            reason = "not measured yet; `lab measure DIR` measures it"
            # Measuring hashes the clip anyway, so it is not hashed here.
            return StoredMeasure(MeasureState.MISSING, reason=reason), _modified_ns(clip.path)
        except _UNREADABLE as error:
            return _damaged(error), 0
        if measure.clip_sha256 != clip.sha256:
            reason = "measured on another clip; `lab measure DIR` measures this one"
            return StoredMeasure(MeasureState.OTHER_CLIP, reason=reason), 0
        return _check_definitions(measure), written_ns

    def write(self, take_id: str, measure: Measure, clip: ClipFile) -> None:
        """Write the record of a take atomically.

        Raises ClipError when the record is not of the clip in the ledger, and RunFolderError on a
        full disk.
        """
        if measure.clip_sha256 != clip.sha256:
            raise ClipError(replaced_clip_message(clip.path, clip.sha256))
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.path(take_id), measure.to_json())

    def stamp(self, take_id: str, clip: ClipFile) -> tuple[int, int]:
        """A value that changes whenever the result of `read` may have changed."""
        return _modified_ns(self.path(take_id)), _modified_ns(clip.path)

    def path(self, take_id: str) -> Path:
        """The path of a take's record, whether it exists or not."""
        return self.folder / f"{take_id}.json"


def _check_definitions(measure: Measure) -> StoredMeasure:
    """A fresh record, or a stale one without the values of its stale numbers."""
    stale = {
        name: number.version if number else 0
        for name, spec in SPECS.items()
        if (number := measure.numbers.get(name)) is None or number.version != spec.version
    }
    if not stale:
        return StoredMeasure(MeasureState.FRESH, measure)
    headlines = {name.partition(".")[0] for name in stale}
    usable = replace(
        measure,
        numbers={
            **measure.numbers,
            **{name: _stale_number(name, version) for name, version in stale.items()},
        },
        series={name: values for name, values in measure.series.items() if name not in stale},
        boxes={name: boxes for name, boxes in measure.boxes.items() if name not in headlines},
        notes={name: note for name, note in measure.notes.items() if name not in headlines},
    )
    first, *others = stale
    more = f"{len(others)} other numbers are not up to date either; " if others else ""
    return StoredMeasure(
        MeasureState.STALE, usable, stale, reason=more + _stale_reason(first, stale[first])
    )


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
    text = " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_ERROR_CHARACTERS]
    return StoredMeasure(
        MeasureState.DAMAGED,
        reason=f"its record of measurements cannot be read ({text}); `lab measure DIR` makes a new "
        "one",
    )


def replaced_clip_message(clip: Path, sha256: str) -> str:
    """One line for a file that is not the clip in the ledger, and what to do about it."""
    return (
        f"{clip.name} is not the clip in the ledger (SHA-256 {sha256[:12]}...); put that "
        "clip back, or move this file away and run the sweep again to fetch it"
    )


def _is_replaced(clip: ClipFile, unchanged_ns: int) -> bool:
    """True when the clip file exists and is not the clip in the ledger.

    unchanged_ns: a file of the right size that was modified before this time is not hashed. Hashing
    every clip on every read would take longer than everything else.
    """
    try:
        status = clip.path.stat()
        if status.st_size != clip.bytes:
            return True
        return status.st_mtime_ns > unchanged_ns and sha256_file(clip.path) != clip.sha256
    except OSError:
        return False


def _modified_ns(path: Path) -> int:
    """When a file was last modified, in ns; 0 for a missing file."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
