"""The management API under `/api/v1`."""

from nexus.web.management.api import management_router
from nexus.web.management.context import ManagementContext

__all__ = ["ManagementContext", "management_router"]
