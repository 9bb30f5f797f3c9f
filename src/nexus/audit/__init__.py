"""Who has changed what: the audit log in the application's database."""

from nexus.audit.actor import SYSTEM, Actor, acting, current_actor
from nexus.audit.denials import Denials
from nexus.audit.entry import AuditEntry, AuditQuery
from nexus.audit.keeper import AuditKeeper
from nexus.audit.log import AuditLog, Change

__all__ = [
    "SYSTEM",
    "Actor",
    "AuditEntry",
    "AuditKeeper",
    "AuditLog",
    "AuditQuery",
    "Change",
    "Denials",
    "acting",
    "current_actor",
]
