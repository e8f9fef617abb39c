"""Does the API do what its own description says, whatever anyone sends?"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.api_client import served

EXAMPLES = 15
NOT_HERE = ["/live", "/doctor"]  # the one never ends, the other asks a real history
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The description that a server gives of itself."""
    with served(tmp_path_factory.mktemp("api")) as address:
        yield schemathesis.openapi.from_url(f"{address}/openapi.json")


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
