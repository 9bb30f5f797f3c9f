"""The commands of `nexus plugin`."""

import typer

from nexus.cli.plugin_change import disable, enable, reload
from nexus.cli.plugin_check import check
from nexus.cli.plugin_create import create
from nexus.cli.plugin_logs import log_level, logs
from nexus.cli.plugin_permissions import approve, revoke
from nexus.cli.plugin_purge import purge
from nexus.cli.plugin_schema import schema
from nexus.cli.plugin_show import info, list_plugins
from nexus.cli.plugin_tests import run_tests

plugin_app = typer.Typer(help="Make, look at and operate plugins.", no_args_is_help=True)
plugin_app.command()(create)
plugin_app.command("list")(list_plugins)
plugin_app.command()(info)
plugin_app.command()(check)
plugin_app.command()(enable)
plugin_app.command()(disable)
plugin_app.command()(reload)
plugin_app.command()(approve)
plugin_app.command()(revoke)
plugin_app.command()(logs)
plugin_app.command("log-level")(log_level)
plugin_app.command()(purge)
plugin_app.command()(schema)
plugin_app.command(
    "test",
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    },
)(run_tests)
