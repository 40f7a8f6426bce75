"""The API keeps to its own schema, on the real platform: schemathesis asks what the schema allows.

Of each operation some requests are made that the schema allows, and of those with a body some that
it does not. An
answer is of a status, a type and a shape that the schema names, and never a 500.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from api.schema import PLACE
from mela.settings import Settings
from services.accounts import accounts, sessions, tokens
from services.accounts.accounts import Role, Scope
from tests.integration.serving import served

pytestmark = pytest.mark.integration
EXAMPLES = 10  # of an operation
# The file, which tests/api/test_schema.py holds equal to what is served: to make it takes seconds,
# in each worker that collects this.
OPERATIONS = [
    (mode, f"{method.upper()} {path}")
    for path, operations in json.loads(PLACE.read_text(encoding="utf-8"))["paths"].items()
    for method, operation in operations.items()
    for mode in ("positive", "negative")
    if not path.endswith("/events")  # a stream does not end
    and (mode == "positive" or operation.get("requestBody"))
]


@pytest.fixture(scope="module")
def schema(platform: Settings) -> Iterator[Any]:
    import schemathesis  # takes seconds, which only who asks should need

    with served(platform) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


@pytest.fixture(scope="module")
def token(platform: Settings) -> str:
    """A trader's token: what it asks may be granted, and hurts no account but this one."""
    name, password = f"schema-{uuid4().hex[:8]}", "seven quiet herons"
    accounts.add(platform, name, password, Role.TRADER)
    signed_in = sessions.sign_in(platform, name, password, address="127.0.0.1", agent=None)
    made = tokens.make(platform, signed_in.caller, "schema", [Scope.READ, Scope.WRITE], days=1)
    return made.secret


@pytest.mark.parametrize(("mode", "operation"), OPERATIONS)
def test_an_operation_keeps_to_the_schema(
    schema: Any, token: str, mode: str, operation: str
) -> None:
    from schemathesis import Case, GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    conforming = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    method, path = operation.split(" ", 1)
    found = schema[path][method]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=found.as_strategy(generation_mode=GenerationMode(mode)))
    def ask(case: Case) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {token}"}, timeout=60)
        if answer.status_code != 503:
            case.validate_response(answer, checks=conforming)

    ask()
