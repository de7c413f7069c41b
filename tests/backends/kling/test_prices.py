"""A quote is Kling's own price, with a margin for price changes."""

from collections.abc import Callable
from typing import Any

import pytest

from lab.backends.kling import Account, KlingBackend
from lab.takes import Take

TURBO, OMNI, OLD = "kling-3.0-turbo", "kling-3.0-omni", "kling-2.6"


@pytest.mark.parametrize(
    ("changed", "usd"),
    [
        ({}, 0.42),
        ({"resolution": "1080p"}, 0.56),
        ({"resolution": "4k"}, 2.10),
        ({"sound": True}, 0.63),
        ({"sound": True, "resolution": "1080p", "duration_s": 10}, 1.68),
        ({"model": OMNI, "sound": True}, 0.56),
        ({"model": TURBO, "sound": True}, 0.56),
        ({"model": OLD, "duration_s": 10}, 0.42),
        ({"model": "kling-2.5-turbo", "resolution": "1080p"}, 0.35),
        ({"makes": "still", "still": None}, 0.028),
        # Not available, so quoted at the highest price.
        ({"model": TURBO}, 0.70),
        ({"model": OLD, "sound": True}, 0.70),
    ],
)
def test_the_table(take_with: Callable[..., Take], changed: dict[str, Any], usd: float) -> None:
    """By model, resolution, sound and length; the upper end is ten per cent more."""
    quote = KlingBackend(account=Account()).quote(take_with(**changed).shot)
    assert quote.low_usd == pytest.approx(usd)
    assert quote.high_usd == pytest.approx(1.1 * usd)
    assert quote.basis == "Kling's prices of 2026-08-10"
    assert quote.seconds > 0


def test_longer_takes_longer(take_with: Callable[..., Take]) -> None:
    """Waiting time and bytes grow with the length."""
    backend = KlingBackend(account=Account())
    short, long = (backend.quote(take_with(duration_s=each).shot) for each in (5, 15))
    assert short.seconds == 135
    assert long.seconds == 3 * 135
    assert long.bytes == 3 * short.bytes == 15_000_000
