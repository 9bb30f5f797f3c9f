"""The processes that serve one application together, by one database."""

from nexus.cluster.desired import DesiredState
from nexus.cluster.members import Member, Members
from nexus.cluster.outcome import Outcome

__all__ = ["DesiredState", "Member", "Members", "Outcome"]
