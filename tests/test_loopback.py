"""Only this machine counts as loopback: the emulator connects to no other."""

import pytest

from lab.loopback import is_loopback_url


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://127.0.0.1:8000/a.png", True),
        ("http://localhost/a", True),
        ("http://[::1]:80/a", True),
        ("https://example.com/a.png", False),
        ("http://127.0.0.1.example.com/a", False),
        ("http://10.0.0.1/a", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_a_url_of_this_machine_is_recognised(url: str, is_local: bool) -> None:
    """The parsed host decides, not the beginning of the URL."""
    assert is_loopback_url(url) is is_local
