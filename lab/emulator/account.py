"""Who may call: an API key, or a token signed with the account's access and secret key."""

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
    """The one account of an emulator.

    region: where its keys are known; a key of another region is unknown. concurrency and
    image_concurrency: tasks that may run at once, one slot a video and one a picture.
    balance_units: what the video pack holds at the start, in units of 0.14 USD; None never runs
    dry. webhook_secret: "whsec_" and base64; with it, callbacks are signed.
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

    def authenticate(self, header: str | None, *, now_s: float, tokens: bool, region: str) -> None:
        """Check an Authorization header. Raises ApiError 1000 to 1004.

        tokens: whether a signed token is taken as well as the API key. region: of the host.
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
        if not tokens or credential.count(".") != 2:
            raise ApiError(1002)
        self._check_token(credential, now_s)

    def _check_token(self, token: str, now_s: float) -> None:
        signed, _, signature = token.rpartition(".")
        head, payload = (_json_part(part) for part in signed.split("."))
        if head.get("alg") != "HS256":
            raise ApiError(1002, "Authorization is invalid")
        if payload.get("iss") != self.access_key:
            raise ApiError(1002, "access key not found")
        wanted = hmac.digest(self.secret_key.encode(), signed.encode(), hashlib.sha256)
        if not hmac.compare_digest(wanted, _bytes_part(signature)):
            raise ApiError(1000, "signature is invalid")
        not_before_s, expires_s = (_time(payload, name) for name in ("nbf", "exp"))
        if now_s < not_before_s:
            raise ApiError(1003)
        if now_s >= expires_s:
            raise ApiError(1004)


def _time(payload: dict[str, Any], name: str) -> float:
    value = payload.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ApiError(1000)
    return value


def _bytes_part(part: str) -> bytes:
    try:
        padded = part + "=" * (-len(part) % 4)
        return base64.b64decode(padded.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ApiError(1002, "Authorization is invalid") from None


def _json_part(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes_part(part))
    except (ValueError, RecursionError):
        raise ApiError(1002, "Authorization is invalid") from None
    if not isinstance(value, dict):
        raise ApiError(1002, "Authorization is invalid")
    return value
