"""Does every view of the history answer, with each column explained?"""

import pytest
from clickhouse_connect.driver.client import Client

from history.migrations import statements
from tests.integration.test_history import history, opened

__all__ = ["history", "opened"]  # fixtures

NAMES = [file.split("_", 1)[1].removesuffix(".sql") for file, sql in statements().values() if " VIEW " in sql]
