"""What an application is made of, put together from its settings; nothing runs yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from nexus.app.event_bus import event_bus_of
from nexus.app.job_scheduler import job_scheduler_of
from nexus.app.notice import Notice
from nexus.audit import AuditKeeper, AuditLog, Denials
from nexus.config import SecretBox, SecretMask, StoredValues
from nexus.config.event_engine import parse_engine
from nexus.config.secret_storage import secret_box_of
from nexus.config.storage import database_of
from nexus.data import SqlKeyValueStore
from nexus.data.database import Database
from nexus.events import EventBus
from nexus.events.log import Lag
from nexus.jobs.scheduler import JobScheduler
from nexus.observability.log_rings import LogRings
from nexus.observability.siblings import Siblings
from nexus.observability.watched import Watched
from nexus.plugins.announcer import Announcer
from nexus.plugins.bytecode import BytecodeCache
from nexus.plugins.configurations import PluginConfigurations
from nexus.plugins.current import log_fields, plugin_of_line
from nexus.plugins.drain_budget import DrainBudget
from nexus.plugins.event_figures import lag_watch
from nexus.plugins.granting import Granting
from nexus.plugins.importer import GenerationImporter
from nexus.plugins.in_process import InProcessHost
from nexus.plugins.log_levels import LogLevels
from nexus.plugins.plugin_logs import PluginLogs
from nexus.plugins.presentable import presentable
from nexus.plugins.safe_mode import ASKED_FOR, SafeMode
from nexus.plugins.watchdog import Watchdog
from nexus.security import AdminTokens, Grants
from nexus.services import ServiceRegistry
from nexus.web.breaker import BreakerPolicy, Breakers

if TYPE_CHECKING:
    from nexus.config import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts that know nothing of the application as a whole.

    Attributes:
        settings: The application's settings.
        mask: Keeps secrets out of texts.
        box: Encrypts stored secrets.
        bus: The events.
        services: The live services.
        jobs: Starts scheduled jobs.
        database: Where everything that must last is kept.
        store: The key-value store in the database.
        tokens: Who may use the management API.
        values: The stored settings of all plugins, in it.
        configurations: Reads the plugins' configuration.
        announcer: Publishes what happens to plugins.
        watchdog: Notices who blocks the event loop.
        host: Loads the plugins' code.
        draining: How long what is in hand at a stop may take to finish.
        breakers: When plugins' requests are kept away from them.
        safe_mode: Keeps plugins from starting while it is on.
        lags: Measures how far durable subscriptions are behind.
        audit: Who has changed what.
        granting: What plugins may do.
        denials: What plugins were refused.
        notice: Tells load balancers of a stop before it begins.
        siblings: What the workers that share an address tell each other.
        logs: What plugins have logged, and how much they log.
        audit_keeper: Looks after the audit log.
    """

    settings: "Settings"
    mask: SecretMask
    box: SecretBox
    bus: EventBus
    services: ServiceRegistry
    jobs: JobScheduler
    database: Database
    store: SqlKeyValueStore
    tokens: AdminTokens
    values: StoredValues
    configurations: PluginConfigurations
    announcer: Announcer
    watchdog: Watchdog
    host: InProcessHost
    draining: DrainBudget
    breakers: Breakers
    safe_mode: SafeMode
    lags: Watched[Sequence[Lag]]
    audit: AuditLog
    granting: Granting
    denials: Denials
    notice: Notice
    siblings: Siblings
    logs: PluginLogs
    audit_keeper: AuditKeeper

    @classmethod
    def of(cls, settings: "Settings", environ: Mapping[str, str]) -> Self:
        """Make the parts.

        Args:
            settings: The application's settings.
            environ: The environment that plugins' settings are read from.
        """
        security = settings.security
        mask = SecretMask(_reveal(security.secret_key))
        for former in security.former_secret_keys:
            mask.add(former.get_secret_value())
        for content in settings.file_contents:
            mask.add(content)
        for password in parse_engine(settings.events.engine).passwords:
            mask.add(password)
        if settings.database_url.password:
            mask.add(settings.database_url.password)
        database = database_of(settings)
        store = SqlKeyValueStore(database, max_bytes=settings.database.value_limit)
        box = secret_box_of(settings)
        values = StoredValues(store, box, database.transaction)
        bus = event_bus_of(settings, database)
        audit = AuditLog(database, lambda value: presentable(value, mask.apply))
        denials = Denials()
        log_levels = LogLevels(store, audit)
        return cls(
            settings=settings,
            mask=mask,
            box=box,
            bus=bus,
            services=ServiceRegistry(),
            jobs=job_scheduler_of(settings, database, mask.apply),
            database=database,
            store=store,
            tokens=AdminTokens(store, _reveal(security.admin_token), mask.add),
            values=values,
            configurations=PluginConfigurations(settings, environ, values, mask),
            announcer=Announcer(bus),
            watchdog=Watchdog(settings.supervision.block_warning),
            host=InProcessHost(
                GenerationImporter(BytecodeCache(settings.data_folder / "bytecode")),
                log_levels.adopt,
            ),
            draining=DrainBudget(settings.shutdown.drain_timeout),
            breakers=_breakers_of(settings),
            safe_mode=SafeMode(ASKED_FOR if settings.startup.safe_mode else ""),
            lags=lag_watch(bus),
            audit=audit,
            granting=Granting(
                Grants(store, automatic=settings.grants_by_itself, denied=denials.note),
                database,
                audit,
            ),
            denials=denials,
            notice=Notice(settings.shutdown.notice),
            siblings=Siblings(),
            logs=PluginLogs(
                rings=LogRings(
                    settings.logging.recent_lines,
                    mask=mask.apply,
                    bound=log_fields,
                    plugin_of=plugin_of_line,
                ),
                levels=log_levels,
            ),
            audit_keeper=AuditKeeper(audit, denials, settings.audit.retention),
        )


def _breakers_of(settings: "Settings") -> Breakers:
    wanted = settings.supervision
    return Breakers(
        policy=BreakerPolicy(
            failures=wanted.breaker_failures,
            window=wanted.breaker_window,
            pause=wanted.breaker_pause,
        )
    )


def _reveal(secret: Any) -> str | None:
    return None if secret is None else secret.get_secret_value()
