"""Build replies in the service's envelope, and define its numbered errors."""

import uuid
from dataclasses import dataclass
from typing import Any

# code: (HTTP status, message). All codes and statuses are documented. The messages of 1001, 1002,
# 1102, 1303 and 5000 were seen live; the other messages are assumed.
ERRORS: dict[int, tuple[int, str]] = {
    1000: (401, "Authentication failed"),
    1001: (401, "Authorization is empty"),
    1002: (401, "api key not found"),
    1003: (401, "Authorization is not yet valid"),
    1004: (401, "Authorization has expired"),
    1100: (429, "The account is abnormal"),
    1101: (429, "The account is in arrears"),
    1102: (429, "Account balance not enough"),
    1103: (403, "No permission for the requested resource, such as the model"),
    1200: (400, "Invalid request parameters"),
    1201: (400, "Invalid parameters"),
    1202: (404, "The requested method is invalid"),
    1203: (404, "The requested resource does not exist, such as the model"),
    1300: (400, "The request triggers a strategy of the platform"),
    1301: (400, "The request content triggers the content security policy of the platform"),
    1302: (429, "Too many requests, please try again later"),
    1303: (429, "parallel task over resource pack limit"),
    1304: (429, "The address is not in the whitelist"),
    5000: (500, "Internal error"),
    5001: (503, "The server is temporarily unavailable, usually for maintenance"),
    5002: (504, "The server timed out, usually because of a backlog"),
}


class ApiError(Exception):
    """A numbered error of the service, with its HTTP status and message."""

    def __init__(self, code: int, message: str = "") -> None:
        self.status, default_message = ERRORS[code]
        self.code = code
        self.message = message or default_message
        super().__init__(f"{self.status}/{code} {self.message}")


@dataclass(frozen=True)
class Reply:
    """An HTTP status and a JSON value."""

    status: int
    body: Any


def success_reply(data: Any) -> Reply:
    """`data` in the envelope of a success."""
    return Reply(200, {"code": 0, "message": "SUCCEED", "request_id": _request_id(), "data": data})


def error_reply(error: ApiError) -> Reply:
    """The envelope of an error, which has no data."""
    body = {"code": error.code, "message": error.message, "request_id": _request_id()}
    return Reply(error.status, body)


def _request_id() -> str:
    return str(uuid.uuid4())
