"""What `nexus run` tells at its start: where it serves, and which plugins run."""

import os
import sys
from typing import TYPE_CHECKING

from nexus._version import __version__
from nexus.cli.output import Output, count, print_json_line, styled
from nexus.plugins.state import PluginState

if TYPE_CHECKING:
    from nexus.app import NexusApp


def show_token(out: Output, token: str) -> None:
    """Tell the management token as soon as it is made: it is never shown again."""
    if out.as_json:
        print_json_line({"event": "token", "token": token})
        return
    out.say("\nThe management token, shown this once; keep it:")
    out.say(f"  {token}", style="bold")
    sys.stdout.flush()


def show_banner(
    out: Output, app: "NexusApp", url: str, *, reload: bool, pid: int | None = None
) -> None:
    """Tell where the application serves.

    Args:
        out: Where it is told.
        app: The application.
        url: Where it can be reached from this machine.
        reload: Whether plugins are reloaded when their files change.
        pid: The process that is to be told to stop, this one by default.
    """
    settings = app.settings
    if out.as_json:
        docs = f"{url}/docs" if settings.http.docs else None
        pid = os.getpid() if pid is None else pid
        print_json_line(
            {
                "event": "listening",
                "url": url,
                "pid": pid,
                "docs": docs,
                "safe_mode": app.parts.safe_mode.reason or None,
            }
        )
        return
    out.say("")
    out.say(f"{settings.name}, on Nexus {__version__} ({settings.environment})", style="bold")
    host = settings.server.host
    rows = [
        ("Serving", url),
        ("Listening on", host if host not in url and host != "localhost" else ""),
        ("API docs", f"{url}/docs" if settings.http.docs else ""),
        ("Management", f"{url}/api/v1"),
        (
            "Plugins",
            "they start when the database is there; it is away, as the log says"
            if app.waits_for_database
            else f"{len(app.manager.names())} found, starting",
        ),
        ("Workers", str(settings.server.workers) if settings.server.workers > 1 else ""),
        ("Reload", "on: a plugin is reloaded when its files change" if reload else ""),
        ("Stop", "Ctrl-C"),
    ]
    out.pairs(rows)
    if app.parts.safe_mode.reason:
        out.say(f"  {app.parts.safe_mode.words}", style="bold yellow")
    for warning in settings.warnings:
        out.say(f"  Warning: {warning}", style="yellow")
    out.say("")
    sys.stdout.flush()


async def show_outcome(out: Output, app: "NexusApp") -> None:
    """Wait until every plugin has settled, and tell which ones run and which do not, and why."""
    await app.ready()
    statuses = [each.status for each in app.manager.controllers()]
    running = [each.name for each in statuses if each.state is PluginState.RUNNING]
    asleep = [each.name for each in statuses if each.state is PluginState.DORMANT]
    others = [
        each for each in statuses if each.state not in (PluginState.RUNNING, PluginState.DORMANT)
    ]
    if out.as_json:
        print_json_line(
            {
                "event": "settled",
                "running": running,
                "dormant": asleep,
                "others": [
                    {"name": each.name, "state": str(each.state), "reason": each.reason}
                    for each in others
                ],
            }
        )
        return
    if not statuses:
        out.say("No plugins yet. Make one: nexus plugin create hello")
    if running:
        verb = "runs" if len(running) == 1 else "run"
        out.say(f"{count(len(running), 'plugin')} {verb}: {', '.join(running)}", style="green")
    if asleep:
        verb = "starts" if len(asleep) == 1 else "start"
        out.say(f"{count(len(asleep), 'plugin')} {verb} at the first use: {', '.join(asleep)}")
    if others:
        out.say(f"{count(len(others), 'plugin')} not running:", style="yellow")
        table = out.table("", "", "")
        table.show_header = False
        for status in others:
            table.add_row(f"  {status.name}", styled(status.state), status.reason)
        out.console.print(table)
    sys.stdout.flush()
