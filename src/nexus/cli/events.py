"""The commands of `nexus events`."""

import typer

from nexus.cli.events_dead import dead_app
from nexus.cli.events_log import lag, replay
from nexus.cli.events_publish import publish
from nexus.cli.events_show import show, trace
from nexus.cli.events_switch import switch
from nexus.cli.events_tail import tail

events_app = typer.Typer(
    help="Look at events, and see that they are handled.", no_args_is_help=True
)
events_app.command()(tail)
events_app.command()(show)
events_app.command()(trace)
events_app.command()(publish)
events_app.command()(lag)
events_app.add_typer(dead_app, name="dead")
events_app.command()(replay)
events_app.command()(switch)
