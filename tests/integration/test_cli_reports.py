"""Do `headwater report` and `headwater schema` work as a user types them?"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import parquet

from tests.browser.harness import Server
from tests.headwater import ask

ORDER = {"type": "OrderPlaced", "amount": "12.50", "currency": "USD", "occurred_at": "1998-01-01T00:00:00Z"}
SHOWN_WITHIN_S = 30


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory that a server holds, with three archived orders."""
    folder = tmp_path_factory.mktemp("served")
    lines = [ORDER | {"customer_id": f"c{n}", "order_id": str(n)} for n in range(3)]
    (folder / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    server = Server(folder / "data")
    try:
        server.start()
        ask("events", "load", folder / "mine.jsonl", "--data-dir", folder / "data")
        deadline = time.monotonic() + SHOWN_WITHIN_S
        while not server.get("/reports/data_volume?as_of=1999-01-01T00:00:00Z")["rows"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield folder / "data"
    finally:
        server.stop()


def test_without_a_name_all_reports_are_listed(served: Path) -> None:
    """A stranger sees what can be asked."""
    out, _ = ask("report", "--data-dir", served)
    assert "data_volume" in out


def test_a_report_is_a_table_on_the_screen(served: Path) -> None:
    """Question, columns and rows."""
    out, _ = ask("report", "data_volume", "--as-of", "1999-01-01T00:00:00Z", "--data-dir", served)
    assert "How many events of each type" in out
    assert "OrderPlaced" in out


def test_a_report_that_answers_nothing_says_why(served: Path) -> None:
    """Before the first event there is none."""
    _, err = ask("report", "data_volume", "--as-of", "1990-01-01T00:00:00Z", "--data-dir", served)
    assert err.startswith("No data yet: ")


def test_csv_and_json_go_where_the_user_says(served: Path, tmp_path: Path) -> None:
    """To the screen by --format, or into a file whose ending tells the form."""
    asked = ("report", "data_volume", "--as-of", "1999-01-01T00:00:00Z", "--data-dir", served)
    out, _ = ask(*asked, "--format", "csv")
    row = "OrderPlaced,3,3,1998-01-01T00:00:00Z,1998-01-01T00:00:00Z"
    assert out == f"type,events,customers,first_at,last_at\n{row}\n"
    assert json.loads(ask(*asked, "-f", "json")[0])["rows"][0][:3] == ["OrderPlaced", 3, 3]
    ask(*asked, "-o", tmp_path / "volume.parquet")
    assert parquet.read_table(tmp_path / "volume.parquet")["events"].to_pylist() == [3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data_volum"], "use data_volume"),
        (["data_volume", "-p", "months=3"], "There is no parameter 'months'"),
        (["data_volume", "-p", "months"], "write NAME=VALUE"),
        (["data_volume", "-f", "arrow"], "name a file with --output"),
        (["data_volume", "-o", "x.xlsx"], "name the format with --format"),
        (["data_volume", "-f", "table", "-o", "x"], "A table is for the screen"),
        (["data_volume", "-o", "/no/such/folder/x.csv"], "cannot be written"),
        (["data_volume", "--timezone", "Mars"], "There is no time zone 'Mars'"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(served: Path, words: list[str], said: str) -> None:
    """And exit 2, without a traceback."""
    _, err = ask("report", *words, "--data-dir", served, expect=2)
    assert err.startswith("headwater: ")
    assert said in " ".join(err.split())


def test_schema_lists_tables_and_the_columns_of_one(served: Path) -> None:
    """Each with its meaning; of a mistyped one, that there is none."""
    out, _ = ask("schema", "--data-dir", served)
    assert "OrderPlaced" in out
    assert "orders_at(as_of = …)" in out
    out, _ = ask("schema", "orders_at", "--data-dir", served)
    assert "net_minor" in out
    _, err = ask("schema", "ordres", "--data-dir", served, expect=2)
    assert "There is no table 'ordres': use orders" in err
