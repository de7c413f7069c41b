"""Gives the current time as the purchase index and the element store record it."""

from datetime import UTC, datetime


def utc_timestamp() -> str:
    """The current time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
