"""How is the interpreter set up for a process that handles many events?"""

import gc
import sys

# SQLite gives up the GIL at every row; with Python's 5 ms its threads wait long for the fold to return it.
SWITCH_S = 0.0005
# Events and rows make no cycles: looking for some after every 700 objects took a sixth of a load's time.
GC_THRESHOLDS = (100_000, 20, 100)


def tune() -> None:
    """Set thread switching and garbage collection for this process; call it once, at its start."""
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(*GC_THRESHOLDS)
