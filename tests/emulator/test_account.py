"""Who is let in."""

from collections.abc import Callable
from typing import Any

import pytest

from lab.emulator import Account, Fault

PATH = "/v1/videos/image2video"


def _told(served: Any, header: str) -> tuple[int, int, str]:
    reply = served.client.get(PATH, headers={"Authorization": header})
    told = reply.json()
    return reply.status_code, told["code"], told["message"]


def test_a_key_or_a_token_is_taken(served: Any, token_of: Callable[..., str]) -> None:
    """Both, on the legacy protocol."""
    assert _told(served, f"Bearer {Account().api_key}")[1] == 0
    assert _told(served, f"Bearer {token_of()}")[1] == 0


def test_the_times_in_a_token_count(served: Any, token_of: Callable[..., str]) -> None:
    """nbf ahead is 1003, exp behind is 1004, by the emulator's own clock."""
    token = token_of()
    now_s = served.clock()
    early = f"Bearer {token_of(nbf=now_s + 1)}"
    assert _told(served, early) == (401, 1003, "Authorization is not yet valid")
    served.clock.passes(1799)
    assert _told(served, f"Bearer {token}")[1] == 0
    served.clock.passes(1)
    assert _told(served, f"Bearer {token}") == (401, 1004, "Authorization has expired")


def test_a_clock_that_is_off_refuses_good_tokens(served: Any, token_of: Callable[..., str]) -> None:
    """A server that is behind says not yet valid, one that is ahead says expired."""
    for seconds, code in ((-60, 1003), (3600, 1004)):
        served.emulator.add_fault(Fault("clock_skew", seconds=seconds, times=1))
        assert _told(served, f"Bearer {token_of()}")[1] == code
        assert _told(served, f"Bearer {token_of()}")[1] == 0


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
def test_a_wrong_token_is_not_taken(
    served: Any, token_of: Callable[..., str], change: dict[str, Any], code: int
) -> None:
    """Another secret, another account, another algorithm, no times."""
    assert _told(served, f"Bearer {token_of(**change)}")[:2] == (401, code)


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Basic abc", "Bearer a.b.c", "Bearer ..", "Bearer é.é.é", "Bearer W10.W10.x"],
)
def test_nonsense_is_1002(served: Any, header: str) -> None:
    """Whatever it is, the answer is an envelope."""
    reply = served.client.get(PATH, headers=[(b"authorization", header.encode())])
    assert (reply.status_code, reply.json()["code"]) == (401, 1002)


def test_keys_are_regional(emulate: Any) -> None:
    """The key of another region is unknown."""
    served = emulate(account=Account(region="beijing"))
    assert _told(served, f"Bearer {Account().api_key}") == (401, 1002, "api key not found")
    at_home = emulate(account=Account(region="beijing"), region="beijing")
    assert _told(at_home, f"Bearer {Account().api_key}")[1] == 0


def test_keys_are_not_shown() -> None:
    """Not in the account's repr."""
    account = Account(webhook_secret="whsec_secret")
    for secret in (account.api_key, account.access_key, account.secret_key, "whsec_secret"):
        assert secret not in repr(account)
    assert len(account.secret_key) >= 32
