"""The options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

AppFolder = Annotated[
    Path | None,
    typer.Option(
        "--app",
        "-C",
        metavar="DIR",
        envvar="NEXUS_APP",
        show_envvar=True,
        help="The application's folder; the current one when left out.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        envvar="NEXUS_URL",
        show_envvar=True,
        help="The address of a running application; found by itself on this machine.",
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        envvar="NEXUS_ADMIN_TOKEN",
        show_envvar=True,
        help="The management token that goes with --url.",
    ),
]
