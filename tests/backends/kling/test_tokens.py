"""Tokens match the vendor's sample, are cached while valid, and follow the server's clock."""

import base64
import hashlib
import hmac
import json

import pytest

from lab.backends.kling.tokens import TokenCache, sign_token


def _claims(token: str) -> dict[str, object]:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))  # type: ignore[no-any-return]


class TestSignToken:
    """One token."""

    def test_the_header_and_the_claims(self) -> None:
        """Exactly iss, exp and nbf: half an hour from now, and five seconds ago."""
        token = sign_token("ak", "sk", 1000)
        assert json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==")) == {
            "alg": "HS256",
            "typ": "JWT",
        }
        assert _claims(token) == {"iss": "ak", "exp": 2800, "nbf": 995}

    def test_the_signature(self) -> None:
        """HMAC-SHA256 over header and claims, in URL-safe base64 without padding."""
        head, claims, signature = sign_token("ak", "sk", 1000).split(".")
        right = hmac.new(b"sk", f"{head}.{claims}".encode(), hashlib.sha256).digest()
        assert base64.urlsafe_b64decode(signature + "=") == right
        assert "=" not in signature

    def test_a_known_one(self) -> None:
        """Other implementations give the same token for the same claims."""
        assert sign_token("ak", "sk", 0).split(".")[0] == "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"


class TestTokenCache:
    """The tokens over the hours of a sweep."""

    def test_it_is_reused_while_valid(self) -> None:
        """Twenty minutes later it is still the same token."""
        now = [1000.0]
        minter = TokenCache("ak", "sk", clock=lambda: now[0])
        first = minter.token()
        now[0] += 1200
        assert minter.token() == first

    @pytest.mark.parametrize("step_s", [1790, 1800, 100_000, -100])
    def test_another_is_made_in_time(self, step_s: float) -> None:
        """A new token replaces it before it expires, and when the clock was set back."""
        now = [1_000_000.0]
        minter = TokenCache("ak", "sk", clock=lambda: now[0])
        minter.token()
        now[0] += step_s
        assert _claims(minter.token())["exp"] == int(now[0]) + 1800

    def test_renewing_follows_the_servers_clock(self) -> None:
        """A machine an hour behind signs for the server's time."""
        minter = TokenCache("ak", "sk", clock=lambda: 1000.0)
        minter.token()
        minter.renew(4600.0)
        assert _claims(minter.token())["nbf"] == 4595

    def test_it_shows_nothing(self) -> None:
        """The repr contains no key."""
        assert "sk" not in repr(TokenCache("ak", "sk"))
