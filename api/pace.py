"""How long does the read model gather before it reads again? As long as the rate of records makes it worth.

A customer who changes often is then written once. The rate is of the log's records, which no pause changes: a
pause cannot cause the next one.
"""

import math

PAUSES = ((2_000, 0.02), (5_000, 0.1))  # below so many records a second, so many seconds
BULK_PAUSE_S = 0.5
MEMORY_S = 0.25  # of the mean rate: how long a burst is felt


class Pace:
    """The mean rate of records, the older the less."""

    def __init__(self) -> None:
        self._per_s = 0.0

    def pause_s(self, records: int, elapsed_s: float) -> float:
        """The pause after a read of `records`, `elapsed_s` after the read before it."""
        elapsed_s = max(elapsed_s, 1e-6)
        share = -math.expm1(-elapsed_s / MEMORY_S)
        self._per_s += share * (records / elapsed_s - self._per_s)
        return next((pause for most, pause in PAUSES if self._per_s < most), BULK_PAUSE_S)
