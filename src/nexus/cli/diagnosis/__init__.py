"""What `nexus doctor` looks at."""

from nexus.cli.diagnosis.data import diagnose_data
from nexus.cli.diagnosis.events import diagnose_events
from nexus.cli.diagnosis.extras import diagnose_extras
from nexus.cli.diagnosis.installation import diagnose_installation
from nexus.cli.diagnosis.line import Line
from nexus.cli.diagnosis.plugins import diagnose_plugins
from nexus.cli.diagnosis.server import diagnose_server
from nexus.cli.diagnosis.settings import diagnose_settings

__all__ = [
    "Line",
    "diagnose_data",
    "diagnose_events",
    "diagnose_extras",
    "diagnose_installation",
    "diagnose_plugins",
    "diagnose_server",
    "diagnose_settings",
]
