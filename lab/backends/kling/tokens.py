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
# A token is replaced this long before it expires, so that it does not expire during a request.
_EXPIRY_MARGIN_S = 120


def sign_token(access_key: str, secret_key: str, now_s: int) -> str:
    """A JSON Web Token (HS256) with the claims of Kling's own sample: iss, exp and nbf."""
    claims = {"iss": access_key, "exp": now_s + LIFETIME_S, "nbf": now_s - BACKDATE_S}
    body = ".".join(_encode(part) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{body}.{_base64(hmac.digest(secret_key.encode(), body.encode(), sha256))}"


def _encode(part: dict[str, object] | dict[str, str] | dict[str, int]) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenCache:
    """Holds one token and signs a new one before it expires. Safe to share between threads.

    clock: seconds since 1970.
    """

    def __init__(
        self, access_key: str, secret_key: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._replace_at_s = 0.0
        self._clock_offset_s = 0.0

    def __repr__(self) -> str:
        return "TokenCache()"

    def token(self) -> str:
        """A token that is valid now."""
        with self._lock:
            now_s = self._clock() + self._clock_offset_s
            # The lower bound handles a clock that was set back: the token would not be valid yet.
            signed_s = self._replace_at_s - LIFETIME_S + _EXPIRY_MARGIN_S
            if not signed_s - BACKDATE_S <= now_s < self._replace_at_s:
                self._token = sign_token(self._access_key, self._secret_key, int(now_s))
                self._replace_at_s = int(now_s) + LIFETIME_S - _EXPIRY_MARGIN_S
            return self._token

    def renew(self, server_time_s: float | None = None) -> None:
        """Discard the token. If the server's time is given, use its clock from now on."""
        with self._lock:
            self._replace_at_s = 0.0
            if server_time_s is not None:
                self._clock_offset_s = server_time_s - self._clock()
