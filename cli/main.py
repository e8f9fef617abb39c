"""Which commands are there? `headwater --help` lists them."""

import logging
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from cli import (
    ask,
    care,
    deliveries,
    demo,
    events,
    logs,
    processes,
    report,
    review,
    rfm,
    segments,
    serve,
    topics,
    triggers,
    webhook_receiver,
    why,
)
from cli.errors import Refused


class Commands(TyperGroup):
    """Says no in one sentence on stderr, without a traceback; exit 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as refused:
            print(f"headwater: {refused}", file=sys.stderr)
            raise typer.Exit(2) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Headwater: an event-sourced streaming CRM engine.",
)
app.command()(demo.demo)
app.command()(serve.serve)
app.command()(ask.sql)
app.command()(report.report)
app.command()(report.schema)
app.command()(ask.customer)
app.command()(ask.explain)
app.add_typer(events.app, name="events")
app.add_typer(rfm.app, name="rfm")
app.command()(why.why)
app.add_typer(triggers.app, name="triggers")
app.add_typer(review.app, name="review")
app.add_typer(segments.app, name="segments")
app.command()(care.doctor)
app.command()(care.rebuild)
app.add_typer(topics.app, name="topics")
app.add_typer(deliveries.app, name="deliveries")
app.command()(webhook_receiver.webhook_receiver)
for process in (
    processes.worker,
    processes.api,
    processes.archive,
    processes.tick,
    processes.learn,
    processes.deliver,
):
    app.command()(process)


LONG_RUNNING = {
    "demo",
    "serve",
    "worker",
    "api",
    "archive",
    "tick",
    "learn",
    "deliver",
}  # these tell what becomes of them


@app.callback()
def _configure(context: typer.Context) -> None:
    logs.configure(logging.INFO if context.invoked_subcommand in LONG_RUNNING else logging.WARNING)


if __name__ == "__main__":
    app()
