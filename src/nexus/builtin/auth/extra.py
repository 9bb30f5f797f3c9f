"""What the plugin needs beside the platform."""

from importlib.util import find_spec

from nexus.errors import PluginLoadError


def require_extra() -> None:
    """Say what to install where it is missing.

    Raises:
        PluginLoadError: A package of the extra `auth` is not there.
    """
    missing = [name for name in ("argon2", "jwt", "pwdlib") if find_spec(name) is None]
    if missing:
        raise PluginLoadError(
            plugin="auth",
            problem=f"The plugin 'auth' needs {' and '.join(missing)}: not installed.",
            advice="Install Nexus with the extra 'auth': pip install '.[auth]' in a copy of it.",
        )
