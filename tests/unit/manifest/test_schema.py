"""The JSON Schema says what the reader says."""

import json
from pathlib import Path
from typing import Any

import pytest

from nexus.manifest import json_schema, parse_manifest

jsonschema = pytest.importorskip("jsonschema")

PAGE = Path(__file__).parents[2] / "seed" / "my_awesome_plugin" / "manifest.json"
BASE = {"name": "shop", "version": "1.0.0"}


def schema_accepts(document: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(json_schema()).is_valid(document))


def test_the_schema_is_a_valid_2020_12_schema():
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_the_pages_manifest_is_valid():
    assert schema_accepts(json.loads(PAGE.read_text(encoding="utf-8")))


def test_every_key_has_a_title_and_a_description():
    pending = [json_schema()]
    while pending:
        schema = pending.pop()
        for properties in schema.get("properties", {}).values():
            assert properties["title"]
            assert properties["description"]
            items = properties.get("items", {})
            for below in (
                properties,
                items,
                *items.get("anyOf", ()),
                properties.get("additionalProperties"),
            ):
                pending.extend([below] if isinstance(below, dict) else [])


def test_every_example_is_valid_for_the_schema_and_for_the_reader():
    for name, key in json_schema()["properties"].items():
        for example in key.get("examples", ()):
            needs = {"activation": ["on_request"], "permissions": ["http.mount"]}
            document = {**BASE, **needs, name: example}
            folder = document["name"]
            assert schema_accepts(document), (name, example)
            assert parse_manifest(json.dumps(document).encode(), folder).problems == ()


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"$schema": "x"},
        {"dependencies": ["billing>=2", "users"]},
        {"dependencies": {"billing": ">=2"}},
        {"permissions": ["database.read", "events.subscribe:user.*"]},
        {"description": "two\nlines"},
        {"configuration": {"a": {"type": "string", "min": 1, "pattern": "^a", "default": "ab"}}},
        {"configuration": {"a": {"type": "array", "default": [1], "max": 3}}},
        {"api_endpoints": [{"method": "DELETE", "path": "/x/{id}", "auth": "permission:a.b"}]},
        {"events": {"subscribes": ["a.*", "**"]}},
        {"events": {"publishes": ["a", {"name": "b", "version": 1, "schema": {"required": []}}]}},
        {"events": {"subscribes": [{"pattern": "a.*", "version": 2, "timeout": 0.5}]}},
        {"events": {"subscribes": [{"pattern": "a", "version": ">=2", "priority": -1}]}},
    ],
)
def test_what_the_reader_takes_without_a_word_the_schema_takes(keys: dict[str, Any]):
    document = {**BASE, **keys}

    assert parse_manifest(json.dumps(document).encode(), "shop").problems == ()
    assert schema_accepts(document)


@pytest.mark.parametrize(
    "keys",
    [
        {"name": "My-Plugin"},
        {"name": "a_"},
        {"version": 1},
        {"versoin": "1"},
        {"tags": "a"},
        {"tags": ["a", "a"]},
        {"permissions": ["databse.read"]},
        {"permissions": ["databse.read:x"]},
        {"dependencies": "billing"},
        {"dependencies": {"A": ""}},
        {"configuration": {"a": {}}},
        {"configuration": {"a-b": {"type": "string"}}},
        {"configuration": {"a": {"type": "float"}}},
        {"configuration": {"a": {"type": "integer", "default": "3"}}},
        {"configuration": {"a": {"type": "integer", "min": 1.5}}},
        {"configuration": {"a": {"type": "string", "min": -1}}},
        {"configuration": {"a": {"type": "boolean", "min": 1}}},
        {"configuration": {"a": {"type": "integer", "pattern": "a"}}},
        {"configuration": {"a": {"type": "string", "enum": []}}},
        {"configuration": {"a": {"type": "string", "enum": [1]}}},
        {"configuration": {"a": {"type": "string", "defualt": "a"}}},
        {"api_endpoints": [{"path": "/"}]},
        {"api_endpoints": [{"method": "GET", "path": "x"}]},
        {"api_endpoints": [{"method": "GET", "path": "/", "auth": "root"}]},
        {"events": {"publishes": ["a.*"]}},
        {"events": {"subscribes": ["a.**.b"]}},
        {"events": {"publishes": [{"version": 1}]}},
        {"events": {"publishes": [{"name": "a", "version": 0}]}},
        {"events": {"publishes": [{"name": "a", "schema": "b"}]}},
        {"events": {"publishes": [{"name": "a", "versoin": 1}]}},
        {"events": {"subscribes": [{"pattern": "a", "timeout": 0}]}},
        {"events": {"subscribes": [{"pattern": "a", "concurrency": 0}]}},
        {"events": {"subscribes": [{"pattern": "a"}, {"pattern": "a"}]}},
    ],
)
def test_what_the_reader_complains_about_the_schema_flags(keys: dict[str, Any]):
    document = {**BASE, **keys}

    assert parse_manifest(json.dumps(document).encode(), "shop").problems
    assert not schema_accepts(document)


def test_the_schema_offers_the_permissions_that_it_is_given():
    schema = json_schema(known_permissions={"weather.control"})

    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({**BASE, "permissions": ["weather.control"]})
    assert not validator.is_valid({**BASE, "permissions": ["database.read"]})
