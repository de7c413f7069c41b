"""Authentication by API key and by signed token."""

from collections.abc import Callable
from typing import Any

import pytest

from lab.emulator import Account, Fault

PATH = "/v1/videos/image2video"


def _auth_reply(served: Any, header: str) -> tuple[int, int, str]:
    reply = served.client.get(PATH, headers={"Authorization": header})
    body = reply.json()
    return reply.status_code, body["code"], body["message"]


def test_a_key_and_a_token_are_accepted(served: Any, token_of: Callable[..., str]) -> None:
    """The legacy protocol accepts both."""
    assert _auth_reply(served, f"Bearer {Account().api_key}")[1] == 0
    assert _auth_reply(served, f"Bearer {token_of()}")[1] == 0


def test_the_times_in_a_token_are_checked(served: Any, token_of: Callable[..., str]) -> None:
    """A future nbf is 1003 and a past exp is 1004, by the emulator's own clock."""
    token = token_of()
    now_s = served.clock()
    early = f"Bearer {token_of(nbf=now_s + 1)}"
    assert _auth_reply(served, early) == (401, 1003, "Authorization is not yet valid")
    served.clock.advance(1799)
    assert _auth_reply(served, f"Bearer {token}")[1] == 0
    served.clock.advance(1)
    assert _auth_reply(served, f"Bearer {token}") == (401, 1004, "Authorization has expired")


def test_clock_skew_refuses_valid_tokens(served: Any, token_of: Callable[..., str]) -> None:
    """A server clock that is behind gives not yet valid, one that is ahead gives expired."""
    for seconds, code in ((-60, 1003), (3600, 1004)):
        served.emulator.add_fault(Fault("clock_skew", seconds=seconds, times=1))
        assert _auth_reply(served, f"Bearer {token_of()}")[1] == code
        assert _auth_reply(served, f"Bearer {token_of()}")[1] == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret": "another-secret-key-0000000000000000"}, 1000),
        ({"iss": "nobody"}, 1002),
        ({"head": {"alg": "none", "typ": "JWT"}}, 1002),
        ({"exp": None}, 1000),
        ({"exp": "soon"}, 1000),
        ({"nbf": None}, 1000),
    ],
)
def test_a_wrong_token_is_refused(
    served: Any, token_of: Callable[..., str], change: dict[str, Any], code: int
) -> None:
    """Another secret, account or algorithm, or missing times."""
    assert _auth_reply(served, f"Bearer {token_of(**change)}")[:2] == (401, code)


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Basic abc", "Bearer a.b.c", "Bearer ..", "Bearer é.é.é", "Bearer W10.W10.x"],
)
def test_a_malformed_header_is_1002(served: Any, header: str) -> None:
    """The reply is always an envelope."""
    reply = served.client.get(PATH, headers=[(b"authorization", header.encode())])
    assert (reply.status_code, reply.json()["code"]) == (401, 1002)


def test_keys_are_regional(emulate: Any) -> None:
    """A key is unknown to hosts of other regions."""
    served = emulate(account=Account(region="beijing"))
    assert _auth_reply(served, f"Bearer {Account().api_key}") == (401, 1002, "api key not found")
    same_region = emulate(account=Account(region="beijing"), region="beijing")
    assert _auth_reply(same_region, f"Bearer {Account().api_key}")[1] == 0


def test_keys_are_not_in_the_repr() -> None:
    """The repr of an account contains no secret."""
    account = Account(webhook_secret="whsec_secret")
    for secret in (account.api_key, account.access_key, account.secret_key, "whsec_secret"):
        assert secret not in repr(account)
    assert len(account.secret_key) >= 32
