"""What do the tests of reports share? One engine a module, which is closed at its end."""

from collections.abc import Iterator

import pytest

from tests import reporting


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    """The next module opens another."""
    yield
    reporting.close()
