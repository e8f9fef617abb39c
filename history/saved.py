"""Which reports and queries were saved, under which names? The last of a name stands for it."""

from clickhouse_connect.driver.client import Client
from msgspec import Struct

REPORTS = """
SELECT name, version, title, form, who, toUnixTimestamp64Milli(occurred_at), toString(event_id)
FROM ReportSaved WHERE topic = 'headwater.events' ORDER BY name, version, offset
"""
QUERIES = """
SELECT name, query, who, toUnixTimestamp64Milli(occurred_at), toString(event_id)
FROM QuerySaved WHERE topic = 'headwater.events' ORDER BY name, offset DESC LIMIT 1 BY name
"""


class SavedReport(Struct, frozen=True):
    """One version of an own report; `form` is JSON, `saved_at` ms since the epoch."""

    name: str
    version: int
    title: str
    form: str
    who: str
    saved_at: int
    event_id: str


class SavedQuery(Struct, frozen=True):
    """An SQL statement with a name; `saved_at` is ms since the epoch."""

    name: str
    query: str
    who: str
    saved_at: int
    event_id: str


def reports(client: Client) -> list[SavedReport]:
    """Every version of every own report, by name and version."""
    return [SavedReport(*row) for row in client.query(REPORTS).result_rows]


def queries(client: Client) -> list[SavedQuery]:
    """Each saved query as it was saved last, by name."""
    return [SavedQuery(*row) for row in client.query(QUERIES).result_rows]
