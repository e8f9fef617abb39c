"""Who is in which segment, and who would be in a new one?"""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.client import get, post
from cli.options import DATA_DIR, AsJson, DataDir
from cli.run import run

app = typer.Typer(no_args_is_help=True, help="Segments: customers of whom an expression is true.")


@app.command("list")
def list_(as_json: AsJson = False, data_dir: DataDir = DATA_DIR) -> None:
    """Print the segments in force, and how many customers are in each."""
    body = run(get(data_dir, "/segments"))
    if as_json:
        Console().print_json(data=body)
        return
    table = Table("segment", "customers", "where", "description")
    for each in body["items"]:
        table.add_row(each["name"], f"{each['customers']:,}", each["where"], each["description"])
    Console().print(table)


@app.command()
def preview(
    expression: Annotated[str, typer.Argument(metavar="EXPR", help="CEL over a customer, in quotes.")],
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Count and sample the customers of whom an expression is true, before it is saved.

    Example: headwater segments preview "orders.count >= 5 && lifecycle.stage == 'active'"
    """
    found = run(post(data_dir, "/segments/preview", {"expression": expression}))
    if as_json:
        Console().print_json(data=found)
        return
    print(f"{found['customers']:,} of {found['of']:,} customers")
    if found["sample"]:
        print(f"such as {', '.join(found['sample'])}")
    if found["failed"]:
        print(f"no answer for {found['failed']:,}, the first: {found['first_error']}")
