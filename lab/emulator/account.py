"""Authenticate requests by API key or by a token signed with the account's secret key."""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.emulator.replies import ApiError

Region = Literal["singapore", "beijing"]


@dataclass(frozen=True)
class Account:
    """The only account of an emulator.

    region: where its keys are valid; hosts of other regions reject them. concurrency: how many
    videos may be in progress at once. image_concurrency: the same for images; a task for n images
    counts n times. balance_units: units in the prepaid video pack at the start (0.14 USD each);
    None means unlimited. webhook_secret: "whsec_" and base64; if set, callbacks are signed.
    """

    api_key: str = field(
        default="api-key-kling-emulator-0000000000000000000000000000000000", repr=False
    )
    access_key: str = field(default="emulator-access-key-000000000000", repr=False)
    secret_key: str = field(default="emulator-secret-key-000000000000", repr=False)
    region: Region = "singapore"
    concurrency: int = 20
    image_concurrency: int = 9
    balance_units: float | None = None
    webhook_secret: str | None = field(default=None, repr=False)

    def authenticate(
        self, header: str | None, *, now_s: float, accepts_tokens: bool, region: str
    ) -> None:
        """Check an Authorization header. Raises ApiError 1000 to 1004.

        accepts_tokens: a signed token is valid as well as the API key. region: the host's region.
        """
        if not header or not header.strip():
            raise ApiError(1001)
        scheme, _, credential = header.strip().partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential:
            raise ApiError(1002, "Authorization is invalid")
        if self.region != region:
            raise ApiError(1002)
        if hmac.compare_digest(credential.encode(), self.api_key.encode()):
            return
        if not accepts_tokens or credential.count(".") != 2:
            raise ApiError(1002)
        self._check_token(credential, now_s)

    def _check_token(self, token: str, now_s: float) -> None:
        signed_text, _, signature = token.rpartition(".")
        header, payload = (_decode_json(part) for part in signed_text.split("."))
        if header.get("alg") != "HS256":
            raise ApiError(1002, "Authorization is invalid")
        if payload.get("iss") != self.access_key:
            raise ApiError(1002, "access key not found")
        expected = hmac.digest(self.secret_key.encode(), signed_text.encode(), hashlib.sha256)
        if not hmac.compare_digest(expected, _decode_base64url(signature)):
            raise ApiError(1000, "signature is invalid")
        not_before_s, expires_s = (_timestamp(payload, name) for name in ("nbf", "exp"))
        if now_s < not_before_s:
            raise ApiError(1003)
        if now_s >= expires_s:
            raise ApiError(1004)


def _timestamp(payload: dict[str, Any], name: str) -> float:
    value = payload.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ApiError(1000)
    return value


def _decode_base64url(part: str) -> bytes:
    try:
        padded = part + "=" * (-len(part) % 4)
        return base64.b64decode(padded.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ApiError(1002, "Authorization is invalid") from None


def _decode_json(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_decode_base64url(part))
    except (ValueError, RecursionError):
        raise ApiError(1002, "Authorization is invalid") from None
    if not isinstance(value, dict):
        raise ApiError(1002, "Authorization is invalid")
    return value
