"""Who may ask the API?"""

import pytest

from api.access import host_name, require_loopback


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:8000", "localhost"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:8000", "::1"),
        ("[::1]", "::1"),
        ("localhost:80@evil.example", ""),
        ("[::1]evil", ""),
        ("localhost.evil.example", "localhost.evil.example"),
        ("", ""),
    ],
)
def test_a_host_header_is_read_to_its_name(header: str, name: str) -> None:
    """Port, brackets and case do not matter; what is no host and port has no name."""
    assert host_name(header) == name


def test_an_address_that_others_reach_is_refused() -> None:
    """Without keys the API is for this machine alone."""
    with pytest.raises(ValueError, match=r"'0\.0\.0\.0'.*use 127\.0\.0\.1"):
        require_loopback("0.0.0.0")
