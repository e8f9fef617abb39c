"""Which days does a report count, and which are those before, that they are compared with?"""

from datetime import date, timedelta
from typing import NamedTuple

from sqlglot import exp

from history.own import COMPARISONS, BadForm, Form, Period, chosen
from history.own_fields import Bind, call
from history.own_filters import day

DAY = timedelta(days=1)


class Days(NamedTuple):
    """The period; of a comparison the days before, and how far these are from the period's own."""

    first: date
    last: date
    earlier: tuple[date, date] | None = None
    months: int = 0
    days: int = 0

    def counts(self, on: exp.Expr, bind: Bind) -> exp.Expr:
        """Whether a day is in the period, or in the one before."""
        own = _between(on, self.first, self.last, bind)
        return exp.or_(own, _between(on, *self.earlier, bind)) if self.earlier else own

    def is_earlier(self, on: exp.Expr, bind: Bind) -> exp.Expr:
        """Whether a day that counts is of the period before."""
        return exp.LT(this=on.copy(), expression=_bound(self.first, bind))

    def aligned(self, on: exp.Expr, is_earlier: exp.Expr, bind: Bind) -> exp.Expr:
        """The day, or the period's own day that one of the period before is compared with."""
        months, days = self.months, self.days
        later = (
            call("addMonths", on, bind(months, "Int32"))
            if months
            else call("addDays", on, bind(days, "Int32"))
        )
        return call("if", is_earlier, later, on)


def days_of(form: Form) -> Days | None:
    """The days that the form counts; None for all. Raises BadForm."""
    if form.period is None:
        if form.compare is not None:
            raise BadForm("compare needs a period: give its field, from and to.", "period")
        return None
    first, last = _day(form.period, "from"), _day(form.period, "to")
    if last < first:
        raise BadForm(f"The period ends on {last}, before it begins: exchange from and to.", "period.to")
    if form.compare is None:
        return Days(first, last)
    if chosen(form.compare, COMPARISONS, "There is no comparison", "compare") == "previous_year":
        before = (_months_on(first, -12), _months_on(last + DAY, -12) - DAY)
        if before[1] >= first:
            raise BadForm("The period is longer than a year: compare with previous_period.", "compare")
        return Days(first, last, before, months=12)
    return _after_the_one_before(first, last)


def _after_the_one_before(first: date, last: date) -> Days:
    """Of whole months as many months before, else as many days before."""
    end = last + DAY
    if first.day == 1 and end.day == 1:
        months = (end.year - first.year) * 12 + end.month - first.month
        return Days(first, last, (_months_on(first, -months), first - DAY), months=months)
    return Days(first, last, (first - (end - first), first - DAY), days=(end - first).days)


def _months_on(from_: date, months: int) -> date:
    """The same day of another month, or the last one of a month that is shorter."""
    year, month = divmod(from_.year * 12 + from_.month - 1 + months, 12)
    for number in (from_.day, 30, 29, 28):
        try:
            return date(year, month + 1, number)
        except ValueError:
            continue
    raise AssertionError(from_)  # every month has 28 days


def _day(period: Period, side: str) -> date:
    text = period.first if side == "from" else period.last
    found = day(text)
    if found is None or not 1902 <= found.year <= 2298:  # so that there are days before, and after
        raise BadForm(f"period.{side} is {text[:80]!r}: give a day, such as 2024-01-31.", f"period.{side}")
    return found


def _between(on: exp.Expr, first: date, last: date, bind: Bind) -> exp.Expr:
    return exp.Between(this=on.copy(), low=_bound(first, bind), high=_bound(last, bind))


def _bound(on: date, bind: Bind) -> exp.Expr:
    return bind(on.isoformat(), "Date32")
