"""A factory of takes for every backend."""

from collections.abc import Callable
from typing import Any

import pytest

from lab.prompts import Prompt
from lab.shots import Shot, ShotSettings
from lab.stills import Still
from lab.takes import Take


@pytest.fixture(scope="session")
def take_of(coffee: Still) -> Callable[..., Take]:
    """A take of the coffee still: a prompt and settings, by default 0.25 s at 720p."""

    def take(
        prompt: str = "slow push in; steam rises",
        *,
        backend: str = "offline",
        repeat: int = 1,
        **changed: Any,
    ) -> Take:
        settings = ShotSettings(**{"duration_s": 0.25, "seed": 1, **changed})
        return Take(Shot(coffee, Prompt.from_text(prompt), settings), backend, repeat)

    return take
