"""What `nexus plugin check` looks at, beside the manifest."""

from nexus.cli.checks.code import EventsOfCode, check_code, events_of_code
from nexus.cli.checks.configuration import check_configuration
from nexus.cli.checks.events import Party, check_events
from nexus.cli.checks.finding import Finding, Level
from nexus.cli.checks.requirements import check_requirements
from nexus.cli.checks.routes import check_import_and_routes

__all__ = [
    "EventsOfCode",
    "Finding",
    "Level",
    "Party",
    "check_code",
    "check_configuration",
    "check_events",
    "check_import_and_routes",
    "check_requirements",
    "events_of_code",
]
