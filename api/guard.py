"""Who gets past the door of an application? Whom the Host check and, where one is set, the key let in."""

from fastapi import FastAPI

from api.access import HostCheck, check, server_names
from api.keys import Key, KeyCheck
from api.metrics import Measure, Metrics
from streams.settings import Settings


def guard(app: FastAPI, settings: Settings, metrics: Metrics) -> Key | None:
    """Check every request, and time it; the key that is asked for.

    Raises ValueError for settings that `access.check` refuses.
    """
    check(settings)
    key = None if settings.api_key is None else Key(settings.api_key.get_secret_value())
    if key is not None:
        app.add_middleware(KeyCheck, key=key)
    app.add_middleware(HostCheck, names=server_names(settings))
    app.add_middleware(Measure, metrics=metrics)
    return key
