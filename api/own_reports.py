"""Which own reports were saved, and what does one answer?"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct
from starlette.requests import Request

from api.asked import Asked, Told, noted
from api.parameters import moment
from api.problems import Problem, refusal
from api.report_answers import ReportBody
from api.services import Services
from history import own, report_files
from history.guard import QueryRefused
from history.own_answer import Own, question
from history.report_files import Broken
from history.report_values import BadParameter, nearest, values
from history.reporting import Answer
from history.saved import SavedReport
from history.sql import QueryStopped
from projections.times import rfc3339


class Versions(Struct, frozen=True):
    """Every version, the last one first."""

    items: list[ReportBody]


def saved_body(saved: SavedReport) -> ReportBody:
    """The version, with why its form is not understood as its question where that is so."""
    try:
        asks = question(saved_form(saved))
    except own.BadForm as error:
        asks = str(error)
    form = msgspec.json.decode(saved.form)
    told = (saved.name, saved.title, asks, "own", True, (), (), None)
    return ReportBody(*told, saved.version, saved.who, rfc3339(saved.saved_at), form)


def saved_form(saved: SavedReport) -> own.Form:
    """The form as it was saved; raises BadForm for one of which the members have changed since."""
    return own.read(msgspec.json.decode(saved.form))


def listed(saved: Iterable[SavedReport]) -> tuple[list[ReportBody], list[Broken]]:
    """The last version of each that can be asked, and which cannot, with the reason."""
    items, broken = [], []
    for last in {each.name: each for each in saved}.values():
        try:
            saved_form(last)
        except own.BadForm as error:
            broken.append(Broken(last.name, str(error)))
        else:
            items.append(saved_body(last))
    return items, broken


def read_form(document: object) -> own.Form:
    """The form; raises a Problem (422)."""
    try:
        return own.read(document)
    except own.BadForm as error:
        raise refusal(error) from error


def as_of_ms(services: Services, as_of: str | None) -> int:
    """The moment that is asked about: until now, by default. Raises a Problem (422)."""
    if as_of is not None:
        return moment("as_of", as_of)
    return services.engine.now_ms()


async def versions(services: Services, name: str) -> list[SavedReport]:
    """Every version of that own report, the last one first; raises a Problem (404) where there is none."""
    saved = await services.history.saved_reports()
    found = [each for each in saved if each.name == name]
    if not found:
        known = {each.name for each in saved} | set(report_files.names())
        raise Problem(404, f"There is no report {name[:80]!r}: {nearest(name, known)}.")
    return found[::-1]


async def answer_saved(
    request: Request,
    services: Services,
    name: str,
    given: dict[str, str],
    as_of: str | None,
    timezone: str | None,
) -> Answer:
    """What a saved one answers, its last version or that of the parameter `version`; raises a Problem."""
    found = await versions(services, name)
    wanted = given.pop("version", str(found[0].version))
    version = next((each for each in found if str(each.version) == wanted), None)
    if version is None:
        listed = nearest(wanted, [str(each.version) for each in found])
        raise refusal(BadParameter(f"{name} has no version {wanted[:80]!r}: {listed}.", "version"))
    try:
        values((), given)  # it has no other parameters
    except BadParameter as error:
        raise refusal(error) from error
    try:
        form = saved_form(version)
    except own.BadForm as error:
        raise Problem(409, f"Version {version.version} of {name} is broken. {error}") from error
    form = msgspec.structs.replace(form, as_of=as_of or form.as_of, timezone=timezone or form.timezone)
    return await answer(request, services, Own(form, name, version.title))


async def answer(request: Request, services: Services, asked: Own) -> Answer:
    """What an own report answers, once it is noted; raises a Problem (422)."""
    form = asked.form
    told = services.history.own(
        asked, as_of_ms(services, form.as_of), form.timezone or services.settings.timezone
    )
    try:
        return await noted(request, services, Asked("", (), asked.name), told, of_answer)
    except (BadParameter, QueryRefused, QueryStopped) as error:
        raise refusal(error) from error


def of_answer(answer: Answer) -> Told:
    """What is noted of the answer of a report."""
    return Told(answer.table.num_rows, ";\n".join(asked.query for asked in answer.queries))
