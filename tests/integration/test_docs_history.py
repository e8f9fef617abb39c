"""Does the page about the history say what is so?"""

import re
from pathlib import Path

import pytest

from api.routes import history as asking
from api.routes import own, reports
from cli.ask import sql
from cli.report import report
from history import reporting
from history import sql as statements
from history.client import ANALYST, REPORTS, Settings
from history.own import Form
from history.store import History, Lane
from tests.integration.test_history import history, opened

__all__ = ["history", "opened"]  # fixtures

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "history.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def test_there_are_ten_questions() -> None:
    """As the page promises."""
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize("question", QUESTIONS)
async def test_each_question_can_be_asked(history: History, question: str) -> None:
    """As an analyst asks it: guarded and bounded."""
    await history.sql(question, {"sku": "a"} if "{sku:String}" in question else None)


async def test_every_view_is_named(history: History) -> None:
    """None that `headwater schema` lists is missing, but those of the archive's own."""
    query = "SELECT name FROM system.tables WHERE engine = 'View' AND database = currentDatabase()"
    views = {name for (name,) in history._client.query(query).result_rows}
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert {view for view in views if not view.endswith("_at")} <= named | {"stages"}


def told(bounds: Settings) -> list[str]:
    """Time, memory and answer, as pages say them."""
    time, memory, answer = (
        int(bounds[f"max_{each}"]) for each in ("execution_time", "memory_usage", "result_bytes")
    )
    return [f"{time} s", f"{memory / (1 << 30):g} GiB", f"{answer >> 20} MiB"]


async def test_the_bounds_are_those_that_hold(history: History) -> None:
    """ClickHouse itself says by which a statement and a report are stopped; the page's table has them."""

    async def in_force(lane: Lane) -> Settings:
        names = "max_execution_time", "max_memory_usage", "max_result_bytes"
        query = f"SELECT {', '.join(f'toUInt64(getSetting({name!r}))' for name in names)}"
        (found,) = (await lane.run(lambda client: client.query(query))).result_rows
        return dict(zip(names, found, strict=True))

    table = re.findall(
        r"^\| [a-zA-Z ]+ \| ([^|]+) \| ([^|]+) \|$", PAGE.split("## What there is")[0], re.MULTILINE
    )
    assert [each for each, _ in table[:3]] == told(await in_force(history._analyst))
    begin = [re.match(r"[\d.]+ \w+", each) for _, each in table[:3]]
    assert [each and each[0] for each in begin] == told(await in_force(history._reports))
    assert f"{reporting.COMPUTING_S:g} s of Python" in table[0][1]
    assert f"{reporting.MOST_READ_BYTES >> 20} MiB and {reporting.MOST_READ_ROWS:,} rows" in table[2][1]
    assert f"the first {asking.DEFAULT_ROWS:,}" in table[3][0]
    assert f"at most {statements.MAX_ROWS:,}" in table[3][0]
    assert (
        table[3][1]
        == f"the first {reporting.MAX_ROWS:,}; of your own {Form('orders').limit:,}, or its `limit`"
    )


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        (asking.post_sql.__doc__, ANALYST),
        (sql.__doc__, ANALYST),
        (" ".join(statements.STOPPED.values()), ANALYST),
        (reports.get_report.__doc__, REPORTS),
        (own.ask_report.__doc__, REPORTS),
        (report.__doc__, REPORTS),
        (" ".join(reporting.STOPPED.values()), REPORTS),
        ((DOCS / "own-reports.md").read_text(encoding="utf-8"), REPORTS),
    ],
)
def test_the_bounds_are_said_alike_wherever_they_are(text: str, bounds: Settings) -> None:
    """In the API's description, the commands' help and the sentences of what was stopped, no others."""
    assert re.findall(r"\b[\d.]+ (?:s\b|GiB|MiB)", text) == told(bounds)
