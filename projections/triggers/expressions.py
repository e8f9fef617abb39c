"""Is an expression true of a customer? CEL, the Common Expression Language, over what the projections say."""

import re
from functools import lru_cache
from typing import Any, NamedTuple

import cel

from projections.triggers.facts import NAMES, TIMED, Facts

MAX_LENGTH = 2_000
MACROS_AT_MOST = 3  # each may go through a list inside another's
# what CEL defines (https://github.com/google/cel-spec), beside its operators
CONVERSIONS = {"int", "uint", "double", "string", "bytes", "bool", "type", "dyn", "duration", "timestamp"}
OF_TEXT = {"size", "contains", "startsWith", "endsWith", "matches"}
OF_DATES = {f"getDay{of}" for of in ("OfMonth", "OfWeek", "OfYear")} | {
    f"get{part}" for part in ("FullYear", "Month", "Date", "Hours", "Minutes", "Seconds", "Milliseconds")
}
FUNCTIONS = CONVERSIONS | OF_TEXT | OF_DATES
# a name that a macro binds: list.exists(x, …)
BOUND = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")


class BadExpression(ValueError):
    """The expression cannot be used; the message says what to change."""


class Failed(Exception):
    """The expression has no answer for this customer; the message says why."""


class Expression(NamedTuple):
    """A compiled expression, and what it reads."""

    source: str
    program: Any  # cel.Program
    names: tuple[str, ...]  # variables, as docs/triggers.md lists them

    @property
    def reads_time(self) -> bool:
        """Whether its value can change though nothing happens."""
        return not TIMED.isdisjoint(self.names)

    @property
    def reads_scores(self) -> bool:
        return "scores" in self.names

    def value(self, facts: Facts) -> Any:
        """What it says of the customer; raises Failed."""
        try:
            return self.program.execute(facts.variables(self.names))
        except Exception as error:  # CEL's own, of any kind
            said = f"no key {error}" if isinstance(error, KeyError) else str(error)
            raise Failed(f"{self.source}: {said}") from error

    def holds(self, facts: Facts) -> bool:
        """Whether it is true of the customer; raises Failed, also where it says neither true nor false."""
        value = self.value(facts)
        if not isinstance(value, bool):
            raise Failed(f"{self.source}: the answer is {value!r}, neither true nor false")
        return value


@lru_cache(maxsize=1024)
def compiled(source: str) -> Expression:
    """The expression; raises BadExpression."""
    if len(source) > MAX_LENGTH:
        raise BadExpression(f"the expression has {len(source):,} characters: write at most {MAX_LENGTH:,}")
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise BadExpression(f"{source!r} is no CEL expression: {_first_line(error)}") from error
    for function in program.functions():
        if function.isidentifier() and not function.startswith("_") and function not in FUNCTIONS:
            raise BadExpression(f"{function!r} is no function: use {', '.join(sorted(FUNCTIONS))}")
    bound = BOUND.findall(source)
    if len(bound) > MACROS_AT_MOST:
        raise BadExpression(
            f"{source!r} goes through {len(bound)} lists: write at most {MACROS_AT_MOST} macros"
        )
    names = tuple(name for name in program.variables() if name not in bound)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise BadExpression(f"{unknown[0]!r} is not known of a customer: use {', '.join(sorted(NAMES))}")
    return Expression(source, program, names)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "it cannot be parsed")
