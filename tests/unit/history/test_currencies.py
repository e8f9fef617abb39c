"""Does the history know of currencies what the projections know?"""

import re

from history.migrations import statements
from schemas.currency import DIGITS


def test_the_view_of_currencies_says_what_the_projections_go_by() -> None:
    """Each currency with its digits, none missing and none more."""
    ((_, statement),) = [one for one in statements().values() if one[0].endswith("_currencies.sql")]
    told = {code: int(digits) for code, digits in re.findall(r"\('([A-Z]{3})', (\d)\)", statement)}
    assert told == DIGITS
