"""API requests and routes, independent of any web framework."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.emulator.replies import ApiError, Reply
from lab.emulator.store import Store


@dataclass(frozen=True)
class ApiRequest:
    """An authenticated request, and how faults change its handling.

    status_override: the status to report for every task, "" for the real one. hide_tasks: reply as
    if there were no tasks. stuck: the task that the request creates never ends.
    """

    now_s: float
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    content: bytes
    status_override: str = ""
    hide_tasks: bool = False
    stuck: bool = False

    def json(self) -> Mapping[str, Any]:
        """Parse the body as an object; an empty body gives {}. Raises ApiError 1200."""
        if not self.content.strip():
            return {}
        try:
            value = json.loads(self.content)
        except (ValueError, RecursionError):
            raise ApiError(1200, "The request body is not valid JSON") from None
        if not isinstance(value, dict):
            raise ApiError(1200, "The request body must be a JSON object")
        return value


@dataclass(frozen=True)
class Route:
    """A method, a path template and their handler.

    kind: "create", "query" or "account"; faults select requests by it. accepts_tokens: whether a
    signed token is accepted as well as an API key.
    """

    method: str
    path: str
    kind: str
    accepts_tokens: bool
    handler: Callable[[Store, ApiRequest], Reply]
