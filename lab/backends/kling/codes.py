"""What each code of Kling's means for whoever asked.

Source: kling.ai/document-api/api/get-started/error-codes; messages in quotes were seen live.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What to do about an answer."""

    OK = "ok"
    STOP = "stop"  # the account must be put right; never again by itself
    REMINT = "remint"  # another token, once, then stop
    WAIT = "wait"  # nothing was bought; the account is busy
    REFUSE = "refuse"  # a result: the service will not make this
    FAIL = "fail"  # this order cannot be made
    LATER = "later"  # nothing was bought; the service is away
    UNCERTAIN = "uncertain"  # an order may have been taken all the same


@dataclass(frozen=True)
class Code:
    """One row: what the code means; what it asks of an order, and of a question.

    hint: what a person can do about it.
    """

    meaning: str
    order: Action
    question: Action
    hint: str = ""


def _both(meaning: str, action: Action, hint: str = "") -> Code:
    return Code(meaning, action, action, hint)


CODES = {
    0: _both("done", Action.OK),
    1000: _both("authentication failed", Action.STOP, "check the key and its region"),
    1001: _both("no key was sent", Action.STOP, "set KLING_API_KEY"),
    1002: _both(
        "the key is not known here",
        Action.STOP,
        "check the key, and KLING_REGION: a key is good in one region only",
    ),
    1003: _both("the token is not valid yet", Action.REMINT, "set this machine's clock right"),
    1004: _both("the token has expired", Action.REMINT, "set this machine's clock right"),
    1100: _both("something is wrong with the account", Action.STOP, "see the Kling console"),
    1101: _both("the account is in arrears", Action.STOP, "pay the balance in the Kling console"),
    1102: _both(
        "the resource pack is used up or has expired", Action.STOP, "buy one in the Kling console"
    ),
    1103: _both("the account may not use this model", Action.STOP, "see the Kling console"),
    1200: _both("parameters are wrong", Action.FAIL),
    1201: _both("a parameter is wrong", Action.FAIL),
    1202: _both("there is no such method", Action.FAIL),
    1203: _both("there is no such model or resource", Action.FAIL),
    1300: _both("refused by the platform's policy", Action.REFUSE),
    1301: _both("refused by content safety", Action.REFUSE),
    1302: _both("asked too fast", Action.WAIT),
    1303: _both("no free slot", Action.WAIT),
    1304: _both("this address is not on the account's list", Action.STOP, "see the Kling console"),
    5000: Code("internal error", Action.UNCERTAIN, Action.LATER),
    5001: _both("under maintenance", Action.LATER),
    5002: Code("timed out inside", Action.UNCERTAIN, Action.LATER),
}
BAD_PARAMETER = 1201

# Of answers without a code of theirs: a gateway's page. What is not here, and every 5xx, leaves
# it open whether an order went through.
_GATEWAY = {
    401: Action.STOP,
    403: Action.STOP,
    404: Action.LATER,
    413: Action.FAIL,
    429: Action.WAIT,
}


def action_of(code: int | None, http_status: int, *, order: bool) -> Action:
    """What to do about an answer. code None: the body was not theirs.

    The code decides, whatever the HTTP status; one that is unknown fails an order only if the
    status, too, says that the order was at fault.
    """
    if code in CODES:
        known = CODES[code]
        action = known.order if order else known.question
        if action is Action.OK and not 200 <= http_status < 300:
            return Action.UNCERTAIN if order else Action.LATER
        return action
    if code is not None and http_status in (401, 403, 429):
        # A code nobody has listed: its status tells the account's trouble from the order's.
        return Action.WAIT if http_status == 429 else Action.STOP
    if code is None and http_status in _GATEWAY:
        action = _GATEWAY[http_status]
        return action if order or action is not Action.FAIL else Action.LATER
    if 400 <= http_status < 500 and http_status != 408:
        return Action.FAIL if code is not None else Action.LATER
    if 300 <= http_status < 400:
        return Action.LATER
    return Action.UNCERTAIN if order else Action.LATER


def meaning_of(code: int | None, http_status: int) -> str:
    """In words, with the numbers a person can look up."""
    if code is None:
        return f"HTTP {http_status}, not an answer of the service"
    if code in CODES:
        return f"{CODES[code].meaning} (code {code})"
    return f"unknown code {code}, HTTP {http_status}"


def hint_of(code: int | None) -> str:
    """What a person can do about it; "" when nothing is known to help."""
    return CODES[code].hint if code in CODES else ""


# Words in the message of a failed job that make it a refusal of content. "Failure to pass the risk
# control system" was seen live; the others are assumed.
_REFUSED = re.compile(
    r"risk control|sensitive|moderation|content (safety|policy|security|review)|safety system|"
    r"violat|prohibited|infring|copyright|not allowed by",
    re.IGNORECASE,
)


def is_refusal(message: str) -> bool:
    """A failed job's message says that its content was refused."""
    return _REFUSED.search(message) is not None
