"""SQLAlchemy models of plugins, and sessions for them."""

from nexus.data.models.adoption import adopt
from nexus.data.models.models import Models
from nexus.data.models.sessions import ModelSessions

__all__ = ["ModelSessions", "Models", "adopt"]
