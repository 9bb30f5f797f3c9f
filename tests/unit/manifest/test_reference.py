"""The reference page tells every key, and its example is a manifest."""

import json
import re
from pathlib import Path

from nexus.manifest import KNOWN_PERMISSIONS, ApiEndpoint, ConfigField, parse_manifest
from nexus.manifest.config_field import TYPES
from nexus.manifest.endpoint import METHODS
from nexus.manifest.event_contract import PUBLISHED, SUBSCRIBED
from nexus.manifest.event_declarations import EVENTS
from nexus.manifest.model import MANIFEST
from nexus.manifest.names import RESERVED
from nexus.manifest.record import Record

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs" / "reference" / "manifest.md").read_text(encoding="utf-8")
PAGE = ROOT / "tests" / "seed" / "my_awesome_plugin" / "manifest.json"


def test_every_key_has_a_row_in_a_table():
    rows = [line.split("|")[1] for line in REFERENCE.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    below = [Record(model=model, expected="") for model in (ConfigField, ApiEndpoint)]
    records = [MANIFEST, EVENTS, PUBLISHED.record, SUBSCRIBED.record, *below]

    assert {key for record in records for key in record.keys} <= told
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


def test_the_examples_of_events_are_valid():
    section = REFERENCE.split("\n## Events\n")[1].split("\n## ")[0]
    [example] = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    document = {"name": "shop", "version": "1", "events": json.loads(example)}
    result = parse_manifest(json.dumps(document).encode(), "shop")
    assert result.problems == ()
    assert result.manifest is not None
    assert result.manifest.events.contracts
    assert result.manifest.events.subscriptions


def test_the_examples_of_dependencies_are_valid():
    section = REFERENCE.split("\n### Dependencies\n")[1].split("\n### ")[0]
    examples = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        document = {"name": "shop", "version": "1", "dependencies": json.loads(example)}
        result = parse_manifest(json.dumps(document).encode(), "shop")
        assert result.manifest is not None
        assert [each.name for each in result.manifest.dependencies] == ["billing", "users"]
