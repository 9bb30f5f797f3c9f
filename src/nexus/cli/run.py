"""`nexus run`: serves the application of a folder."""

from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli.options import AppFolder

if TYPE_CHECKING:
    from pathlib import Path

    from nexus.app import NexusApp
    from nexus.cli.output import Output
    from nexus.cli.start_attempts import StartAttempts


def run(
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="The address to listen on, instead of server.host."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=0,
            max=65535,
            help="The port to listen on, instead of server.port; 0 takes a free one.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="How many processes serve, instead of server.workers."
        ),
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Reload a plugin when a file in its folder changes.")
    ] = False,
    safe_mode: Annotated[
        bool,
        typer.Option("--safe-mode", help="Start only the plugins that come with Nexus."),
    ] = False,
    log_level: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="DEBUG, INFO, WARNING, ERROR or CRITICAL."),
    ] = None,
    app_folder: AppFolder = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one document a line, for programs.")
    ] = False,
) -> None:
    """Serve the application until Ctrl-C or SIGTERM.

    Requests in hand are finished first; a second Ctrl-C stops without waiting. With several
    workers, one that dies is started again. After three starts in a row that crashed before the
    application was ready, the next one is in safe mode.
    """
    import os

    from nexus.cli.folder import application_folder
    from nexus.cli.loading import load_application
    from nexus.cli.output import Output
    from nexus.cli.running import sole_user
    from nexus.cli.start_attempts import StartAttempts, counted

    folder = application_folder(app_folder)
    os.chdir(folder)
    # As variables, since these reach a main.py that makes the application itself.
    options = {
        "NEXUS_SERVER__HOST": host,
        "NEXUS_SERVER__PORT": port,
        "NEXUS_SERVER__WORKERS": workers,
        "NEXUS_LOGGING__LEVEL": log_level,
        "NEXUS_STARTUP__SAFE_MODE": "true" if safe_mode else None,
    }
    os.environ.update({name: str(value) for name, value in options.items() if value is not None})
    app = load_application(folder)
    _refuse_unprotected(app)
    if reload and app.settings.server.workers > 1:
        message = (
            "--reload goes with one worker: leave it out, or set --workers 1. With several,"
            " 'nexus plugin reload NAME' reloads a plugin on all of them."
        )
        raise typer.BadParameter(message)
    with sole_user(app.settings.data_folder):
        out = Output(as_json=as_json)
        attempts = StartAttempts(app.settings.data_folder)
        if attempts.is_loop:
            app.parts.safe_mode.begin(attempts.in_words)
        elif attempts.crashes:
            app.set_up_logging()
            attempts.tell()
        with counted(attempts):
            if app.settings.server.workers > 1:
                _supervise(app, out, folder, attempts)
            else:
                _serve(app, out, attempts, reload=reload)


def _supervise(app: "NexusApp", out: "Output", folder: "Path", attempts: "StartAttempts") -> None:
    from nexus.cli.listening import bind
    from nexus.cli.supervisor import Supervisor, database_for_workers

    server_settings = app.settings.server
    with (
        database_for_workers(app.settings) as lock,
        bind(server_settings.host, server_settings.port) as listening,
    ):
        Supervisor(app, out, listening, attempts, folder=folder, lock=lock).run()


def _refuse_unprotected(app: "NexusApp") -> None:
    from nexus.cli.errors import UnprotectedAddress
    from nexus.cli.listening import is_loopback

    settings = app.settings
    secured = settings.security.secret_key or settings.security.admin_token
    if not secured and not is_loopback(settings.server.host):
        raise UnprotectedAddress(host=settings.server.host)


def _serve(app: "NexusApp", out: "Output", attempts: "StartAttempts", *, reload: bool) -> None:
    from nexus.cli.listening import bind
    from nexus.cli.server import NexusServer, server_config

    server_settings = app.settings.server
    with bind(server_settings.host, server_settings.port) as listening:
        server = NexusServer(server_config(app), app, out, listening, reload=reload)
        server.when_ready, server.when_forced = attempts.succeed, attempts.call_off
        server.when_stuck = attempts.tell_crash
        server.serve_until_the_end()
