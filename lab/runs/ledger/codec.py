"""Converts take rows and events to the ledger's columns and back."""

import json
import re
from typing import Any

from lab.backends import Job
from lab.errors import LabError
from lab.runs.ledger.take_row import Event, TakeRow, TakeState
from lab.takes import Take
from lab.units import escape_controls

_TAKE_ID = re.compile(r"[\w-]+")
DESIGN_COLUMN_COUNT = 6
"""The first columns of a take hold its design and never change. Events change the others."""
DECODE_ERRORS = (ValueError, KeyError, TypeError, AttributeError, LabError)
"""What decoding raises for columns that this toolkit did not write."""


def encode_json(value: Any) -> str:
    """Canonical JSON. Raises ValueError for NaN and infinity."""
    # A path that is not UTF-8 holds lone surrogates, which SQLite refuses as text.
    return escape_controls(json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True))


def encode_take(row: TakeRow) -> tuple[Any, ...]:
    """The columns of a take, without the checksum."""
    return (
        row.take_id,
        row.position,
        row.trial,
        row.repeat,
        json.dumps(row.factors, ensure_ascii=False, allow_nan=False),  # keeps the design's order
        encode_json(row.take.to_json()),
        row.state.value,
        None if row.job is None else encode_json(row.job.to_json()),
        row.message,
        row.cost_usd,
        row.failed_fetches,
        None if row.clip is None else encode_json(row.clip),
        row.low_usd,
        row.high_usd,
    )


def decode_take(*columns: Any) -> TakeRow:
    """Inverse of `encode_take`. Also reads the first schema, which had no estimates.

    Raises one of `DECODE_ERRORS` for columns that this toolkit did not write.
    """
    take_id, position, trial, repeat, factors, take, state, job, message, *rest = columns
    if not _TAKE_ID.fullmatch(take_id):  # the id becomes a file name
        raise ValueError(f"{take_id!r} is not the id of a take")
    cost, failed_fetches, clip, low, high = (*rest, None, None)[:5]
    return TakeRow(
        take_id=take_id,
        position=position,
        trial=trial,
        repeat=repeat,
        factors=json.loads(factors),
        take=Take.from_json(json.loads(take)),
        state=TakeState(state),
        job=None if job is None else Job.from_json(json.loads(job)),
        message=message,
        cost_usd=cost,
        failed_fetches=failed_fetches,
        clip=None if clip is None else json.loads(clip),
        low_usd=low,
        high_usd=high,
    )


def decode_event(*columns: Any) -> Event:
    """An event from its columns, with or without the checksum."""
    _, at, take_id, kind, data, *_ = columns
    return Event(at, take_id, kind, json.loads(data))
