"""How fast is a Headwater worker? The one that `headwater worker` runs, with its transactions and its store.

With three fields its Lane is another; everything around it stays.
"""

import asyncio

from bench.data import PARTITIONS
from bench.fold import ThreeFieldLane
from bench.kafka import contest
from bench.kafka.contest import Contest, Totals
from bench.kafka.source import forget_folded
from cli.run import run as run_as_command
from streams import folding
from streams.kafka import opened
from streams.settings import Settings
from streams.topics import CUSTOMERS, TRANSITIONS
from streams.worker import working

LOOK_S = 0.005


async def run(given: Contest) -> Totals:
    await forget_folded(given.url)
    if given.what == "three":
        vars(folding)["Lane"] = ThreeFieldLane
    settings = Settings(data_dir=given.path, log_url=given.url, clock="events", partitions=PARTITIONS)
    async with opened(settings) as log, working(settings, log) as worker:
        while not worker.lane.partitions:  # noqa: ASYNC110  # nothing is folded before
            await asyncio.sleep(0)
        given.meter.start()
        await worker.caught_up()
        given.meter.stop()
    return await contest.durable(given, CUSTOMERS, TRANSITIONS)


if __name__ == "__main__":
    contest.main(lambda given: run_as_command(run(given)))
