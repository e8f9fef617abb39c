"""Are settings refused that the engine could not go by?"""

import pytest
from pydantic import ValidationError

from streams.settings import Settings


@pytest.mark.parametrize("name", ["Asia/Tokyo", "America/Argentina/Buenos_Aires", "UTC"])
def test_a_time_zone_is_one_of_the_database(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A day of the reports can begin anywhere on earth."""
    monkeypatch.setenv("HEADWATER_TIMEZONE", name)
    assert Settings().timezone == name


@pytest.mark.parametrize("name", ["Atlantis", "../../etc/passwd", "", "+02:00"])
def test_another_name_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The message says what a time zone is called."""
    monkeypatch.setenv("HEADWATER_TIMEZONE", name)
    with pytest.raises(ValidationError, match="such as Europe/Berlin"):
        Settings()
