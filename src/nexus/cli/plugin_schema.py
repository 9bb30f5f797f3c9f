"""`nexus plugin schema`."""

from nexus.cli.output import print_json


def schema() -> None:
    """Print the JSON Schema of manifest.json, for editors."""
    from nexus.manifest import json_schema

    print_json(json_schema())
