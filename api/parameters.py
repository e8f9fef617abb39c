"""Which parameters do several calls share, and what happens to one that no call knows?"""

from collections.abc import Set
from typing import Annotated, TypeAlias

from fastapi import Path, Query, Request

from api.problems import FieldError, Problem

MAX_ID = 128

CustomerId: TypeAlias = Annotated[
    str, Path(max_length=MAX_ID, description="The customer's id.", examples=["00004"])
]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=500, description="Items a page.")]
Cursor: TypeAlias = Annotated[
    str | None, Query(max_length=1_000, description="The `next_cursor` of the page before.")
]


def refuse_unknown(request: Request, known: Set[str], prefix: str | None = None) -> None:
    """A misspelt filter must not answer as if it had not been given."""
    for name in request.query_params:
        if name not in known and not (prefix and name.startswith(prefix)):
            detail = f"is unknown: use {', '.join(sorted(known))}"
            raise Problem(422, f"{name[:80]} {detail}.", errors=[FieldError(0, name[:80], detail)])
