"""Who may ask the API?"""

import pytest

from api.access import check, host_name, server_names
from streams.settings import Settings

KEY = "correct-horse-battery"


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


def settings(**given: str) -> Settings:
    return Settings.model_validate(given)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.7", "crm.example.org"])
def test_an_address_that_others_reach_is_refused_without_a_key(host: str) -> None:
    """Until there is one, the API is for this machine alone."""
    with pytest.raises(
        ValueError, match=r"HEADWATER_HOST is .* set HEADWATER_API_KEY .* or use 127\.0\.0\.1"
    ):
        check(settings(host=host))
    check(settings(host=host, api_key=KEY))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    """What make demo does."""
    check(settings(host=host))


@pytest.mark.parametrize(
    "key", ["", "fifteen-letters", "has a space in its middle", "schlüssel-schlüssel", "a" * 16 + "\n"]
)
def test_a_weak_key_is_refused_and_not_repeated(key: str) -> None:
    """Nor one that no header can carry; what is wrong is told without the key."""
    with pytest.raises(ValueError, match="at least 16 ASCII characters without spaces") as refused:
        settings(api_key=key)
    assert not key or key not in str(refused.value)


def test_a_key_is_not_printed_with_the_settings() -> None:
    """A log or a traceback may show them."""
    assert KEY not in repr(settings(api_key=KEY))


def test_the_names_are_loopbacks_the_hosts_and_the_configured_ones() -> None:
    """As Host gives them: without port and brackets, in lower case."""
    configured = settings(host="10.0.0.7", server_names=" CRM.example.org, crm.example:8443 ,[2001:db8::1],")
    assert server_names(configured) == {
        "localhost",
        "127.0.0.1",
        "::1",
        "10.0.0.7",
        "crm.example.org",
        "crm.example",
        "2001:db8::1",
    }


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_every_address_is_no_name(host: str) -> None:
    """Pages reach a local engine by 0.0.0.0, too, and may not."""
    assert server_names(settings(host=host)) == {"localhost", "127.0.0.1", "::1"}


@pytest.mark.parametrize("name", ["https://crm.example.org", "crm.example.org/ui", "2001:db8::1"])
def test_a_name_that_no_host_header_has_is_refused(name: str) -> None:
    """Rather than never matched."""
    with pytest.raises(ValueError, match="write names as they stand in an address"):
        check(settings(server_names=f"localhost,{name}"))
