"""Does the page about the history say what is so?"""

import re
from pathlib import Path

import pytest

from history.store import History
from tests.integration.test_history import history, opened

__all__ = ["history", "opened"]  # fixtures

PAGE = (Path(__file__).parents[2] / "docs" / "history.md").read_text(encoding="utf-8")
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
