"""PostgreSQL: where those who wait for events listen."""

from typing import Final

CHANNEL: Final = "nexus_events"
"""Its messages are the log's last position, or nothing where the subscriptions have changed."""
