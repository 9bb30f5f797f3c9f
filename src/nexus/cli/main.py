"""The `nexus` command, put together from its groups."""

import sys
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typing_extensions import override

from nexus._version import __version__
from nexus.cli.audit import audit
from nexus.cli.auth import auth_app
from nexus.cli.backup import backup, restore
from nexus.cli.config import config_app
from nexus.cli.data import data_app
from nexus.cli.db import db_app
from nexus.cli.doctor import doctor
from nexus.cli.events import events_app
from nexus.cli.exit_codes import EPILOG, ExitCode, exit_code_of
from nexus.cli.health import health
from nexus.cli.init import init
from nexus.cli.jobs import jobs_app
from nexus.cli.maintenance import maintenance_app
from nexus.cli.output import report_error, report_nexus_error
from nexus.cli.plugin import plugin_app
from nexus.cli.run import run
from nexus.cli.secrets import secrets_app
from nexus.cli.token import token_app
from nexus.cli.top import top
from nexus.errors import NexusError

# Its name in Typer is private and has changed its place; it is what BadParameter inherits from.
_UsageError: Any = typer.BadParameter.__bases__[0]

_ORDER: Final = (
    "init",
    "run",
    "plugin",
    "config",
    "events",
    "data",
    "db",
    "jobs",
    "maintenance",
    "audit",
    "health",
    "top",
    "doctor",
    "backup",
    "restore",
    "token",
    "secrets",
    "auth",
)
"""The commands as the help shows them: in the order in which one meets them."""


class NexusGroup(TyperGroup):
    """The outermost command: turns the platform's errors into messages and exit codes."""

    _as_json = False

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        self._as_json = "--json" in args
        return super().parse_args(ctx, args)

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=_ORDER.index)

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except NexusError as error:
            report_nexus_error(error, as_json=self._as_json)
            raise typer.Exit(exit_code_of(error)) from error
        except _UsageError as error:
            if not self._as_json:
                raise
            report_error("usage", error.format_message(), as_json=True)
            raise typer.Exit(ExitCode.USAGE) from error


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nexus {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=NexusGroup,
    name="nexus",
    help="Make, run and operate applications of plugins.",
    epilog=EPILOG,
    no_args_is_help=True,
    # A traceback with local variables would show secrets.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


app.command()(init)
app.command()(run)
app.add_typer(plugin_app, name="plugin")
app.add_typer(config_app, name="config")
app.add_typer(events_app, name="events")
app.add_typer(data_app, name="data")
app.add_typer(db_app, name="db")
app.add_typer(jobs_app, name="jobs")
app.add_typer(maintenance_app, name="maintenance")
app.add_typer(token_app, name="token")
app.add_typer(secrets_app, name="secrets")
app.add_typer(auth_app, name="auth")
app.command()(backup)
app.command()(restore)
app.command()(audit)
app.command()(health)
app.command()(top)
app.command()(doctor)


def main() -> None:
    """Run the command line; ends the process with the command's exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a stand-in, not a traceback.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a TextIOWrapper
    app()
