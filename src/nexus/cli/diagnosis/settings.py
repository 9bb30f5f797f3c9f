"""The application's settings."""

from collections.abc import Sequence

from nexus.cli.diagnosis.line import Line, error, ok, warning
from nexus.config import Settings
from nexus.errors import InvalidSettings


def diagnose_settings(settings: Settings | None, invalid: InvalidSettings | None) -> Sequence[Line]:
    """Look at the settings, or tell why they cannot be used."""
    if invalid is not None:
        return [error("nexus.yaml", problem.render()) for problem in invalid.problems]
    if settings is None:
        return []
    file = settings.root / "nexus.yaml"
    found = (
        ok("nexus.yaml", "valid") if file.is_file() else ok("nexus.yaml", "none; defaults apply")
    )
    return [
        found,
        ok("environment", settings.environment),
        *(warning("settings", text) for text in settings.warnings),
        *_main(settings),
        *_former_keys(settings),
        *_production(settings),
    ]


def _main(settings: Settings) -> list[Line]:
    if (settings.root / "main.py").is_file():
        return [ok("main.py", "'nexus run' serves its app")]
    return [ok("main.py", "none; 'nexus run' makes the application itself")]


def _former_keys(settings: Settings) -> list[Line]:
    if not settings.security.former_secret_keys:
        return []
    message = "keys that were to be replaced are still there."
    advice = "Run 'nexus secrets rotate', and take security.former_secret_keys away."
    return [warning("former_secret_keys", message, advice)]


def _production(settings: Settings) -> list[Line]:
    if settings.environment != "production":
        return []
    lines = []
    if settings.security.secret_key is None:
        message = "production keeps its secret key in the data folder."
        lines.append(warning("secret_key", message, "Set NEXUS_SECRET_KEY, apart from the data."))
    if not settings.http.allowed_hosts:
        message = "requests are answered whatever host they ask for."
        lines.append(warning("allowed_hosts", message, "Set http.allowed_hosts to your own."))
    if settings.http.docs:
        message = "/docs and /openapi.json are open to everybody who reaches the application."
        lines.append(warning("http.docs", message, "Set http.docs to false if that is not meant."))
    return lines
