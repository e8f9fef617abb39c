"""Is a ClickHouse URL read as its user means it, and told without the password?"""

import pytest

from history.address import BadAddress, Embedded, Server, parse


@pytest.mark.parametrize(
    ("url", "place", "database"),
    [
        ("clickhouse://ann:pw@ch.example", "http://ch.example:8123", None),
        ("clickhouse://ann:pw@ch.example:9000/crm", "http://ch.example:9000", "crm"),
        ("clickhouse://ch.example/my-crm/", "http://ch.example:8123", "my-crm"),
        ("clickhouses://ann:pw@ch.example", "https://ch.example:8443", None),
        ("clickhouse://ann:pw@ch.example?secure=true", "https://ch.example:8443", None),
        ("clickhouse://ann:pw@ch.example:8443/crm?verify=0", "https://ch.example:8443", "crm"),
        ("clickhouse://ann:pw@[::1]:8123/", "http://[::1]:8123", None),
    ],
)
def test_a_server_is_told_by_its_place(url: str, place: str, database: str | None) -> None:
    """Ports follow from the scheme, TLS from the scheme, the option or the port."""
    address = parse(url)
    assert isinstance(address, Server)
    assert (str(address), address.database) == (place, database)


def test_the_driver_gets_user_password_and_options_but_no_database() -> None:
    """A database of the URL need not exist yet; the password stays as it was encoded."""
    address = parse("clickhouse://ann:p%40ss@ch.example:8123/crm?secure=1&verify=0")
    assert address.dsn == "clickhouse://ann:p%40ss@ch.example:8123?verify=0"


def test_an_engine_is_told_by_its_directory() -> None:
    """All of it is the path."""
    assert parse("chdb:///data/history") == Embedded("chdb:///data/history")


@pytest.mark.parametrize(
    "url",
    [
        "clickhouse://ann:pw/x@ch.example",
        "clickhouse://ann:pw#x@ch.example",
        "clickhouse://ann:pw?x@ch.example",
        "clickhouse://ann:pw@ch.example:port",
        "clickhouse://ann:pw@[ch.example",
        "clickhouse://ann:pw@",
        "clickhouse:ann:pw",
        "https://ann:pw@ch.example",
        "ann:pw@ch.example",
        "",
    ],
)
def test_what_cannot_be_read_is_not_repeated(url: str) -> None:
    """What looks like a host may be the half of a password."""
    with pytest.raises(BadAddress, match="clickhouse://user:password@host:8123/database") as refused:
        parse(url)
    assert "pw" not in str(refused.value)
