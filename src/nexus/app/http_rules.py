"""From the settings of HTTP to what the front holds requests to."""

from typing import TYPE_CHECKING

from nexus.web.rules import CrossOrigin, HttpRules

if TYPE_CHECKING:
    from nexus.config.http_section import HttpSettings


def rules_of(settings: "HttpSettings") -> HttpRules:
    """Give the rules that the settings ask for."""
    cross_origin = None
    if settings.cors_origins:
        cross_origin = CrossOrigin(
            origins=tuple(settings.cors_origins),
            methods=tuple(settings.cors_methods),
            headers=tuple(settings.cors_headers),
            credentials=settings.cors_credentials,
            max_age=settings.cors_max_age,
        )
    return HttpRules(
        body_limit=settings.body_limit,
        body_timeout=settings.body_timeout,
        allowed_hosts=tuple(settings.allowed_hosts),
        content_security_policy=settings.content_security_policy,
        transport_security=settings.transport_security,
        cross_origin=cross_origin,
    )
