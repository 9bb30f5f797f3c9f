"""How an event is put into words."""

import json
from collections.abc import Callable
from typing import Any, Final

from nexus.events import Event
from plugins.notifier.models import Level

_LONGEST = 300

Words = tuple[str, str, Level]
"""The title, the body and the level of a message."""


def words_for(event: Event) -> Words:
    """Give the message for an event; an unknown one is told by its name and its data."""
    write = _WORDS.get(event.name, _anything)
    title, body, level = write(event)
    return title[:_LONGEST], body[:_LONGEST], level


def _task(event: Event, what: str) -> Words:
    tags = ", ".join(event.data.get("tags", []))
    return f"Task {what}: {event.data.get('title', '?')}", tags and f"Tags: {tags}", "info"


def _alert(event: Event) -> Words:
    return "Weather alert", str(event.data.get("message", "")), "warning"


def _user(event: Event) -> Words:
    return f"Welcome, {event.data.get('username', 'new user')}", "A user was created.", "info"


def _action(event: Event) -> Words:
    return f"Action performed: {event.data.get('action', '?')}", "", "info"


def _anything(event: Event) -> Words:
    plugin, _, what = event.name.partition(".")
    title = f"{plugin.replace('_', ' ').capitalize()}: {what.replace('_', ' ')}"
    data: dict[str, Any] = dict(event.data)
    return title, json.dumps(data, ensure_ascii=False) if data else "", "info"


_WORDS: Final[dict[str, Callable[[Event], Words]]] = {
    "tasks.created": lambda event: _task(event, "added"),
    "tasks.updated": lambda event: _task(event, "changed"),
    "tasks.completed": lambda event: _task(event, "done"),
    "tasks.deleted": lambda event: _task(event, "deleted"),
    "weather_station.alert": _alert,
    "user.created": _user,
    "my_awesome_plugin.action_completed": _action,
}
