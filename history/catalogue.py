"""Which tables and views may be asked, and what does each column mean?"""

from typing import Literal

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from history.tables import TABLES

TABLES_OF = """
SELECT name, engine = 'View', comment,
       arrayMap(each -> (each.name, each.type), parameterized_view_parameters)
FROM system.tables WHERE database = currentDatabase() ORDER BY name
"""
COLUMNS_OF = """
SELECT table, name, type, comment FROM system.columns WHERE database = currentDatabase()
ORDER BY table, position
"""
AT = "_at"


class TableColumn(Struct, frozen=True):
    name: str
    type: str
    comment: str


class ViewParameter(Struct, frozen=True):
    name: str
    type: str


class Table(Struct, frozen=True):
    """Something to write after FROM: a view with `parameters` as NAME(parameter = value, …)."""

    name: str
    kind: Literal["view", "event", "engine"]  # a view, an event's table, the engine's own
    comment: str
    parameters: list[ViewParameter]
    columns: list[TableColumn]


class Schema(Struct, frozen=True):
    tables: list[Table]  # views first, then events, then the engine's own


def schema(client: Client) -> Schema:
    """All that SHOW TABLES lists; a view X_at has the columns of X, as ClickHouse keeps none for it."""
    columns: dict[str, list[TableColumn]] = {}
    for table, name, kind, comment in client.query(COLUMNS_OF).result_rows:
        columns.setdefault(table, []).append(TableColumn(name, kind, comment))
    found = [
        Table(
            name,
            "view" if is_view else "event" if name in TABLES else "engine",
            comment,
            [ViewParameter(*each) for each in taken],
            columns.get(name.removesuffix(AT) if taken else name, []),
        )
        for name, is_view, comment, taken in client.query(TABLES_OF).result_rows
    ]
    return Schema(sorted(found, key=lambda each: ("view", "event", "engine").index(each.kind)))
