"""The commands of `nexus db`."""

import typer

from nexus.cli.db_move import downgrade, upgrade
from nexus.cli.db_revision import revision
from nexus.cli.db_status import drift, status

db_app = typer.Typer(
    help="Look at and change the tables of plugins' models: migrations.", no_args_is_help=True
)
db_app.command()(status)
db_app.command()(upgrade)
# A target such as -1 is no option.
db_app.command(context_settings={"ignore_unknown_options": True})(downgrade)
db_app.command()(revision)
db_app.command()(drift)
