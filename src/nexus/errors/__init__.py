"""Every error that the platform raises on purpose.

An error stores what it knows as attributes and renders its message when it is asked for: what
happened, what was expected, and what to do next. `code` is stable, is part of the HTTP answer, and
stands in the reference; the HTTP status that belongs to it is `nexus.web.errors`' affair.
"""

from nexus.errors.base import NexusError, nearest
from nexus.errors.config import (
    ConfigKeyFixed,
    ConfigValueRefused,
    InvalidSettings,
    InvalidYaml,
    SecretKeyUnusable,
    SecretUndecryptable,
)
from nexus.errors.data import (
    BackupRefused,
    DatabaseClosed,
    DatabaseInUse,
    DatabaseUnavailable,
    InvalidKey,
    NotJson,
    ValueTooLarge,
)
from nexus.errors.events import (
    BusNotRunning,
    DeadLetterNotFound,
    EventDataInvalid,
    EventDataReadOnly,
    EventNameInvalid,
    EventNotDeclared,
    EventPatternInvalid,
    EventTooLarge,
    NoResponder,
    ReplayRefused,
    RequestFailed,
    RequestTimeout,
    SubscriptionClosed,
)
from nexus.errors.permissions import PermissionDenied
from nexus.errors.plugins import (
    ContextClosed,
    HookFailed,
    PluginExited,
    PluginHasNoSettings,
    PluginLoadError,
    PluginNotFound,
    PluginNotRunning,
    ReloadFailed,
    StartupAborted,
)
from nexus.errors.routes import InvalidRouter, RouteOutsidePrefix
from nexus.errors.services import ServiceAmbiguous, ServiceConflict, ServiceNotFound

__all__ = [
    "BackupRefused",
    "BusNotRunning",
    "ConfigKeyFixed",
    "ConfigValueRefused",
    "ContextClosed",
    "DatabaseClosed",
    "DatabaseInUse",
    "DatabaseUnavailable",
    "DeadLetterNotFound",
    "EventDataInvalid",
    "EventDataReadOnly",
    "EventNameInvalid",
    "EventNotDeclared",
    "EventPatternInvalid",
    "EventTooLarge",
    "HookFailed",
    "InvalidKey",
    "InvalidRouter",
    "InvalidSettings",
    "InvalidYaml",
    "NexusError",
    "NoResponder",
    "NotJson",
    "PermissionDenied",
    "PluginExited",
    "PluginHasNoSettings",
    "PluginLoadError",
    "PluginNotFound",
    "PluginNotRunning",
    "ReloadFailed",
    "ReplayRefused",
    "RequestFailed",
    "RequestTimeout",
    "RouteOutsidePrefix",
    "SecretKeyUnusable",
    "SecretUndecryptable",
    "ServiceAmbiguous",
    "ServiceConflict",
    "ServiceNotFound",
    "StartupAborted",
    "SubscriptionClosed",
    "ValueTooLarge",
    "nearest",
]
