"""The reference page tells every key, and its example is a manifest."""

import json
import re
from dataclasses import fields
from pathlib import Path

from nexus.manifest import (
    KNOWN_PERMISSIONS,
    ApiEndpoint,
    ConfigField,
    EventDeclarations,
    Manifest,
    parse_manifest,
)
from nexus.manifest.config_field import TYPES
from nexus.manifest.endpoint import METHODS
from nexus.manifest.names import RESERVED

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs" / "reference" / "manifest.md").read_text(encoding="utf-8")
PAGE = ROOT / "tests" / "seed" / "my_awesome_plugin" / "manifest.json"


def test_every_key_has_a_row_in_a_table():
    rows = [line.split("|")[1] for line in REFERENCE.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    models = (Manifest, ConfigField, ApiEndpoint, EventDeclarations)

    assert {each.name for model in models for each in fields(model)} <= told
    assert set(KNOWN_PERMISSIONS) <= told


def test_every_word_with_a_meaning_is_told():
    words = set(re.findall(r"`([^`\s]+)`", REFERENCE))

    numbered = {name for name in RESERVED if name[-1].isdigit() and name[-1] not in "19"}
    assert (RESERVED - numbered) <= words
    assert set(METHODS) <= words
    assert set(TYPES) <= words


def test_the_first_example_is_the_pages_manifest_and_valid():
    example = re.findall(r"```json\n(.*?)```", REFERENCE, re.DOTALL)[0]

    assert json.loads(example) == json.loads(PAGE.read_text(encoding="utf-8"))
    assert parse_manifest(example.encode(), "my_awesome_plugin").problems == ()


def test_the_other_examples_are_dependencies():
    for example in re.findall(r"```json\n(.*?)```", REFERENCE, re.DOTALL)[1:]:
        document = {"name": "shop", "version": "1", "dependencies": json.loads(example)}
        result = parse_manifest(json.dumps(document).encode(), "shop")
        assert result.manifest is not None
        assert [each.name for each in result.manifest.dependencies] == ["billing", "users"]
