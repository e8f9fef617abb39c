"""Does docs/scaling.md say what was measured?"""

import json

from bench.kafka.scaling import DOCUMENT, RESULTS, Measured, written


def test_the_table_is_of_the_newest_measurements() -> None:
    """Else: python -m bench.kafka.scaling."""
    document = DOCUMENT.read_text("utf-8")
    assert document == written(document, Measured(json.loads(RESULTS.read_text("utf-8"))))
