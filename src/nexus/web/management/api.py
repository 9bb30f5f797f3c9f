"""Puts the parts of the management API together."""

from fastapi import APIRouter, Depends

from nexus.web.management.access import admin_only
from nexus.web.management.activity_routes import activity_router
from nexus.web.management.admin_page_routes import admin_page_router
from nexus.web.management.audit_routes import audit_router
from nexus.web.management.caller_routes import caller_router
from nexus.web.management.context import ManagementContext
from nexus.web.management.data_routes import data_router
from nexus.web.management.event_routes import event_router
from nexus.web.management.graph_routes import graph_router
from nexus.web.management.job_routes import job_router
from nexus.web.management.log_routes import log_router
from nexus.web.management.masked import masked_response
from nexus.web.management.permission_routes import permission_router
from nexus.web.management.plugin_routes import plugin_router
from nexus.web.management.service_routes import service_router
from nexus.web.management.settings_routes import settings_router
from nexus.web.management.system_routes import system_router
from nexus.web.management.vitals_routes import vitals_router

PREFIX = "/api/v1"


def management_router(context: ManagementContext) -> APIRouter:
    """Give the whole API; every route needs a management token, or a user who may."""
    router = APIRouter(
        prefix=PREFIX,
        dependencies=[Depends(admin_only(context.tokens))],
        default_response_class=masked_response(context.mask),
    )
    router.include_router(plugin_router(context))
    router.include_router(permission_router(context))
    router.include_router(vitals_router(context))
    router.include_router(log_router(context))
    router.include_router(settings_router(context))
    router.include_router(data_router(context))
    router.include_router(event_router(context))
    router.include_router(job_router(context))
    router.include_router(service_router(context))
    router.include_router(graph_router(context))
    router.include_router(admin_page_router(context))
    router.include_router(audit_router(context))
    router.include_router(caller_router(context))
    router.include_router(system_router(context))
    router.include_router(activity_router(context))
    return router
