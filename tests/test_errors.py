"""The error tree and its hints."""

from lab.errors import SweepError, did_you_mean


def test_a_near_miss_is_named() -> None:
    """A misspelt word gets the one accepted word that is nearest."""
    assert did_you_mean("push_inn", ["push_in", "pull_out"]) == "did you mean 'push_in'?"


def test_a_far_miss_lists_what_is_accepted() -> None:
    """A word like none of the accepted ones gets the whole list, sorted."""
    assert did_you_mean("xyz", ["b", "a"]) == "accepted: a, b"


def test_a_sweep_error_keeps_every_problem() -> None:
    """All mistakes of a sweep file are in the message, one a line, and apart in `problems`."""
    error = SweepError("first", "second")
    assert str(error) == "first\nsecond"
    assert error.problems == ("first", "second")
