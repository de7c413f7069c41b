"""How much of a property is tried: the quick tier's share, or the slow tier's."""

from hypothesis import settings

USUAL = 50
THOROUGH = 10 * USUAL


def examples(count: int) -> int:
    """How many examples the tier at hand tries where the quick one tries `count`."""
    return count * settings().max_examples // USUAL
