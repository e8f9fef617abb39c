"""Does the notebook run beside an engine, and does each cell show what pandas finds in the raw file?"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib import pyplot

from tests import cdnow
from tests.browser.harness import KEY, Server
from tests.headwater import ROOT

NOTEBOOK = ROOT / "docs" / "examples" / "history.ipynb"


@pytest.fixture
def served(cdnow_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The sample on its own dates, behind a key; the notebook is told of both as a user tells it."""
    server = Server(cdnow_copy, HEADWATER_API_KEY=KEY)
    try:
        server.start()
        monkeypatch.setenv("HEADWATER_URL", server.address)
        monkeypatch.setenv("HEADWATER_API_KEY", KEY)
        yield server
    finally:
        server.stop()


def shown(source: str, names: dict[str, Any]) -> Any:
    """Run a cell as Jupyter does; what it shows below: its last expression, unless a semicolon ends it."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), "exec"), names)
    if last is None:
        return None
    value = eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)
    return None if source.rstrip().endswith(";") else value


def retention() -> pd.DataFrame:
    """The share of each month's new customers who ordered so many months later, from the raw file."""
    orders = cdnow.orders()
    month = orders["date"].dt.year * 12 + orders["date"].dt.month
    first = month.groupby(orders["customer"]).transform("min")
    seen = pd.DataFrame({"customer": orders["customer"], "first": first, "later": month - first})
    counted = seen.groupby(["first", "later"])["customer"].nunique().unstack(fill_value=0)
    return counted.div(counted[0], axis=0).loc[:, 0:6]


@pytest.mark.usefixtures("served")
def test_each_cell_shows_what_the_notebook_says() -> None:
    """The shares and their curves, what was known a year before, and events by type."""
    pyplot.switch_backend("agg")
    names: dict[str, Any] = {}
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    code = ["".join(each["source"]) for each in cells if each["cell_type"] == "code"]
    _, grid, curves, known, types = [shown(source, names) for source in code]

    expected = retention()
    texts = re.findall(r"<td[^>]*>([^<]*)</td>", grid.to_html())
    assert texts == [f"{share:.1%}" for share in expected.to_numpy().ravel()]
    assert names["grid"].index.astype(str).tolist() == ["1997-01-01", "1997-02-01", "1997-03-01"]

    axes = names["axes"]
    assert curves is None
    assert [line.get_label() for line in axes.lines] == [str(later) for later in range(1, 7)]
    for later, line in enumerate(axes.lines, 1):
        assert list(line.get_ydata()) == pytest.approx(list(100 * expected[later]))
    pyplot.close(axes.figure)

    assert str(known) == "1997-03-01"
    then = names["report"]("cohort_retention", months=6, as_of=names["year_ago"])
    is_open = then["cohort"].map(lambda day: day.month) + then["months_later"] >= 6  # June was not over
    assert (then["share"].isna() == is_open).all()

    assert types.columns.tolist() == ["type", "events"]
    assert 1 <= len(types) <= 5
    assert dict(types.to_numpy().tolist())["OrderPlaced"] == len(cdnow.orders())
    assert types["events"].is_monotonic_decreasing
