"""Kling's error codes: what each one means and what the client should do.

Source: kling.ai/document-api/api/get-started/error-codes. Messages in quotes were seen live.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What the client should do after a reply."""

    OK = "ok"
    STOP = "stop"  # a person must fix the account; never retry
    RENEW = "renew"  # retry once with a new token, then stop
    WAIT = "wait"  # nothing was bought; the account is busy
    REFUSE = "refuse"  # the service refuses this content; recorded as a result, never retried
    FAIL = "fail"  # this submission cannot be made
    RETRY = "retry"  # nothing was bought; the service is unavailable
    UNCERTAIN = "uncertain"  # a submission may have been accepted


@dataclass(frozen=True)
class Code:
    """An error code: its meaning, and the action after a submission or a query that returned it.

    hint: how a person can fix it.
    """

    meaning: str
    on_submit: Action
    on_query: Action
    hint: str = ""


def _same_action(meaning: str, action: Action, hint: str = "") -> Code:
    """A code with the same action after a submission and a query."""
    return Code(meaning, action, action, hint)


CODES = {
    0: _same_action("done", Action.OK),
    1000: _same_action("authentication failed", Action.STOP, "check the key and its region"),
    1001: _same_action("no key was sent", Action.STOP, "set KLING_API_KEY"),
    1002: _same_action(
        "the service does not know the key",
        Action.STOP,
        "check the key, and KLING_REGION: a key works in one region only",
    ),
    1003: _same_action(
        "the token is not valid yet", Action.RENEW, "set this machine's clock right"
    ),
    1004: _same_action("the token has expired", Action.RENEW, "set this machine's clock right"),
    1100: _same_action("something is wrong with the account", Action.STOP, "see the Kling console"),
    1101: _same_action(
        "the account is in arrears", Action.STOP, "pay the balance in the Kling console"
    ),
    1102: _same_action(
        "the resource pack is used up or has expired", Action.STOP, "buy one in the Kling console"
    ),
    1103: _same_action("the account may not use this model", Action.STOP, "see the Kling console"),
    1200: _same_action("parameters are wrong", Action.FAIL),
    1201: _same_action("a parameter is wrong", Action.FAIL),
    1202: _same_action("there is no such method", Action.FAIL),
    1203: _same_action("there is no such model or resource", Action.FAIL),
    1300: _same_action("refused by the platform's policy", Action.REFUSE),
    1301: _same_action("refused by content safety", Action.REFUSE),
    1302: _same_action("too many requests", Action.WAIT),
    1303: _same_action("no free slot", Action.WAIT),
    1304: _same_action(
        "this IP address is not on the account's list", Action.STOP, "see the Kling console"
    ),
    5000: Code("internal error", Action.UNCERTAIN, Action.RETRY),
    5001: _same_action("under maintenance", Action.RETRY),
    5002: Code("internal timeout", Action.UNCERTAIN, Action.RETRY),
}
BAD_PARAMETER = 1201

# For replies without a code, for example a gateway's page. `action_of` handles the other statuses.
_GATEWAY_ACTIONS = {
    401: Action.STOP,
    403: Action.STOP,
    404: Action.RETRY,
    413: Action.FAIL,
    429: Action.WAIT,
}


def action_of(code: int | None, http_status: int, *, submitting: bool) -> Action:
    """The action after a reply. code: None if the body was not an envelope of the service.

    A known code decides, except that code 0 counts only with a 2xx status. With an unknown code, a
    submission counts as failed only if the status is a client error.
    """
    if code in CODES:
        known = CODES[code]
        action = known.on_submit if submitting else known.on_query
        if action is Action.OK and not 200 <= http_status < 300:
            return Action.UNCERTAIN if submitting else Action.RETRY
        return action
    if code is not None and http_status in (401, 403, 429):
        # The code is unknown, so the status has to separate account errors from request errors.
        return Action.WAIT if http_status == 429 else Action.STOP
    if code is None and http_status in _GATEWAY_ACTIONS:
        action = _GATEWAY_ACTIONS[http_status]
        return action if submitting or action is not Action.FAIL else Action.RETRY
    if 400 <= http_status < 500 and http_status != 408:
        return Action.FAIL if code is not None else Action.RETRY
    if 300 <= http_status < 400:
        return Action.RETRY
    return Action.UNCERTAIN if submitting else Action.RETRY


def meaning_of(code: int | None, http_status: int) -> str:
    """The meaning in words, with the code or HTTP status for reference."""
    if code is None:
        return f"HTTP {http_status}, not a reply of the service"
    if code in CODES:
        return f"{CODES[code].meaning} (code {code})"
    return f"unknown code {code}, HTTP {http_status}"


def hint_of(code: int | None) -> str:
    """How a person can fix the cause of a code; "" if unknown."""
    return CODES[code].hint if code in CODES else ""


# A failed job counts as a refusal if its message contains one of these. "Failure to pass the risk
# control system" was seen live; the others are assumed.
_REFUSAL_WORDS = re.compile(
    r"risk control|sensitive|moderation|content (safety|policy|security|review)|safety system|"
    r"violat|prohibited|infring|copyright|not allowed by",
    re.IGNORECASE,
)


def is_refusal(message: str) -> bool:
    """True if a failed job's message says that its content was refused."""
    return _REFUSAL_WORDS.search(message) is not None
