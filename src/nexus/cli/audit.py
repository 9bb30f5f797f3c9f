"""`nexus audit`."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, print_json_line, styled

if TYPE_CHECKING:
    from nexus.config import Settings

_GLANCE: Final = 1.0
"""Seconds between two looks for new rows."""

_LATE: Final = 200
"""So many of the newest rows are looked at each time: one that was begun earlier may come late."""

Rows = Sequence[Mapping[str, Any]]


def audit(  # noqa: PLR0913 - an option each
    *,
    plugin: Annotated[
        str | None, typer.Option(metavar="PLUGIN", help="Only what concerns this plugin.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option(metavar="ACTOR", help="Only what this one has done.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(metavar="ACTION", help="Only this action, or plugin.* and such.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Only from a time on, or 15m, 2h, 7d ago.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many rows.")] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what comes, until interrupted.")
    ] = False,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show who has changed what, from where, and what was there before; newest first."""
    from nexus.cli.connection import Where, maybe_connected

    query = {"plugin": plugin, "actor": actor, "action": action, "since": since}
    where = Where(folder=app_folder, url=url, token=token)
    out = Output(as_json=as_json)
    with maybe_connected(where) as (client, detail):

        def read(most: int) -> Rows:
            if client is None:
                return _stored(where.settings(), query, most)
            found: Rows = client.get("/audit", **query, limit=most)["items"]
            return found

        if follow:
            with suppress(KeyboardInterrupt):
                _follow(out, read, limit)
            return
        items = read(limit)
        out.result({"items": items}, lambda: _show(out, items))
    if client is None:
        out.note(f"No application is running; this is what its database says. {detail}".strip())


def _stored(settings: "Settings", query: Mapping[str, Any], limit: int) -> Rows:
    from nexus.audit import AuditQuery
    from nexus.cli.audited import audit_log
    from nexus.cli.stored import opened_database
    from nexus.web.management.moment import since

    path = settings.database_path
    if path is not None and not path.exists():
        return []
    try:
        moment = None if query["since"] is None else since(query["since"]) / 1e9
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from error

    async def read() -> Rows:
        async with opened_database(settings) as database:
            wanted = AuditQuery(**{**query, "since": moment}, limit=limit)
            return [each.dict() for each in await (await audit_log(database)).read(wanted)]

    return asyncio.run(read())


def _follow(out: Output, read: Callable[[int], Rows], limit: int) -> None:
    tell: Callable[[Mapping[str, Any]], None] = (
        print_json_line if out.as_json else lambda row: out.say(_line(row))
    )
    seen: set[int] = set()
    most = limit
    while True:
        for row in reversed(read(most)):
            if row["id"] not in seen:
                seen.add(row["id"])
                tell(row)
        most = _LATE
        time.sleep(_GLANCE)


def _show(out: Output, items: Rows) -> None:
    if not items:
        out.say("Nothing of that kind is in the audit log.")
        return
    table = out.table("Time", "Who", "Action", "Plugin", "Result", "Change")
    table.columns[2].no_wrap = True
    for row in items:
        table.add_row(
            row["time"][:19].replace("T", " "),
            " ".join(filter(None, (row["actor"], row["address"]))),
            row["action"],
            row["plugin"] or "-",
            styled(row["result"]),
            _change(row),
        )
    out.console.print(table)


def _line(row: Mapping[str, Any]) -> str:
    parts = (
        row["time"][:19].replace("T", " "),
        row["actor"],
        row["address"],
        row["action"],
        row["plugin"],
        row["result"],
        _change(row),
    )
    return " ".join(filter(None, parts))


def _change(row: Mapping[str, Any]) -> str:
    before, after = _in_words(row["before"]), _in_words(row["after"])
    return f"{before} -> {after}" if before and after else before or after


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    return "" if value is None else str(value)
