"""How the application's parts reach each other: what plugins get, and its own routes."""

import contextvars
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from nexus.app.sleeping import tell_of_sleeping_routes
from nexus.cluster import DesiredState, Members
from nexus.data.transaction import current_transaction
from nexus.plugins.convergence import Convergence
from nexus.plugins.current import current_owner
from nexus.plugins.operator import ClusterOperator, LocalOperator, Operator
from nexus.plugins.platform import Limits, Platform
from nexus.plugins.quarantine import QuarantineList
from nexus.plugins.restarts import RestartPolicy
from nexus.security.gate import IdentityGate
from nexus.security.identity import IDENTITY_SERVICE, IdentityProvider
from nexus.web.exposure import HttpExposure
from nexus.web.own_calls import OwnCalls

if TYPE_CHECKING:
    from nexus.app.application import NexusApp
    from nexus.app.parts import Parts
    from nexus.config import PluginConfiguration
    from nexus.plugins.discovery import DiscoveredPlugin
    from nexus.web.management.activity import Counts

_HEALTH_SECONDS = 1.0
"""How long a measurement on the health pages is good."""

_LAG_PATIENCE = 1.0
"""Seconds that a scrape of the metrics waits for a measurement of the lag."""


def make_gate(parts: "Parts") -> IdentityGate:
    """Give what knows who sends a request, from the one plugin that is to know."""
    plugin = parts.settings.security.identity
    # By a reference, whose calls in hand a provider that is swapped waits for.
    reference: Any = parts.services.reference(IDENTITY_SERVICE)

    def find() -> IdentityProvider | None:
        offer = parts.services.offer(IDENTITY_SERVICE)
        return reference if offer is not None and offer.owner == plugin else None

    return IdentityGate(find, plugin)


def make_platform(app: "NexusApp", parts: "Parts") -> Platform:
    """Give what every generation of a plugin is made with."""
    settings = parts.settings
    app.app.identity = make_gate(parts)
    return Platform(
        host=parts.host,
        bus=parts.bus,
        services=parts.services,
        jobs=parts.jobs,
        database=parts.database,
        store=parts.store,
        exposure=HttpExposure(
            app.app.dispatcher,
            metrics=app.app.metrics,
            current=current_owner,
            app=app.app,
            gate=app.app.identity,
            require_declared=settings.http.require_declared_auth,
            document=app.app.openapi_document,
        ),
        limits=Limits(
            slow_start=settings.startup.slow_after,
            start=settings.startup.timeout,
            health=settings.health.timeout,
            shutdown=settings.shutdown.timeout,
            first_use=settings.startup.first_use_timeout,
        ),
        document_limit=settings.database.document_limit,
        environment=settings.environment,
        drain=parts.draining,
        variables=contextvars.Context(),
        restarts=RestartPolicy(
            intensity=settings.supervision.restarts,
            period=settings.supervision.restart_period,
            pause=settings.supervision.restart_pause,
            longest_pause=settings.supervision.restart_max_pause,
        ),
        quarantine=QuarantineList(parts.store, parts.audit),
        grants=parts.granting.grants,
        audit=parts.audit,
        interface=OwnCalls(
            lambda: app.app.dispatcher, lambda: current_transaction(parts.database) is not None
        ),
        safe_mode=parts.safe_mode,
        settings_changed=app.plugin_changed_its_settings,
        mask=parts.mask.apply,
    )


def owner_of(app: "NexusApp", task: object) -> str | None:
    """Give the plugin on whose behalf a task runs; any thread may ask."""
    for controller in app.manager.controllers():
        live = controller.live
        if live is not None and task in live.tasks:
            return controller.name
    served: str | None = app.dispatcher.served_in(task)
    return served


def make_convergence(app: "NexusApp", parts: "Parts") -> Convergence | None:
    """Give what follows the desired state; None where there can be one worker only."""
    settings = parts.settings
    if settings.is_alone:
        return None
    return Convergence(
        app.manager,
        Members(parts.database, lease=settings.cluster.lease),
        DesiredState(parts.database, parts.store),
        parts.granting,
        parts.logs.levels,
        parts.announcer.settings_changed,
        patience=settings.cluster.patience,
    )


def make_operator(app: "NexusApp", parts: "Parts") -> Operator:
    """Give what does what operators want."""
    if app.convergence is None:
        return LocalOperator(
            app.manager, app.desk, parts.granting, parts.logs.levels, parts.database, parts.audit
        )
    return ClusterOperator(
        app.manager,
        app.desk,
        parts.granting,
        parts.logs.levels,
        app.convergence,
        parts.database,
        parts.audit,
        patience=parts.settings.cluster.patience,
    )


def add_routes(app: "NexusApp", parts: "Parts") -> None:
    """Add the management API, the health pages and the metrics."""
    from nexus.config.secret_storage import secret_rotation_of
    from nexus.config.storage import backup_of
    from nexus.jobs.figures import job_figures
    from nexus.observability.cached import Cached
    from nexus.observability.metrics import FamilyCollector, FamilySource
    from nexus.plugins import event_figures, figures
    from nexus.plugins.own_figures import OwnFigures
    from nexus.transfer import DataDesk
    from nexus.web.breaker_figures import breaker_figures
    from nexus.web.health import HealthContext, health_router
    from nexus.web.management import ManagementContext, management_router
    from nexus.web.management.activity import Activity
    from nexus.web.management.system_report import SystemReport
    from nexus.web.metrics_route import metrics_router

    parts.watchdog.owner_of = partial(owner_of, app)

    def maintenance() -> str | None:
        return app.app.dispatcher.maintenance

    context = ManagementContext(
        manager=app.manager,
        operator=app.operator,
        settings=app.desk,
        bus=parts.bus,
        jobs=parts.jobs,
        services=parts.services,
        tokens=parts.tokens,
        system=SystemReport(
            parts.settings, parts.database, lambda: app.is_settled, maintenance, parts.safe_mode
        ),
        maintenance=maintenance,
        set_maintenance=app.set_maintenance,
        data=DataDesk(app.manager, parts.database, parts.store, parts.values),
        backup=backup_of(parts.database),
        audit=parts.audit,
        grants=parts.granting.grants,
        activity=Activity(partial(_counts, app, parts)),
        logs=parts.logs,
        siblings=parts.siblings,
        mask=parts.mask.apply,
        secrets=secret_rotation_of(parts.settings, parts.database, parts.store, parts.box),
    )
    app.app.include_router(management_router(context))
    app.app.dispatcher.places = app.manager.places
    app.app.dispatcher.first_use = app.manager.starter.for_request
    parts.services.sleeping = app.manager.starter
    parts.jobs.sleeps, parts.jobs.wake = app.manager.starter.sleeps, app.manager.starter.wake
    tell_of_sleeping_routes(app, parts.settings.data_folder / "openapi")
    health = HealthContext(
        manager=app.manager,
        tokens=parts.tokens,
        has_settled=lambda: app.is_settled,
        check_database=Cached(parts.database.check, _HEALTH_SECONDS),
        engine=parts.database.engine,
        safe_mode=parts.safe_mode,
        is_leaving=lambda: parts.notice.is_given,
        left_behind=lambda: app.convergence.left_behind if app.convergence is not None else {},
        log=None if parts.bus.durable is None else parts.bus.durable.log,
    )
    app.app.include_router(health_router(health))
    sources: list[FamilySource] = [
        figures.build_figures,
        figures.plugin_figures(app.manager),
        event_figures.event_figures(parts.bus),
        event_figures.lag_figures(parts.lags),
        job_figures(parts.jobs),
        breaker_figures(app.app.dispatcher),
        figures.loop_figures(parts.watchdog),
        figures.database_figures(parts.database),
    ]
    if parts.bus.durable is not None:
        sources.append(event_figures.log_figures(parts.bus.durable.log))
    metrics = metrics_router(
        [FamilyCollector(sources), OwnFigures(app.manager)],
        app.app.metrics,
        lambda: parts.lags.look(_LAG_PATIENCE),
        parts.siblings,
    )
    app.app.include_router(metrics)


def _counts(app: "NexusApp", parts: "Parts") -> "Counts":
    """Count what has happened in this process since it began."""
    from nexus.web.management.activity import Counts, server_errors

    series = [each for _, each in app.app.metrics.all_series()]
    return Counts(
        requests=sum(each.answered for each in series),
        errors=sum(server_errors(each.requests) for each in series),
        events=parts.bus.figures().published,
        slow_queries=int(parts.database.figures().get("slow_queries", 0)),
        blocks=dict(parts.watchdog.blocks),
    )


def configuring(
    parts: "Parts",
) -> "Callable[[DiscoveredPlugin], Awaitable[PluginConfiguration | None]]":
    """Give what reads of a plugin what operators have said: its settings and its grants."""

    async def configure(found: "DiscoveredPlugin") -> "PluginConfiguration | None":
        await parts.granting.consider(found)
        return await parts.configurations.load(found)

    return configure
