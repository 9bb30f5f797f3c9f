"""The manifest: its model, its reader, and its JSON Schema.

The names below are loaded on first use: who only passes a manifest on does not need the reader.
"""

from typing import TYPE_CHECKING

from nexus._lazy import lazy_names

if TYPE_CHECKING:
    from nexus.manifest.config_field import ConfigField
    from nexus.manifest.dependency import Dependency
    from nexus.manifest.endpoint import ApiEndpoint
    from nexus.manifest.event_contract import PublishedEvent, SubscribedEvents
    from nexus.manifest.event_declarations import EventDeclarations
    from nexus.manifest.model import Manifest
    from nexus.manifest.names import refuse_plugin_name
    from nexus.manifest.permissions import KNOWN_PERMISSIONS
    from nexus.manifest.problems import Problem
    from nexus.manifest.reader import ReadResult, parse_manifest, read_manifest
    from nexus.manifest.schema import json_schema
    from nexus.manifest.versions import satisfies, satisfies_release

__all__ = [
    "KNOWN_PERMISSIONS",
    "ApiEndpoint",
    "ConfigField",
    "Dependency",
    "EventDeclarations",
    "Manifest",
    "Problem",
    "PublishedEvent",
    "ReadResult",
    "SubscribedEvents",
    "json_schema",
    "parse_manifest",
    "read_manifest",
    "refuse_plugin_name",
    "satisfies",
    "satisfies_release",
]

_HOMES = {
    "ApiEndpoint": "nexus.manifest.endpoint",
    "ConfigField": "nexus.manifest.config_field",
    "Dependency": "nexus.manifest.dependency",
    "EventDeclarations": "nexus.manifest.event_declarations",
    "KNOWN_PERMISSIONS": "nexus.manifest.permissions",
    "Manifest": "nexus.manifest.model",
    "Problem": "nexus.manifest.problems",
    "PublishedEvent": "nexus.manifest.event_contract",
    "ReadResult": "nexus.manifest.reader",
    "SubscribedEvents": "nexus.manifest.event_contract",
    "json_schema": "nexus.manifest.schema",
    "parse_manifest": "nexus.manifest.reader",
    "read_manifest": "nexus.manifest.reader",
    "refuse_plugin_name": "nexus.manifest.names",
    "satisfies": "nexus.manifest.versions",
    "satisfies_release": "nexus.manifest.versions",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
