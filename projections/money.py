"""What are amounts in several currencies worth in the base currency?"""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple

from projections.compact import MAX_MINOR
from projections.parameters import Parameters
from schemas.currency import DIGITS

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


class Converted(NamedTuple):
    minor: int  # in the base currency
    unconverted: dict[str, int]  # minor units of each currency without a rate
    nothing_left: bool  # there were amounts, and none could be converted


def held(amount_minor: int) -> int:
    """An amount that a row can hold: sums only grow, so a negative amount counts as none."""
    return amount_minor if 0 <= amount_minor <= MAX_MINOR else max(0, min(amount_minor, MAX_MINOR))


def code(currency: str) -> bytes:
    """An ISO 4217 code as the three bytes that a record has for it."""
    return currency.encode()[:3].ljust(3)


def currency(code: bytes) -> str:
    return code.decode(errors="replace").rstrip()


def converted(amounts_minor: Mapping[str, int], parameters: Parameters) -> Converted:
    """The amounts (minor units by currency) in the base currency, each rounded half to even.

    A currency without a rate is kept apart, never added up. Nothing is nothing in every currency.
    """
    base = parameters.base_currency
    minor, unconverted, converted_some = 0, {}, False
    for currency, amount in amounts_minor.items():
        if currency == base or amount == 0:
            minor += amount
        elif (rate := parameters.rate(currency)) is not None:
            shift = DIGITS.get(base, 2) - DIGITS.get(currency, 2)
            exact = _EXACT.multiply(_EXACT.multiply(Decimal(amount), rate), Decimal(1).scaleb(shift))
            minor += int(_EXACT.to_integral_value(exact))
        else:
            unconverted[currency] = amount
            continue
        converted_some = True
    return Converted(minor, unconverted, bool(unconverted) and not converted_some)
