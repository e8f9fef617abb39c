"""How does ClickHouse come to have a table for each event? From the .avsc files, at every start."""

from collections.abc import Iterator, Mapping

from clickhouse_connect.driver.client import Client

from history.tables import TABLES, WHOLE, Column, Table

# on disk at once: archived() must never outlive the rows that it counts
DURABLE = "fsync_after_insert = 1, fsync_part_directory = 1"
SEAL = (
    "seal String EPHEMERAL COMMENT 'Ends each record of the archive, which proves that its body was whole.'"
)
PRECEDENCE = (
    f"precedence Int64 MATERIALIZED -offset + throwIf(seal != '{WHOLE}', 'surplus bytes after the record') "
    "COMMENT 'Of a repeated event the first on the log stays.'"
)


def quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def column_ddl(column: Column) -> str:
    return f"`{column.name}` {column.type} COMMENT {quote(column.comment)}"


def create_table(table: Table) -> str:
    """Sorted by customer and event, so that a repeat of an event merges away and one customer is one read."""
    columns = ",\n    ".join([*map(column_ddl, table.columns), SEAL, PRECEDENCE])
    return (
        f"CREATE TABLE IF NOT EXISTS `{table.name}` (\n    {columns}\n)\n"
        f"ENGINE = ReplacingMergeTree(precedence) ORDER BY (customer_id, event_id)\n"
        f"SETTINGS {DURABLE}\nCOMMENT {quote(table.comment)}"
    )


def _squeezed(kind: str) -> str:
    return "".join(kind.split())


def changes(table: Table, present: Mapping[str, str]) -> Iterator[str]:
    """The statements that bring a table with the present columns (name -> type) to what the schemas say."""
    if not present:
        yield create_table(table)
        return
    for column in table.columns:
        if column.name not in present:
            yield f"ALTER TABLE `{table.name}` ADD COLUMN IF NOT EXISTS {column_ddl(column)}"
        elif _squeezed(present[column.name]) != _squeezed(column.type):
            yield f"ALTER TABLE `{table.name}` MODIFY COLUMN {column_ddl(column)}"


def present_columns(client: Client) -> dict[str, dict[str, str]]:
    """Table -> column -> type, of the client's database."""
    found = client.query("SELECT table, name, type FROM system.columns WHERE database = currentDatabase()")
    tables: dict[str, dict[str, str]] = {}
    for table, name, kind in found.result_rows:
        tables.setdefault(table, {})[name] = kind
    return tables


def pending(client: Client) -> list[str]:
    """What is left to do; each statement can run twice, as two processes may start at the same moment."""
    present = present_columns(client)
    return [
        statement for table in TABLES.values() for statement in changes(table, present.get(table.name, {}))
    ]


def create_tables(client: Client) -> None:
    for statement in pending(client):
        client.command(statement)
