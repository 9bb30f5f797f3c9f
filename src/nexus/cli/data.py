"""The commands of `nexus data`."""

import typer

from nexus.cli.data_export import export_data
from nexus.cli.data_import import import_data

data_app = typer.Typer(help="Move what a plugin has stored, as a file.", no_args_is_help=True)
data_app.command("export")(export_data)
data_app.command("import")(import_data)
