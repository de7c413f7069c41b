"""Every error code leads to one action after a submission and one after a query."""

import pytest

from lab.backends.kling.codes import CODES, Action, action_of, hint_of, is_refusal, meaning_of

STOP, WAIT, FAIL, REFUSE = Action.STOP, Action.WAIT, Action.FAIL, Action.REFUSE


@pytest.mark.parametrize(
    ("code", "status", "on_submit", "on_query"),
    [
        (0, 200, Action.OK, Action.OK),
        *((code, 401, STOP, STOP) for code in (1000, 1001, 1002)),
        *((code, 401, Action.RENEW, Action.RENEW) for code in (1003, 1004)),
        *((code, 429, STOP, STOP) for code in (1100, 1101, 1102, 1304)),
        (1103, 403, STOP, STOP),
        *((code, 400, FAIL, FAIL) for code in (1200, 1201)),
        *((code, 404, FAIL, FAIL) for code in (1202, 1203)),
        *((code, 400, REFUSE, REFUSE) for code in (1300, 1301)),
        *((code, 429, WAIT, WAIT) for code in (1302, 1303)),
        (5000, 500, Action.UNCERTAIN, Action.RETRY),
        (5001, 503, Action.RETRY, Action.RETRY),
        (5002, 504, Action.UNCERTAIN, Action.RETRY),
        # The code decides, even if the HTTP status is 200.
        (1102, 200, STOP, STOP),
        (1303, 200, WAIT, WAIT),
        # Codes nobody has called of.
        (9999, 200, Action.UNCERTAIN, Action.RETRY),
        (9999, 400, FAIL, FAIL),
        (9999, 500, Action.UNCERTAIN, Action.RETRY),
        (0, 500, Action.UNCERTAIN, Action.RETRY),
        # Gateways' pages.
        (None, 502, Action.UNCERTAIN, Action.RETRY),
        (None, 503, Action.UNCERTAIN, Action.RETRY),
        (None, 408, Action.UNCERTAIN, Action.RETRY),
        (None, 429, WAIT, WAIT),
        (None, 401, STOP, STOP),
        (None, 413, FAIL, Action.RETRY),
        (None, 302, Action.RETRY, Action.RETRY),
        (None, 446, Action.RETRY, Action.RETRY),
    ],
)
def test_what_to_do(code: int | None, status: int, on_submit: Action, on_query: Action) -> None:
    """An uncertain submission is never reported as safe to repeat."""
    assert action_of(code, status, submitting=True) is on_submit
    assert action_of(code, status, submitting=False) is on_query


def test_the_table_is_whole() -> None:
    """The table has exactly the codes of the documents."""
    listed = {0, *range(1000, 1005), *range(1100, 1104), *range(1200, 1204), 1300, 1301, 1302}
    assert set(CODES) == listed | {1303, 1304, 5000, 5001, 5002}


def test_words_for_people() -> None:
    """The message contains the number and, if possible, a hint."""
    assert meaning_of(1101, 429) == "the account is in arrears (code 1101)"
    assert "KLING_REGION" in hint_of(1002)
    assert "HTTP 502" in meaning_of(None, 502)
    assert "9999" in meaning_of(9999, 418)
    assert hint_of(9999) == ""


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ("Failure to pass the risk control system", True),
        ("the content policy was violated", True),
        ("Image pixel is invalid", False),
        ("Internal error", False),
        ("", False),
    ],
)
def test_refusals_among_failures(message: str, refused: bool) -> None:
    """A failed job is a refusal only if its message says so."""
    assert is_refusal(message) is refused
