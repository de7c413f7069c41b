"""Numbers of hypothesis examples in the quick and in the slow tier."""

from hypothesis import settings

QUICK = 50
THOROUGH = 5 * QUICK


def examples(count: int) -> int:
    """Scale a number of examples from the quick tier to the current tier."""
    return count * settings().max_examples // QUICK
