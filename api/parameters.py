"""Which parameters do several calls share, and what happens to one that no call knows?"""

from collections import Counter
from collections.abc import Set
from typing import Annotated, TypeAlias

from fastapi import Path, Query, Request

from api.problems import FieldError, Problem
from schemas.values import Wrong, instant

MAX_ID = 128

CustomerId: TypeAlias = Annotated[
    str, Path(max_length=MAX_ID, description="The customer's id.", examples=["00004"])
]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=500, description="Items a page.")]
Cursor: TypeAlias = Annotated[
    str | None, Query(max_length=1_000, description="The `next_cursor` of the page before.")
]


def moment(name: str, text: str) -> int:
    """A time in RFC 3339 as ms since the epoch; raises a Problem (422) that names the parameter."""
    try:
        return instant(text)
    except Wrong as error:
        ((_, detail),) = error.faults
        raise Problem(422, f"{name} {detail}.", errors=[FieldError(0, name, detail)]) from error


def refuse_unknown(request: Request, known: Set[str], prefix: str | None = None) -> None:
    """A misspelt filter must not answer as if it had not been given, nor a repeated one as if given once."""
    for name, values in Counter(name for name, _ in request.query_params.multi_items()).items():
        if values > 1:
            detail = (
                "is given twice: give it once" if values == 2 else f"is given {values} times: give it once"
            )
            raise Problem(422, f"{name[:80]} {detail}.", errors=[FieldError(0, name[:80], detail)])
        if name not in known and not (prefix and name.startswith(prefix)):
            detail = f"is unknown: use {', '.join(sorted(known))}"
            raise Problem(422, f"{name[:80]} {detail}.", errors=[FieldError(0, name[:80], detail)])
