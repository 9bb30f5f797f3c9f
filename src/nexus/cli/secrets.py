"""`nexus secrets rotate`."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from nexus.cli.exit_codes import ExitCode
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, count

if TYPE_CHECKING:
    from nexus.config import Settings

secrets_app = typer.Typer(
    help="The key that encrypts the secrets of plugins.", no_args_is_help=True
)


@secrets_app.callback()
def _group() -> None:
    pass


@secrets_app.command()
def rotate(
    app_folder: AppFolder = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Encrypt all stored secrets with a new key; the application may run meanwhile.

    The new key is made in the data folder. Where NEXUS_SECRET_KEY is set that is the new key, and
    the one before belongs into NEXUS_SECURITY__FORMER_SECRET_KEYS until this has run. A run that
    ended too early is finished by another one.
    """
    from nexus.cli.connection import Where, maybe_connected

    out = Output(as_json=as_json)
    where = Where(folder=app_folder, url=url, token=token)
    with out.waiting("Encrypting"), maybe_connected(where) as (client, _):
        if client is not None:
            done = client.post("/system/secrets/rotate")
        else:
            done = asyncio.run(_rotate(where.settings()))
    out.result(done, lambda: _show(out, done))
    if done["lost"]:
        raise typer.Exit(ExitCode.FAILED)


async def _rotate(settings: "Settings") -> dict[str, Any]:
    from nexus.cli.audited import audited
    from nexus.cli.stored import stored_application

    async with stored_application(settings, write=True) as stored:
        rotation = stored.secret_rotation()
        async with audited(rotation.database, "secrets.rotate", irreversible=True) as change:
            done = (await rotation.rotate()).dict()
            change.after = done
        return done


def _show(out: Output, done: Mapping[str, Any]) -> None:
    secrets = count(done["encrypted"], "secret")
    out.say(f"Encrypted {secrets} anew; the key is {done['key']} now.", style="green")
    for lost in done["lost"]:
        out.say(
            f"No key opens {lost['key']} of {lost['plugin']}. Give the key that it was stored with"
            " in NEXUS_SECURITY__FORMER_SECRET_KEYS and run this again, or set it anew:"
            f" nexus config set {lost['plugin']} {lost['key']}",
            style="yellow",
        )
    out.say("Backups made before need the former key.")
