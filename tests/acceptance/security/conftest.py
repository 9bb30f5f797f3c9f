"""An application in this process with the built-in users; its hashes are cheap."""

from tests.unit.builtin.auth.conftest import application, site

__all__ = ["application", "site"]
