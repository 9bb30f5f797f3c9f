"""`nexus token renew`."""

import asyncio

import typer

from nexus.cli.options import AppFolder, AsJson
from nexus.cli.output import Output

token_app = typer.Typer(help="The management token.", no_args_is_help=True)


@token_app.callback()
def _group() -> None:
    pass


@token_app.command()
def renew(app_folder: AppFolder = None, as_json: AsJson = False) -> None:
    """Make a new management token, shown this once; the old one is shut out.

    The application must not run. NEXUS_ADMIN_TOKEN, where it is set, stays valid.
    """
    from nexus.cli.connection import Where, must_not_run
    from nexus.cli.served import must_not_be_served
    from nexus.cli.stored import stored_application
    from nexus.errors import DatabaseInUse
    from nexus.security import AdminTokens

    out = Output(as_json=as_json)
    settings = Where(folder=app_folder).settings()

    async def make() -> str:
        async with stored_application(settings, write=True) as stored:
            assert stored.database is not None  # noqa: S101 - it is to be written to
            await must_not_be_served(stored.database, "renew the token")
            async with stored.changing("token.renew"):
                return await AdminTokens(stored.store).renew()

    try:
        token = asyncio.run(make())
    except DatabaseInUse as error:
        raise must_not_run("renew the token", settings, error) from error

    def show() -> None:
        out.say("The new management token, shown this once; keep it:")
        out.say(f"  {token}", style="bold")

    out.result({"token": token}, show)
