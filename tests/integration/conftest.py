"""What do several integration tests share? The sample, loaded once, and each kind of ClickHouse."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clickhouse import ClickHouse
from tests.headwater import headwater


@pytest.fixture(scope="session")
def cdnow_loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The sample on its own dates: its directory, which stays as it is, and what the load printed."""
    data_dir = tmp_path_factory.mktemp("cdnow") / "data"
    out, _ = headwater("demo", "--original-dates", "--until-loaded", "--json", "--data-dir", data_dir)
    return data_dir, out


@pytest.fixture
def cdnow_copy(cdnow_loaded: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of that directory for one test."""
    return Path(shutil.copytree(cdnow_loaded[0], tmp_path / "data", symlinks=True))


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """A server, empty at the module's start."""
    server = ClickHouse(tmp_path_factory.mktemp("clickhouse"))
    yield server
    server.kill()


@pytest.fixture(scope="module", params=["chdb", "clickhouse"])
def history_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of an engine in this process, which can open only one, and of a server."""
    if request.param == "chdb":
        return f"chdb://{tmp_path_factory.mktemp('history')}"
    server: ClickHouse = request.getfixturevalue("clickhouse")
    return server.url()
