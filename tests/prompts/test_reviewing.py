"""A prompt read, linted and rewritten in one step."""

import pytest

from lab.errors import PromptError
from lab.prompts import lint, review


def test_a_review_has_the_reading_the_findings_and_a_rewrite() -> None:
    """For people and as data; the rewrite has fewer findings."""
    reviewed = review("orbit, tilt up, make it cool")
    text, plain = str(reviewed), reviewed.to_json()
    assert text.splitlines()[0].startswith("orbit [camera orbit")
    assert "not understood:" in text
    assert text.splitlines()[-1] == f"try: {reviewed.rewrite}"
    assert plain["rewrite"] == reviewed.rewrite
    assert [finding["kind"] for finding in plain["findings"]] == [
        finding.kind for finding in reviewed.findings
    ]
    assert len(lint(reviewed.rewrite)) < len(reviewed.findings)


def test_a_good_prompt_has_no_rewrite() -> None:
    """Nothing is proposed where nothing is wrong."""
    reviewed = review("slow push-in; steam rises")
    assert (reviewed.findings, reviewed.rewrite) == ((), "")
    assert "try:" not in str(reviewed)


def test_an_empty_prompt_is_refused() -> None:
    """As everywhere, with what a prompt has."""
    with pytest.raises(PromptError, match="empty"):
        review(" ")
