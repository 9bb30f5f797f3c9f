"""Tells which other plugins start or stop when one does."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from nexus.plugins.state import SETTLED, PluginState

if TYPE_CHECKING:
    from nexus.cli.client import ManagementClient
    from nexus.cli.output import Output

_PATIENCE: Final = 10.0
"""Seconds to wait for the others: they are judged again only after the plugin has settled."""
_PAUSE: Final = 0.05
_Plugins = Sequence[Mapping[str, Any]]


def settled_plugins(client: "ManagementClient", patience: float = _PATIENCE) -> _Plugins:
    """List the plugins of the running application once none of them is under way.

    Args:
        client: The application.
        patience: Seconds to wait for that; they are listed as they are then.
    """
    until = time.monotonic() + patience
    while True:
        items: _Plugins = client.get("/plugins")["items"]
        if all(each["state"] in SETTLED for each in items) or time.monotonic() > until:
            return items
        time.sleep(_PAUSE)


def changed_with(
    name: str, before: _Plugins, after: _Plugins, serving: PluginState = PluginState.RUNNING
) -> list[dict[str, Any]]:
    """Give name, state and reason of the other plugins that have started or stopped.

    Args:
        name: The plugin that was changed itself.
        before: All plugins before the change.
        after: All plugins after it.
        serving: The state of a plugin that serves: `stopped` where nothing runs, which marks one
            that starts with the application.
    """
    old = {each["name"]: each["state"] for each in before}
    return [
        {key: each[key] for key in ("name", "state", "reason")}
        for each in after
        if each["name"] != name
        and old.get(each["name"]) in SETTLED
        and (
            (old[each["name"]] == serving) is not (each["state"] == serving)
            or each["state"] not in SETTLED
        )
    ]


def show_changed(out: "Output", others: _Plugins, *, running: bool) -> None:
    """Print a line for each of the others."""
    for each in others:
        name, state, reason = each["name"], each["state"], each["reason"]
        if not running:
            starts = state == PluginState.STOPPED
            text = f"{name} starts with it." if starts else f"{name} is {state} then: {reason}"
        elif state == PluginState.RUNNING:
            text = f"{name} has started with it."
        elif state == PluginState.DORMANT:
            text = f"{name} starts with its first use."
        elif state in SETTLED:
            text = f"{name} has stopped with it, and is {state}: {reason}"
        else:
            text = f"{name} is {state}."
        out.say(f"  {text}")
