"""What `nexus plugin check` looks at, beside the manifest."""

from nexus.cli.checks.code import check_code
from nexus.cli.checks.configuration import check_configuration
from nexus.cli.checks.finding import Finding, Level
from nexus.cli.checks.requirements import check_requirements
from nexus.cli.checks.routes import check_import_and_routes

__all__ = [
    "Finding",
    "Level",
    "check_code",
    "check_configuration",
    "check_import_and_routes",
    "check_requirements",
]
