"""One request as both protocols see it, free of any web framework."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.emulator.replies import ApiError, Reply
from lab.emulator.store import Store


@dataclass(frozen=True)
class Call:
    """A request that was let in, and what the faults want done with it.

    word: tells of every status with this word instead. forget: as if no task were there.
    stuck: the task it creates never ends.
    """

    now_s: float
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    content: bytes
    word: str = ""
    forget: bool = False
    stuck: bool = False

    def json(self) -> Mapping[str, Any]:
        """The body as an object; an empty body is an empty one. Raises ApiError 1200."""
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
    """A method and a path, and what answers it. tokens: signed tokens are taken.

    kind: "create", "query" or "account", which is what faults ask about.
    """

    method: str
    path: str
    kind: str
    tokens: bool
    answer: Callable[[Store, Call], Reply]
