"""What both generations of Kling's protocol have in common once its words are left behind."""

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.backends.kling.catalogue import Money
from lab.errors import ServiceError

log = logging.getLogger("lab.backends.kling")

State = Literal["waiting", "done", "failed"]
MAX_MESSAGE_CHARS = 500


class WireError(ServiceError):
    """A reply that is not what the protocol says."""


@dataclass(frozen=True)
class Request:
    """An order as it is posted."""

    path: str
    body: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Pictures:
    """The pictures of a shot in base64, without any prefix."""

    first: str | None = field(default=None, repr=False)
    last: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Extras:
    """What goes with every order: where news is posted; "" for nowhere."""

    callback_url: str = ""


@dataclass(frozen=True)
class Reply:
    """The envelope every answer comes in."""

    code: int
    message: str
    data: Any


@dataclass(frozen=True)
class Row:
    """What a reply says of one job.

    word: the state in the service's own word, as it came. links: where its clip can be had.
    seconds: length of the clip, None when not said. cost_usd: None when not said.
    """

    id: str
    key: str
    state: State
    word: str
    message: str = ""
    links: tuple[str, ...] = field(default=(), repr=False)
    seconds: float | None = None
    cost_usd: float | None = None


def reply_of(payload: object) -> Reply:
    """The envelope of a parsed body. Raises WireError when it is none."""
    if not isinstance(payload, dict):
        raise WireError("kling: the answer is no JSON object")
    code = payload.get("code")
    if isinstance(code, bool) or not isinstance(code, int):
        raise WireError("kling: the answer has no code")
    return Reply(code, text_of(payload.get("message")), payload.get("data"))


def text_of(value: object) -> str:
    """A text on one line and of bounded length; "" for anything that is none."""
    if not isinstance(value, str):
        return ""
    shown = "".join(letter if letter.isprintable() else " " for letter in value[:4000])
    return " ".join(shown.split())[:MAX_MESSAGE_CHARS]


def id_of(value: object) -> str | None:
    """An id: a text of digits or the like. Numbers are refused; they may have lost digits."""
    if isinstance(value, str) and 0 < len(value) <= 128 and value.isprintable():
        return value
    return None


def number_of(value: object) -> float | None:
    """A number that may have come as a text; None for anything else, or if below zero."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def link_of(value: object) -> str | None:
    """A web address, not yet judged to be a safe one."""
    if isinstance(value, str) and value.startswith(("https://", "http://")) and len(value) < 8192:
        return value
    return None


def mappings(value: object) -> tuple[Mapping[str, Any], ...]:
    """The JSON objects in a list; anything else is left out."""
    return (
        tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()
    )


def state_of(word: object, links: Iterable[str]) -> State | None:
    """The state behind a status word of either protocol; None when it is no word at all.

    A job that is said to have succeeded but names no clip is still waited for, and so is one in a
    state nobody has heard of.
    """
    if not isinstance(word, str) or not word:
        return None
    if word == "failed":
        return "failed"
    if word in ("succeed", "succeeded"):
        return "done" if tuple(links) else "waiting"
    return "waiting"


def bill_usd(charges: object, money: Money) -> float | None:
    """What a list of charges comes to in USD; None when it is none or not understood."""
    if not isinstance(charges, list) or not charges or len(mappings(charges)) != len(charges):
        return None
    worth = {
        ("unit", "video"): money.usd_per_video_unit,
        ("unit", "image"): money.usd_per_image_unit,
        ("cash", "USD"): 1.0,
        ("cash", "CNY"): money.usd_per_cny,
    }
    total = 0.0
    for charge in mappings(charges):
        amount = number_of(charge.get("amount"))
        kind = charge.get("charge_type")
        which = charge.get("package_type" if kind == "unit" else "currency")
        rate = (
            worth.get((kind, which)) if isinstance(kind, str) and isinstance(which, str) else None
        )
        if amount == 0:
            continue
        if amount is None or rate is None:
            return None
        total += amount * rate
    return round(total, 6)
