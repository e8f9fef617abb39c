"""How does Faust take a whole run of records as one message?

What any transport needs for it: the message, the schema that leaves it alone, and the consumer's bookkeeping.
"""

from collections.abc import MutableMapping
from typing import Any, cast

import faust
from faust.types import TP, ConsumerMessage

from streams.fold import Run


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
    _acked: MutableMapping[TP, list[int]]
    _acked_index: MutableMapping[TP, set[int]]

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
