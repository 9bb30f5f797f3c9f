"""What the settings ask for beside the platform itself."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires, version

from nexus.cli.diagnosis.installation import DISTRIBUTION
from nexus.cli.diagnosis.line import Line, error
from nexus.config import Settings


def diagnose_extras(settings: Settings) -> Sequence[Line]:
    """Look whether the extras are installed that the chosen features need.

    Databases and event engines are not among them: they are asked, and say it themselves.
    """
    wanted = {"auth": "builtin: [auth]"} if "auth" in settings.builtin else {}
    if settings.tracing.enabled:
        wanted["otel"] = "tracing.enabled"
    lines = []
    for extra, cause in wanted.items():
        missing = _missing(extra)
        if missing:
            advice = f"Run 'pip install \".[{extra}]\"' in a copy of Nexus."
            message = f"needs {' and '.join(missing)}: not installed."
            lines.append(error(cause, message, advice))
    return lines


def _missing(extra: str) -> Sequence[str]:
    from packaging.requirements import Requirement

    try:
        declared = [Requirement(text) for text in requires(DISTRIBUTION) or ()]
    except PackageNotFoundError:  # which has been told already
        return []
    return [
        each.name
        for each in declared
        if each.marker is not None
        and each.marker.evaluate({"extra": extra})
        and not each.marker.evaluate({"extra": ""})
        and not _is_installed(each.name)
    ]


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
