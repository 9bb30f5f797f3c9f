"""The manifest: what a plugin says of itself before any of its code runs.

Each field's metadata states the key's shape, meaning and examples. The reader and the JSON Schema
are both made from it.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import Any, Final

from nexus.manifest.activation import USE, Span
from nexus.manifest.coherence import check_setting
from nexus.manifest.config_field import ConfigField
from nexus.manifest.dependency import Dependencies, Dependency
from nexus.manifest.endpoint import ApiEndpoint
from nexus.manifest.event_contract import PublishedEvent, SubscribedEvents
from nexus.manifest.event_declarations import EVENTS, EventDeclarations
from nexus.manifest.mount import MOUNT
from nexus.manifest.names import PLUGIN_NAME, SETTING_NAME
from nexus.manifest.permissions import PERMISSION
from nexus.manifest.record import Record, key
from nexus.manifest.shapes import ListOf, TableOf, Text, prose
from nexus.manifest.versions import VERSION, VERSION_RANGE, satisfies_release

_LINE: Final = Text(expected="a text of one line")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One plugin's manifest, valid by construction when the reader made it.

    Attributes:
        name: The plugin's identity, equal to its folder's name.
        version: Its version (PEP 440), as written.
        title: Its name for people; empty when not given.
        description: What it does.
        author: Who wrote it.
        email: Where to write to the author.
        license: Its license, best as an SPDX expression.
        category: The group that it is listed in.
        tags: Words to find it by.
        python_version: The range of Python versions that it runs on; empty for any.
        nexus_version: The range of platform versions that it runs on; empty for any.
        dependencies: The plugins that must be running first.
        permissions: What it asks to be allowed.
        configuration: Its settings, by name.
        mount: The path that it is served at; empty for `/plugins/<name>`.
        api_endpoints: The HTTP endpoints that it offers.
        events: The events that it publishes and listens to.
        activation: The uses that start it; empty when it starts with the application.
        idle_stop: Seconds without a use after which it is stopped again; None for never.
    """

    name: str = field(
        metadata=key(
            PLUGIN_NAME,
            "Name",
            "The plugin's identity. It equals the name of the plugin's folder.",
            "my_awesome_plugin",
        )
    )
    version: str = field(
        metadata=key(VERSION, "Version", "The plugin's version, as PEP 440 defines it.", "1.0.0")
    )
    title: str = field(
        default="",
        metadata=key(_LINE, "Title", "The plugin's name for people.", "My Awesome Plugin"),
    )
    description: str = field(
        default="",
        metadata=key(prose("a text"), "Description", "What the plugin does.", "Sends reminders."),
    )
    author: str = field(
        default="", metadata=key(_LINE, "Author", "Who wrote the plugin.", "Your Name")
    )
    email: str = field(
        default="",
        metadata=key(
            Text(
                expected='an address such as "name@example.com"',
                pattern=r"(?:[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+)?",
                longest=320,
            ),
            "Email",
            "Where to write to the author.",
            "your.email@example.com",
        ),
    )
    license: str = field(
        default="",
        metadata=key(_LINE, "License", "The license, best as an SPDX expression.", "MIT"),
    )
    category: str = field(
        default="",
        metadata=key(_LINE, "Category", "The group the plugin is listed in.", "productivity"),
    )
    tags: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(entry=_LINE, expected="an array of texts", unique=True),
            "Tags",
            "Words to find the plugin by.",
            ["api", "integration"],
        ),
    )
    python_version: str = field(
        default="",
        metadata=key(
            VERSION_RANGE,
            "Python versions",
            "The range of Python versions that the plugin runs on, as PEP 440 defines it.",
            ">=3.11",
        ),
    )
    nexus_version: str = field(
        default="",
        metadata=key(
            VERSION_RANGE,
            "Nexus versions",
            "The range of platform versions that the plugin runs on, as PEP 440 defines it.",
            ">=0.1.0",
        ),
    )
    dependencies: tuple[Dependency, ...] = field(
        default=(),
        metadata=key(
            Dependencies(),
            "Dependencies",
            "The plugins that must be running before this one starts, each with a range of"
            " versions or none.",
            ["billing>=2,<3", "users"],
            {"billing": ">=2,<3"},
        ),
    )
    permissions: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(entry=PERMISSION, expected="an array of permissions", unique=True),
            "Permissions",
            "What the plugin asks to be allowed. What it does not ask for is refused.",
            ["database.read", "events.publish"],
        ),
    )
    configuration: Mapping[str, ConfigField] = field(
        default_factory=dict,
        metadata=key(
            TableOf(
                key=SETTING_NAME,
                value=Record(
                    model=ConfigField,
                    expected='a declaration such as {"type": "string"}',
                    rule=check_setting,
                    secret=True,  # who writes a value here may have written an API key
                ),
                expected="an object of settings by name",
            ),
            "Configuration",
            "The plugin's settings, by name.",
            {"max_retries": {"type": "integer", "default": 3, "min": 1, "max": 10}},
        ),
    )
    mount: str = field(
        default="",
        metadata=key(
            MOUNT,
            "Mount",
            "The path that the plugin is served at instead of /plugins/<name>. It needs the"
            " permission http.mount.",
            "/shop",
        ),
    )
    api_endpoints: tuple[ApiEndpoint, ...] = field(
        default=(),
        metadata=key(
            ListOf(
                entry=Record(model=ApiEndpoint, expected="an object with method and path"),
                expected="an array of endpoints",
            ),
            "API endpoints",
            "The HTTP endpoints that the plugin offers, described for readers.",
            [{"method": "GET", "path": "/status", "description": "Get plugin status"}],
        ),
    )
    events: EventDeclarations = field(
        default=EventDeclarations(),
        metadata=key(
            EVENTS,
            "Events",
            "The events that the plugin publishes and listens to.",
            {"publishes": ["my_plugin.action_completed"], "subscribes": ["user.created"]},
        ),
    )
    activation: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(entry=USE, expected="an array of uses that start the plugin", unique=True),
            "Activation",
            "What starts the plugin at its first use. Without it, the plugin starts with the"
            " application.",
            ["on_request"],
            ["on_request", "on_event:order.*", "on_service:billing"],
        ),
    )
    idle_stop: float | None = field(
        default=None,
        metadata=key(
            Span(),
            "Idle stop",
            "How long a plugin with activation may be unused until it is stopped again.",
            "10m",
            600,
        ),
    )

    def accepts_python(self, version: str) -> bool:
        """Say whether the plugin runs on this version of Python."""
        return satisfies_release(version, self.python_version)

    def accepts_nexus(self, version: str) -> bool:
        """Say whether the plugin runs on this version of the platform."""
        return satisfies_release(version, self.nexus_version)

    def to_dict(self) -> dict[str, Any]:
        """Give the manifest as JSON-ready data, without the keys that have their default."""
        return _record_data(self)


MANIFEST: Final = Record(
    model=Manifest,
    expected="an object",
    ignored={"$schema": {"title": "Schema", "description": "Where an editor finds the schema."}},
)
"""The shape of a whole manifest."""


def _record_data(record: Any) -> dict[str, Any]:
    return {
        each.name: _data(getattr(record, each.name))
        for each in fields(record)
        if getattr(record, each.name) != _default(each)
    }


def _default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _data(value: Any) -> Any:
    if isinstance(value, Dependency):
        return value.text
    if isinstance(value, EventDeclarations):
        return _event_data(value)
    if isinstance(value, tuple):
        return [_data(entry) for entry in value]
    if isinstance(value, dict):
        return {name: _data(entry) for name, entry in value.items()}
    return _record_data(value) if is_dataclass(value) else value


def _event_data(events: EventDeclarations) -> dict[str, Any]:
    said: dict[str, tuple[PublishedEvent | SubscribedEvents | str, ...]] = {
        "publishes": tuple(events.contracts.get(name, name) for name in events.publishes),
        "subscribes": tuple(events.subscriptions.get(each, each) for each in events.subscribes),
    }
    return {name: _data(entries) for name, entries in said.items() if entries}
