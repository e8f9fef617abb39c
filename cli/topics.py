"""Are Kafka's topics as the engine needs them? `plan` says what would change, `apply` changes it."""

from typing import Annotated

import typer

from cli.errors import Refused
from cli.run import run

app = typer.Typer(no_args_is_help=True, help="Kafka's topics: what is missing, and what is set otherwise.")
MOST_REPLICAS = 3

Replicas = Annotated[
    int | None,
    typer.Option(
        "--replicas", min=1, help="Brokers that hold each record; by default 3, or as many as there are."
    ),
]


@app.command()
def plan(replicas: Replicas = None) -> None:
    """Say what `apply` would do, and do nothing; exit 1 if there is anything that it cannot do."""
    run(_apply(replicas, really=False))


@app.command(name="apply")
def apply_(replicas: Replicas = None) -> None:
    """Create what is missing and set what differs.

    Retention is never lowered, and the partition count of a topic never changed. HEADWATER_PARTITIONS says
    how many partitions new topics get.
    """
    run(_apply(replicas, really=True))


async def _apply(replicas: int | None, *, really: bool) -> None:
    from cli.compose import CANNOT_START, settings_of
    from cli.options import DATA_DIR
    from streams.kafka_client import connection
    from streams.kafka_topics import Topics, planned
    from streams.topics import topic_specs

    settings = settings_of(DATA_DIR)
    specs = topic_specs(settings.partitions)
    try:
        async with Topics.of(connection(settings)) as topics:
            replicas = replicas or min(MOST_REPLICAS, await topics.brokers())
            found = await topics.found([spec.name for spec in specs])
            todo = planned(specs, found, replicas)
            if really:
                await topics.apply(todo, found, replicas)
    except CANNOT_START as error:
        raise Refused(str(error)) from error
    for change in todo.changes:
        print(f"{'done: ' if really else ''}{change}")
    for refusal in todo.refusals:
        print(f"cannot: {refusal}")
    if not todo.changes and not todo.refusals:
        print("The topics are as they should be.")
    if todo.refusals:
        raise typer.Exit(1)
