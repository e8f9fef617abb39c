"""What has changed in the history's own tables and views? Numbered files of one statement each, run once."""

from importlib.resources import files

from clickhouse_connect.driver.client import Client

LEDGER = """
CREATE TABLE IF NOT EXISTS migrations (
    number UInt32 COMMENT 'Number of the file.',
    name String COMMENT 'Name of the file.',
    applied_at DateTime('UTC') DEFAULT now() COMMENT 'When it ran here.'
) ENGINE = MergeTree ORDER BY number SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Which migrations of the history have run.'
"""

# client.insert would import pandas, which takes longer than all migrations together
DONE = "INSERT INTO migrations (number, name) VALUES ({number:UInt32}, {name:String})"


def statements() -> dict[int, tuple[str, str]]:
    """Number -> (file name, statement), in order."""
    found = sorted(file.name for file in files(__package__).iterdir() if file.name.endswith(".sql"))
    read = files(__package__).joinpath
    return {int(name.split("_")[0]): (name, read(name).read_text(encoding="utf-8")) for name in found}


def pending(client: Client) -> dict[int, tuple[str, str]]:
    """What has not run yet, of a ledger that exists."""
    done = {number for (number,) in client.query("SELECT number FROM migrations").result_rows}
    return {number: file for number, file in statements().items() if number not in done}


def migrate(client: Client) -> None:
    """Run what has not run yet.

    A migration runs again that a crash cut off from its ledger entry, or that two processes begin at the same
    moment: so each must be harmless the second time.
    """
    client.command(LEDGER)
    for number, (name, statement) in pending(client).items():
        client.command(statement.replace("{database}", client.database or "default"))
        client.command(DONE, parameters={"number": number, "name": name})
