"""`nexus auth setup`."""

import asyncio
import secrets
from typing import TYPE_CHECKING

import typer

from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, stored_note

if TYPE_CHECKING:
    from nexus.cli.connection import Where

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
    administrator. An earlier one is void.
    """
    from nexus.cli.connection import Where, maybe_connected

    out = Output(as_json=as_json)
    where = Where(folder=app_folder, url=url, token=token)
    made = secrets.token_urlsafe(32)
    with maybe_connected(where) as (client, detail):
        running = client is not None
        if client is not None:
            client.patch("/plugins/auth/config", {"setup_token": made})
        else:
            _store(where, made)

    def show() -> None:
        out.say("The one-time token for the first administrator, shown this once:")
        out.say(f"  {made}", style="bold")
        out.say("Send it to POST /plugins/auth/setup with a username and a password.")

    database = None if running else where.settings().database_url.location
    out.result({"token": made, "running": running}, show)
    if database is not None:
        out.note(stored_note(database, detail))


def _store(where: "Where", made: str) -> None:
    from nexus.cli.stored import stored_application

    async def write() -> None:
        async with stored_application(where.settings(), write=True) as stored:
            await stored.set_value("auth", "setup_token", made)

    asyncio.run(write())
