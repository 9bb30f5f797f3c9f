"""The application: the one package that knows all the others and puts them together."""

from nexus.app.application import NexusApp
from nexus.app.creation import create_nexus_app

__all__ = ["NexusApp", "create_nexus_app"]
