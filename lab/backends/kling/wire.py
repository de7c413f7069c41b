"""Types and parsers that both generations of Kling's protocol share."""

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.backends.kling.catalogue import UnitPrices
from lab.errors import ServiceError

log = logging.getLogger("lab.backends.kling")

MediaKind = Literal["clip", "still"]
State = Literal["waiting", "done", "failed"]
SUCCEEDED = ("succeed", "succeeded")  # in the legacy and in the new protocol
MAX_MESSAGE_CHARS = 500


class WireError(ServiceError):
    """A reply that does not follow the protocol."""


@dataclass(frozen=True)
class Request:
    """A POST request that starts a job: its path and its JSON body."""

    path: str
    body: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class EncodedFrames:
    """The first and the last frame of a shot, in base64 without a prefix."""

    first: str | None = field(default=None, repr=False)
    last: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Reply:
    """The JSON envelope of every reply."""

    code: int
    message: str
    data: Any


@dataclass(frozen=True)
class JobInfo:
    """One job as a reply describes it.

    external_id: our own id of the job, "" if it has none. raw_state: the state as the service
    spells it. links: URLs of the clip. duration_s: length of the clip. duration_s and cost_usd are
    None if the reply does not contain them.
    """

    id: str
    external_id: str
    state: State
    raw_state: str
    message: str = ""
    links: tuple[str, ...] = field(default=(), repr=False)
    duration_s: float | None = None
    cost_usd: float | None = None


def parse_reply(payload: object) -> Reply:
    """The envelope of a parsed JSON body. Raises WireError if it is not an envelope."""
    if not isinstance(payload, dict):
        raise WireError("kling: the reply is not a JSON object")
    code = payload.get("code")
    if isinstance(code, bool) or not isinstance(code, int):
        raise WireError("kling: the reply has no code")
    return Reply(code, parse_text(payload.get("message")), payload.get("data"))


def parse_text(value: object) -> str:
    """A text on one line with at most MAX_MESSAGE_CHARS characters; "" for other types."""
    if not isinstance(value, str):
        return ""
    printable = "".join(letter if letter.isprintable() else " " for letter in value[:4000])
    return " ".join(printable.split())[:MAX_MESSAGE_CHARS]


def parse_id(value: object) -> str | None:
    """An id of at most 128 characters. JSON numbers are rejected: they may have lost digits."""
    if isinstance(value, str) and 0 < len(value) <= 128 and value.isprintable():
        return value
    return None


def parse_number(value: object) -> float | None:
    """A finite number of at least 0, also from a string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def parse_link(value: object) -> str | None:
    """An HTTP or HTTPS URL. The caller must check that it is safe to fetch."""
    if isinstance(value, str) and value.startswith(("https://", "http://")) and len(value) < 8192:
        return value
    return None


def json_objects(value: object) -> tuple[Mapping[str, Any], ...]:
    """The JSON objects in a list. Other items are left out."""
    if not isinstance(value, list):
        return ()
    return tuple(item for item in value if isinstance(item, dict))


def parse_state(raw_state: object, links: Iterable[str]) -> State | None:
    """The `State` for a status of either protocol; None if the status is empty or not a string.

    A succeeded job without a link to its clip is "waiting". So is a job in an unknown state.
    """
    if not isinstance(raw_state, str) or not raw_state:
        return None
    if raw_state == "failed":
        return "failed"
    if raw_state in SUCCEEDED:
        return "done" if tuple(links) else "waiting"
    return "waiting"


def billed_usd(charges: object, unit_prices: UnitPrices) -> float | None:
    """The sum of a list of charges in USD; None if the list is empty or a charge is unknown."""
    if not isinstance(charges, list) or not charges or len(json_objects(charges)) != len(charges):
        return None
    usd_each = {
        ("unit", "video"): unit_prices.usd_per_video_unit,
        ("unit", "image"): unit_prices.usd_per_image_unit,
        ("cash", "USD"): 1.0,
        ("cash", "CNY"): unit_prices.usd_per_cny,
    }
    total = 0.0
    for charge in json_objects(charges):
        amount = parse_number(charge.get("amount"))
        charge_type = charge.get("charge_type")
        detail = charge.get("package_type" if charge_type == "unit" else "currency")
        rate = None
        if isinstance(charge_type, str) and isinstance(detail, str):
            rate = usd_each.get((charge_type, detail))
        if amount == 0:
            continue
        if amount is None or rate is None:
            return None
        total += amount * rate
    return round(total, 6)
