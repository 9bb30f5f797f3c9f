"""The names that a manifest may use: of plugins, of settings, of events."""

import re
from keyword import iskeyword
from typing import Final

from nexus.manifest.shapes import Refusal, Text

RESERVED: Final = frozenset(
    {"nexus", "system", "plugin", "plugins", "con", "nul", "prn", "aux"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
)
"""Names that mean the platform itself, or a device on Windows; Python's keywords join them."""

PLATFORM_EVENTS: Final = ("system.", "plugin.")
"""How the names of the platform's own events begin."""

_NAME_LIMIT: Final = 63
_EVENT_LIMIT: Final = 255
_SEGMENT: Final = r"[A-Za-z0-9_-]+"


def refuse_plugin_name(name: str) -> str | None:
    """Say what is expected where a name cannot be a plugin's; None when it can.

    Args:
        name: The name, as in the manifest or of a folder.
    """
    refusal = PLUGIN_NAME.refuse(name)
    return refusal.expected if refusal else None


def _like_a_name(text: str) -> str | None:
    """Give the valid name closest to a text, such as `my_plugin` for `My-Plugin`."""
    candidate = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_").lstrip("0123456789_")
    return candidate if candidate and candidate != text else None


def _refuse_reserved(name: str) -> Refusal | None:
    if name in RESERVED or iskeyword(name):
        return Refusal(expected="a name that neither the platform, Python nor Windows reserves")
    return None


def _refuse_platform_event(name: str) -> Refusal | None:
    if name.startswith(PLATFORM_EVENTS):
        expected = 'an event name that does not start with "system." or "plugin.", the platform\'s'
        return Refusal(expected=expected)
    return None


PLUGIN_NAME: Final = Text(
    expected="1 to 63 of a-z, 0-9 and _, starting with a letter, without __ and without a final _",
    pattern=r"[a-z](?:_?[a-z0-9])*",
    longest=_NAME_LIMIT,
    rule=_refuse_reserved,
    suggest=_like_a_name,
)
# No "__" and no final "_", here and below: NEXUS_PLUGINS__<NAME>__<KEY> must have one reading.

SETTING_NAME: Final = Text(
    expected="1 to 63 of A-Z, a-z, 0-9 and _, starting with a letter, without __"
    " and without a final _",
    pattern=r"[A-Za-z](?:_?[A-Za-z0-9])*",
    longest=_NAME_LIMIT,
    suggest=_like_a_name,
)

EVENT_NAME: Final = Text(
    expected="an event name: segments of A-Z, a-z, 0-9, _ and -, joined by dots",
    pattern=rf"{_SEGMENT}(?:\.{_SEGMENT})*",
    longest=_EVENT_LIMIT,
    rule=_refuse_platform_event,
)

EVENT_PATTERN: Final = Text(
    expected="an event name in which * may stand for a segment, and a final ** for the rest",
    pattern=rf"(?:(?:{_SEGMENT}|\*)\.)*(?:{_SEGMENT}|\*\*?)",
    longest=_EVENT_LIMIT,
)
