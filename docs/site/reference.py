"""Write docs/reference/: scene and result, their JSON Schemas, the settings, the metrics.

It also writes what dbt lists of the metrics. Run by `make docs`. Its files are committed, so that
the fields can be read without the site; tests/delivery/test_site.py compares them with the models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import metric_columns  # beside this file, as star
import star

from mela.result import METRICS
from mela.schemas import DOCUMENTS, Document, json_schema
from mela.settings import Settings
from services.monitoring.all_metrics import table

DOCS = Path(__file__).resolve().parents[1]
Schema = Mapping[str, Any]

INTRODUCTIONS = {
    "scene": "This page is generated from the model that validates a scene; `mela schema scene` "
    "prints the [JSON Schema](scene.schema.json). [Scenes](../scenes.md) introduces the fields "
    "with examples. A field without a default is required, and a field that is not listed here is "
    "refused.",
    "result": "This page is generated from the model that validates a result; `mela schema result` "
    "prints the [JSON Schema](result.schema.json). [Results](../results.md) says where results are "
    "stored and how to read them. Metrics are fractions; an undefined value is null.",
}
SETTINGS = """\
Settings are environment variables. A variable overrides `$MELA_HOME/stack.env`, which `mela up`
writes, and that file overrides the defaults. This page is generated from the model that reads them
when a process starts, `mela.settings.Settings`. After a change, `mela up` restarts the services
that it concerns. `MELA_HOME` is `.mela/` in the clone, or a folder under `/var/lib/mela`
for root."""
MONITORING = """\
The monitor serves these samples; [monitoring](../monitoring.md) says where, and what they cost.
This page is generated from the registry that the monitor serves them from. A source that does not
answer leaves its samples out and sets `mela_source_up` to 0."""
_ANY = 2**53  # whole numbers end there, which nobody needs to be told
_SIGNS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
}


def main() -> None:
    """Write every file of the reference, dbt's lists of metrics, and the picture of the star."""
    for name, text in files().items():
        (DOCS / "reference" / name).write_text(text, encoding="utf-8")
    for name, text in metric_columns.files().items():
        (metric_columns.DBT / name).write_text(text, encoding="utf-8")
    (DOCS / "pictures" / "star.svg").write_text(star.drawing(), encoding="utf-8")


def files() -> dict[str, str]:
    """Return the name and text of every file of docs/reference."""
    texts: dict[str, str] = {}
    for what in DOCUMENTS:
        schema = json_schema(what)
        texts[f"{what}.schema.json"] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        texts[f"{what}.md"] = "\n".join(_page(what, schema)) + "\n"
    texts["monitoring.md"] = f"# All metrics for Prometheus\n\n{MONITORING}\n\n{table()}\n"
    texts["settings.md"] = "\n".join(_settings(Settings.model_json_schema())) + "\n"
    return texts


def _page(what: Document, schema: Schema) -> Iterator[str]:
    yield from (f"# All fields of a {what}", "", INTRODUCTIONS[what], "")
    fields, parts = schema["properties"], _parts(schema)
    if what == "scene":
        yield from _table(what, schema)
    else:
        told = {name: one for name, one in fields.items() if name not in METRICS}
        yield from _table(what, {**schema, "properties": told})
        yield from ("", "## Metrics", "", "| metric | type | defined in |", "| --- | --- | --- |")
        for name, (section, anchor) in where_metrics_are_defined().items():
            kind = _type(what, fields[name])
            yield f"| `{name}` | {kind} | [{section}](../metrics.md#{anchor}) |"
        parts = {name: part for name, part in parts.items() if name not in _parts_of_a_scene()}
    for name, part in parts.items():
        yield from ("", f"## {name}", "", part.get("description", ""), "")
        if "enum" in part:
            yield ", ".join(f"`{value}`" for value in part["enum"])
        else:
            yield from _table(what, part)


def _settings(schema: Schema) -> Iterator[str]:
    yield from ("# Settings", "", SETTINGS, "")
    services: dict[str, Schema] = {}
    own: dict[str, Schema] = {}
    for name, field in schema["properties"].items():
        if "$ref" in field:
            services[name] = schema["$defs"][field["$ref"].rpartition("/")[2]]
        else:
            own[name] = field
    yield from _variables("MELA_", own)
    for name, service in services.items():
        yield from ("", f"## {name}", "", service["description"], "")
        yield from _variables(f"MELA_{name.upper()}__", service["properties"])


def _variables(prefix: str, fields: Mapping[str, Schema]) -> Iterator[str]:
    yield from ("| variable | type | default | meaning |", "| --- | --- | --- | --- |")
    for name, field in fields.items():
        default = "see above" if name == "home" else _default(field)
        if field.get("format") == "password":
            default = "made by `mela up`" if name.endswith("password") else "none"
        cells = (f"`{prefix}{name.upper()}`", _type("scene", field), default, _cell(field))
        yield f"| {' | '.join(cells)} |"


def _parts(schema: Schema) -> dict[str, Schema]:
    """Return the parts of a document in the order in which its fields name them."""
    found: dict[str, Schema] = {}

    def follow(part: Any) -> None:
        for name in re.findall(r'"#/\$defs/(\w+)"', json.dumps(part.get("properties", {}))):
            if name not in found:
                found[name] = schema["$defs"][name]
                follow(found[name])

    follow(schema)
    return found


@cache
def _parts_of_a_scene() -> frozenset[str]:
    return frozenset(_parts(json_schema("scene")))


def where_metrics_are_defined() -> dict[str, tuple[str, str]]:
    """Return for each metric the heading of docs/metrics.md below which it is defined."""
    found: dict[str, tuple[str, str]] = {}
    heading = ""
    for line in (DOCS / "metrics.md").read_text(encoding="utf-8").splitlines():
        heading = line.removeprefix("## ") if line.startswith("## ") else heading
        for bold in re.findall(r"\*\*([^*]+)\*\*", line):
            for name in re.findall(r"\w+", bold):
                anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
                found.setdefault(name, (heading, anchor))
    return {name: found[name] for name in METRICS}


def _table(what: Document, part: Schema) -> Iterator[str]:
    yield from ("| field | type | default | meaning |", "| --- | --- | --- | --- |")
    fields = part["properties"]
    for name in sorted(fields, key=lambda name: name != "kind"):
        field = fields[name]
        default = "required" if name in part.get("required", ()) else _default(field)
        yield f"| `{name}` | {_type(what, field)} | {default} | {_cell(field)} |"


def _default(field: Schema) -> str:
    default = field.get("default")
    if isinstance(default, Mapping):  # of a part: its own fields have defaults
        kind = default.get("kind")
        return f"kind `{kind}`" if kind and kind != "flat" else "its fields' own"
    if "default" not in field:
        return "empty"
    return f"`{json.dumps(default)}`"


def _type(what: Document, field: Schema) -> str:
    """Return what a value may be, its parts as links to their sections."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        page = "scene.md" if what == "result" and name in _parts_of_a_scene() else ""
        return f"[{name}]({page}#{name.lower()})"
    for several in ("anyOf", "oneOf"):
        if several in field:
            return " or ".join(dict.fromkeys(_type(what, each) for each in field[several]))
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        if list(field["enum"]) == list(METRICS):
            return "a [metric](../metrics.md)"
        return ", ".join(f"`{value}`" for value in field["enum"])
    return _plain(what, field)


def _plain(what: Document, field: Schema) -> str:
    kind: str = field.get("type", "any JSON value")
    told = {key: sign for key, sign in _SIGNS.items() if abs(field.get(key, _ANY)) < _ANY}
    bounds = [f"{sign} {field[key]:g}" for key, sign in told.items()]
    if kind == "array":
        return f"list of {_type(what, field['items'])}"
    if kind == "object":
        values = field.get("additionalProperties")
        return f"object of {_type(what, values)}" if isinstance(values, Mapping) else "object"
    names = {"date-time": "instant", "uuid": "UUID", "password": "secret", "path": "folder"}
    usual = "text" if kind == "string" else kind
    name = names.get(field.get("format", ""), usual)
    return " ".join([name, ", ".join(bounds)]).strip()


def _cell(field: Schema) -> str:
    return field.get("description", "").replace("|", r"\|")


if __name__ == "__main__":
    main()
