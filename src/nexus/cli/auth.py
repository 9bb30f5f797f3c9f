"""`nexus auth setup`."""

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

import typer

from nexus.cli.errors import SetupRefused
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, stored_note

if TYPE_CHECKING:
    from nexus.cli.client import ManagementClient
    from nexus.cli.connection import Where
    from nexus.data.database import Database

_THERE_IS_ONE: Final = "There is an administrator already, who can make more users."
_BROKEN: Final = frozenset({"failed", "quarantined", "invalid"})

auth_app = typer.Typer(help="Users, as the built-in plugin auth knows them.", no_args_is_help=True)


@auth_app.callback()
def _group() -> None:
    pass


@auth_app.command()
def setup(
    app_folder: AppFolder = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Make the one-time token with which the first administrator is made, and show it this once.

    It is stored as the secret setting setup_token of the plugin, and works while there is no
    administrator. An earlier one is void. None is made where it could not work: there is an
    administrator already, or the plugin has failed.
    """
    from nexus.cli.connection import Where, maybe_connected

    out = Output(as_json=as_json)
    where = Where(folder=app_folder, url=url, token=token)
    made, waits = secrets.token_urlsafe(32), ""
    with maybe_connected(where) as (client, detail):
        running = client is not None
        if client is not None:
            waits = _judge(client)
            client.patch("/plugins/auth/config", {"setup_token": made})
        else:
            _store(where, made)

    def show() -> None:
        out.say("The one-time token for the first administrator, shown this once:")
        out.say(f"  {made}", style="bold")
        out.say("Send it to POST /plugins/auth/setup with a username and a password.")

    database = None if running else where.settings().database_url.location
    out.result({"token": made, "running": running}, show)
    if waits:
        out.note(waits)
    if database is not None:
        out.note(stored_note(database, detail))


def _judge(client: "ManagementClient") -> str:
    """Say what a token for the running application has to wait for; nothing if it works now.

    Raises:
        SetupRefused: It could not work.
    """
    plugin = client.get("/plugins/auth")
    state, reason = plugin["state"], plugin["reason"]
    if state in _BROKEN:
        raise SetupRefused(problem=f"The plugin auth is {state}. {reason}".strip())
    if state != "running":
        return f"The plugin auth is {state}, and the token works once it runs. {reason}".strip()
    if client.of_plugin("auth", "/setup")["done"]:
        raise SetupRefused(problem=_THERE_IS_ONE)
    return ""


def _store(where: "Where", made: str) -> None:
    from nexus.cli.stored import stored_application

    async def write() -> None:
        async with stored_application(where.settings(), write=True) as stored:
            await stored.outlook("auth")  # which is an error where there is no such plugin
            if stored.database is not None and await _has_administrator(stored.database):
                raise SetupRefused(problem=_THERE_IS_ONE)
            await stored.set_value("auth", "setup_token", made)

    asyncio.run(write())


async def _has_administrator(database: "Database") -> bool:
    """Tell whether the plugin has stored one, as it tells itself where it runs."""
    from nexus.data.collections import Collections, read_collections

    collections = Collections(database, "auth", read_collections({"users": {}}))
    await collections.prepare()  # which makes the table where the plugin has never run
    return await collections.get("users").exists({"roles": {"$contains": "admin"}, "active": True})
