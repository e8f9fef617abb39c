"""When is the history read fast? Once each table is one part: to leave repeats out, nothing is compared.

ClickHouse merges parts in the background, but rarely to the last one. So what a load has brought in is
merged once it stands still: over ten million events a count by type then takes a third of the CPU, a list
of customers two thirds. A table is merged again when a fifth of it is new, so each row is rewritten a few
times in all. What never stands still is left to ClickHouse. A merge is a new part beside the old ones until
it is whole: a crash leaves the old ones.
"""

from clickhouse_connect.driver.client import Client

SMALLEST = 100_000  # rows; what is smaller is read fast as it is
NEW = 0.2  # of the rows
LOOSE = """
SELECT table, sum(rows) FROM system.parts
WHERE active AND database = currentDatabase()
GROUP BY table
HAVING sum(rows) >= {smallest:UInt64} AND sum(rows) - max(rows) >= {new:Float64} * sum(rows)
"""


def loose(client: Client) -> dict[str, int]:
    """Rows of each table of which so much is outside its largest part that a merge pays."""
    found = client.query(LOOSE, parameters={"smallest": SMALLEST, "new": NEW}).result_rows
    return {str(table): int(rows) for table, rows in found}


def merge(client: Client, table: str) -> None:
    """Make the table one part."""
    client.command("OPTIMIZE TABLE {table:Identifier} FINAL", parameters={"table": table})
