"""How does Faust take a whole run of records as one message?

What any transport needs for it: the message, the schema that leaves it alone, and the consumer's bookkeeping.
"""

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any, cast

import faust
from faust.types import TP, ConsumerMessage

from streams.runs import Run

LOOK_S = 0.005  # again, for room in an agent's buffer


class RunSchema(faust.Schema[None, Run]):
    """Hands an agent the Run itself: the lane decodes, and answers for what does not decode."""

    def loads_key(self, app: Any, message: Any, **options: Any) -> None:  # noqa: ARG002
        return None

    def loads_value(self, app: Any, message: Any, **options: Any) -> Run:  # noqa: ARG002
        run: Run = message.value
        return run


class RunConsumer:
    """The part of a Faust Consumer that deals in runs; goes before the transport's own consumer class.

    A run's message carries the run's last offset. Runs of a partition are acknowledged in order (one agent,
    concurrency 1), so what is committed is simply the end of the newest acknowledged run, and only lag
    displays read it: where to resume is what the partition row says.
    """

    app: Any
    flow_active: bool
    should_stop: bool
    _acked: MutableMapping[TP, list[int]]
    _acked_index: MutableMapping[TP, set[int]]
    _buffered_partitions: set[TP]  # those whose agent's buffer is full
    _get_active_partitions: Callable[[], set[TP]]

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109
        """The next runs, asked for as soon as an agent's buffer has room.

        Faust would look again after a second where all buffers are full, and where some are, wait for events
        of the other partitions: meanwhile the agents run out of runs.
        """
        while self._buffered_partitions and not self._get_active_partitions():
            if self.should_stop or not self.flow_active:
                break
            await asyncio.sleep(LOOK_S)
        wait_s = LOOK_S if self._buffered_partitions else timeout
        return await cast(Any, super())._wait_next_records(wait_s)

    def _to_message(self, tp: TP, run: Run) -> ConsumerMessage:
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            run.end - 1,
            run.records[-1].timestamp_ms / 1000 if run.records else 0.0,
            1,
            None,
            None,
            cast(bytes, run),  # opaque to Faust: RunSchema hands it on
            None,
            None,
            None,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    def _new_offset(self, tp: TP) -> int | None:
        acked = self._acked[tp]
        if not acked:
            return None
        newest = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return newest + 1

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """The offsets between two messages lie inside the later run: no gap."""
