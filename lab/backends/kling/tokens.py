"""Signed tokens for accounts that have a key pair instead of an API key."""

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable
from hashlib import sha256

LIFETIME_S = 1800
BACKDATE_S = 5
# A token is replaced while it is still good, so that no request outlives it on its way.
_SPARE_S = 120


def signed(access_key: str, secret_key: str, now_s: int) -> str:
    """A JSON Web Token (HS256) as Kling's own sample makes it: iss, exp, nbf and nothing else."""
    claims = {"iss": access_key, "exp": now_s + LIFETIME_S, "nbf": now_s - BACKDATE_S}
    body = ".".join(_part(value) for value in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{body}.{_base64(hmac.digest(secret_key.encode(), body.encode(), sha256))}"


def _part(value: dict[str, object] | dict[str, str] | dict[str, int]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Minter:
    """Keeps one token and makes another before it runs out. Safe to share between threads.

    clock: seconds since 1970; only tests pass another.
    """

    def __init__(
        self, access_key: str, secret_key: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._good_until_s = 0.0
        self._ahead_s = 0.0

    def __repr__(self) -> str:
        return "Minter()"

    def token(self) -> str:
        """A token that is good now."""
        with self._lock:
            now_s = self._clock() + self._ahead_s
            # A clock set back makes a token not yet valid, hence the second bound.
            made_s = self._good_until_s - LIFETIME_S + _SPARE_S
            if not made_s - BACKDATE_S <= now_s < self._good_until_s:
                self._token = signed(self._access_key, self._secret_key, int(now_s))
                self._good_until_s = int(now_s) + LIFETIME_S - _SPARE_S
            return self._token

    def renew(self, server_time_s: float | None = None) -> None:
        """Forget the token; go by the server's clock from now on where it is known."""
        with self._lock:
            self._good_until_s = 0.0
            if server_time_s is not None:
                self._ahead_s = server_time_s - self._clock()
