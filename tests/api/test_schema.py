"""The served schema: it is kept in web/openapi.json, and it is complete."""

from __future__ import annotations

from api.app import create_app
from api.schema import PLACE, TITLES, document, titles
from mela.settings import Settings

SCHEMA = create_app(Settings()).openapi()


def test_the_document_that_clients_are_generated_from_is_the_served_one() -> None:
    assert PLACE.read_text(encoding="utf-8") == document(), "run: python -m api.schema"
    assert TITLES.read_text(encoding="utf-8") == titles(), "run: python -m api.schema"


def test_each_operation_says_what_it_does_and_how_it_fails() -> None:
    assert SCHEMA["openapi"].startswith("3.1")
    seen: set[str] = set()
    for path, operations in SCHEMA["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), f"{method} {path}"
            assert "default" in operation["responses"], f"{method} {path}"
            assert operation["operationId"] not in seen
            seen.add(operation["operationId"])


def test_each_request_body_has_an_example() -> None:
    for path, operations in SCHEMA["paths"].items():
        for method, operation in operations.items():
            if body := operation.get("requestBody"):
                reference = body["content"]["application/json"]["schema"]["$ref"]
                model = SCHEMA["components"]["schemas"][reference.rpartition("/")[2]]
                fields = model["properties"].values()
                has_any = "examples" in model or any("examples" in one for one in fields)
                assert has_any, f"{method} {path}"
