"""Does the API do what its own description says, whatever anyone sends?"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.api_client import api_over, order

EXAMPLES = 15
NOT_HERE = ["/live", "/doctor"]  # the one never ends, the other asks a real history
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


async def serve(path: Path, started: "Future[uvicorn.Server]") -> None:
    """Serve an engine with a customer on a free port until the server is told to exit."""
    async with api_over(path) as api:
        await api.post(order("ada"))
        server = uvicorn.Server(uvicorn.Config(api.app, port=0, log_level="warning", ws="none"))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        started.set_result(server)
        await serving


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The description of an engine that serves in a thread of its own."""
    path, started = tmp_path_factory.mktemp("api"), Future[uvicorn.Server]()
    thread = Thread(target=lambda: asyncio.run(serve(path, started)), daemon=True)
    thread.start()
    server = started.result(60)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
    server.should_exit = True
    thread.join(30)


def test_every_call_answers_as_described(description: Any) -> None:
    """For any generated request: a described status, its content type and its shape, and no failure."""
    tried = set()
    for found in description.exclude(path=NOT_HERE).get_all_operations():
        operation = found.ok()

        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def answers_as_described(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=list(CHECKS))

        answers_as_described()
        tried.add(operation.path)
    assert tried >= {"/events", "/customers", "/customers/{customer_id}", "/transitions", "/sql", "/rfm"}
