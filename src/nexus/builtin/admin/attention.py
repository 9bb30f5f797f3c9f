"""What needs somebody's attention, most urgent first, and what to do about it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nexus.builtin.admin.setup import is_set_up
from nexus.builtin.admin.visitor import Visitor

_LOOKED_AT: Final = 10
"""So many blocked plugins are looked at more closely."""

_ADVICE: Final = {
    "failed": "Read its log, mend what is wrong, and reload it.",
    "quarantined": "It failed too often. Mend what is wrong, then reload it for another try.",
    "invalid": "Its manifest has to be corrected; then look for plugins again.",
}
_HOW: Final = {
    "failed": "has failed",
    "quarantined": "is in quarantine",
    "invalid": "has a manifest that is wrong",
    "running": "runs, but something is the matter",
}
_RANK: Final = {"quarantined": 0, "failed": 1, "invalid": 2, "blocked": 3, "running": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDo:
    """One thing that needs attention.

    Attributes:
        kind: `bad` or `warn`.
        title: What it is about.
        reason: What is the matter.
        advice: What to do.
        link: The page where that is done, below the base.
        action: What the link says.
    """

    kind: str
    title: str
    reason: str
    advice: str
    link: str
    action: str


_NOBODY: Final = ToDo(
    kind="warn",
    title="There is no administrator yet",
    reason="The plugin auth runs, and nobody has an account that may manage users.",
    advice="Run 'nexus auth setup' in the application's folder; it says how to make the first one.",
    link="plugins/auth",
    action="Open the plugin",
)


async def things_to_do(
    visitor: Visitor,
    plugins: Sequence[Mapping[str, Any]],
    dead: Mapping[str, int],
    subscriptions: Mapping[str, Any] | None,
    system: Mapping[str, Any],
    activity: Mapping[str, Any],
) -> list[ToDo]:
    """Give everything that needs attention.

    Args:
        visitor: Who looks at it.
        plugins: All plugins.
        dead: How many dead letters each subscription has.
        subscriptions: How subscriptions fare, None where that is not known.
        system: The application as a whole.
        activity: What has happened since somebody began to look.
    """
    found = _of_the_whole(system, subscriptions)
    if not await is_set_up(visitor.caller):
        found.append(_NOBODY)
    seen = [each for plugin in plugins for each in _in_all_workers(plugin)]
    troubled = [each for each in seen if each["state"] in _RANK and each["reason"]]
    troubled.sort(key=lambda each: (_RANK[each["state"]], each["name"]))
    looked_at = 0
    for plugin in troubled:
        if plugin["state"] == "blocked":
            looked_at += 1
            found.append(await _blocked(visitor, plugin, closely=looked_at <= _LOOKED_AT))
        else:
            found.append(_troubled(plugin))
    found.extend(_to_do_of(dead))
    found.extend(_slow(activity))
    return found


def _of_the_whole(system: Mapping[str, Any], subscriptions: Mapping[str, Any] | None) -> list[ToDo]:
    found = []
    if system["safe_mode"]:
        found.append(
            ToDo(
                kind="bad",
                title="Safe mode is on",
                reason=system["safe_mode"],
                advice="Disable or mend what keeps the application from starting; then restart it.",
                link="plugins",
                action="See the plugins",
            )
        )
    if subscriptions and subscriptions["log"]["trouble"]:
        found.append(
            ToDo(
                kind="bad",
                title="The event log cannot be worked with",
                reason=subscriptions["log"]["trouble"],
                advice="Nothing durable can be published until this is mended.",
                link="events",
                action="See the events",
            )
        )
    return found


def _in_all_workers(plugin: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give a plugin as this worker sees it, and as those do where it is otherwise."""
    elsewhere = [
        {**plugin, **each, "title": f"{plugin['title']} in {each['worker']}"}
        for each in plugin["elsewhere"]
    ]
    return [plugin, *elsewhere]


def _troubled(plugin: Mapping[str, Any]) -> ToDo:
    name, state = plugin["name"], plugin["state"]
    is_running = state == "running"
    return ToDo(
        kind="warn" if is_running else "bad",
        title=f"{plugin['title']} {_HOW[state]}",
        reason=plugin["reason"],
        advice=_ADVICE.get(state, "Have a look at the plugin."),
        link=f"plugins/{name}",
        action="Open the plugin",
    )


async def _blocked(visitor: Visitor, plugin: Mapping[str, Any], *, closely: bool) -> ToDo:
    """Tell what a blocked plugin waits for."""
    name = plugin["name"]
    advice, link, action = "It starts by itself when this is there.", "", "Open the plugin"
    if closely:
        detail = await visitor.see(f"/api/v1/plugins/{name}")
        if any(not each["granted"] for each in detail["grants"]):
            advice = "Read what it asks to be allowed, and approve it."
            link, action = "#permissions", "Review the permissions"
        else:
            config = await visitor.glance(f"/api/v1/plugins/{name}/config")
            if config and any(each["problem"] for each in config["items"]):
                advice = "Give it the settings that are missing."
                link, action = "#configuration", "Fill in the settings"
    return ToDo(
        kind="warn",
        title=f"{plugin['title']} is blocked",
        reason=plugin["reason"],
        advice=advice,
        link=f"plugins/{name}{link}",
        action=action,
    )


def dead_letters(
    letters: Mapping[str, Any] | None, subscriptions: Mapping[str, Any] | None
) -> Counter[str]:
    """Count dead letters by subscription; of durable ones only, for who may not see events.

    Args:
        letters: The letters, None where the visitor may not see them.
        subscriptions: How subscriptions fare, None where that is not known.
    """
    if letters is not None:
        return Counter(each["subscription"] for each in letters["items"])
    durable = subscriptions["durable"] if subscriptions else ()
    return Counter({each["subscription"]: each["dead"] for each in durable if each["dead"]})


def _to_do_of(dead: Mapping[str, int]) -> list[ToDo]:
    return [
        ToDo(
            kind="warn",
            title=f"{count} dead letter{'' if count == 1 else 's'}",
            reason=f"{subscription} could not handle {'it' if count == 1 else 'them'}.",
            advice="Mend the handler, then have them handled again, or drop them.",
            link="events/dead",
            action="See the dead letters",
        )
        for subscription, count in sorted(dead.items(), key=lambda each: -each[1])
    ]


def _slow(activity: Mapping[str, Any]) -> list[ToDo]:
    found = [
        ToDo(
            kind="warn",
            title=f"{plugin} blocks the event loop",
            reason=f"Its code kept everybody waiting lately: {_times(count)}.",
            advice="Have it do what takes long in a thread, or in smaller steps.",
            link=f"plugins/{plugin}",
            action="Open the plugin",
        )
        for plugin, count in activity["blocks"].items()
    ]
    if count := activity["slow_queries"]:
        found.append(
            ToDo(
                kind="warn",
                title="The database is slow",
                reason=f"Statements took longer than database.slow_query lately: {_times(count)}.",
                advice="The log has the statements. See what else uses the database's machine.",
                link="system",
                action="Go to System",
            )
        )
    return found


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
