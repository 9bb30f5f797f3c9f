"""Objects that plugins offer to each other."""

from nexus.services.reference import ServiceReference
from nexus.services.registry import Offer, ServiceRegistry

__all__ = ["Offer", "ServiceReference", "ServiceRegistry"]
