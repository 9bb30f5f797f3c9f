"""The tokens that open the management API."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from nexus.data import MISSING, KeyValueStore

NAMESPACE = "nexus.security"
_KEY = "admin_token"
_PREFIX = "nexus_"

STORED: Final = "token:stored"
CONFIGURED: Final = "token:configured"
OF_RUN: Final = "cli"


def new_token() -> str:
    """Make a token of 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def _digest(token: str) -> str:
    # A token has 256 bits of entropy, so there is nothing a slow password hash would protect.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class AdminTokens:
    """Who may use the management API.

    Three tokens open it: the stored one, of which only the hash is kept; the one that the
    operator configured (`NEXUS_ADMIN_TOKEN`); and the one of this run, by which the command line
    on the same machine reaches the application.

    Args:
        store: Where the hash of the first token is kept.
        configured: The operator's own token, or None.
        keep_secret: Told every token that is known in clear, to keep it out of logs.
    """

    def __init__(
        self,
        store: KeyValueStore,
        configured: str | None = None,
        keep_secret: Callable[[str], None] | None = None,
    ) -> None:
        self._store = store
        self._configured = configured
        self._keep_secret = keep_secret or (lambda _token: None)
        self._names: dict[str, str] = {}
        if configured:
            self._keep_secret(configured)
            self._names[_digest(configured)] = CONFIGURED

    async def open(self) -> str | None:
        """Read the stored token's hash, or make the first token.

        Returns:
            The new token in clear, to be shown once; None when there was one already, or when
            the operator configured their own.
        """
        stored: Any = await self._store.get(NAMESPACE, _KEY)
        if stored is not MISSING:
            self._names[stored["sha256"]] = STORED
            return None
        if self._configured:
            return None
        token, record = self._made()
        if not await self._store.set_if_absent(NAMESPACE, _KEY, record):
            return await self.open()  # another worker was faster, and has shown its token
        self._names[record["sha256"]] = STORED
        return token

    async def renew(self) -> str:
        """Make a new stored token, and shut the old stored one out."""
        old: Any = await self._store.get(NAMESPACE, _KEY)
        if old is not MISSING:
            self._names.pop(old["sha256"], None)
        token, record = self._made()
        await self._store.set(NAMESPACE, _KEY, record)
        self._names[record["sha256"]] = STORED
        return token

    def issue_for_run(self) -> str:
        """Make a token that is valid until this process ends."""
        token = self._new_token()
        self._names[_digest(token)] = OF_RUN
        return token

    def accept_for_run(self, token: str) -> None:
        """Take a token that was made for a run of which this process is one worker."""
        self._keep_secret(token)
        self._names[_digest(token)] = OF_RUN

    def _made(self) -> tuple[str, dict[str, str]]:
        token = self._new_token()
        return token, {"sha256": _digest(token), "created": datetime.now(UTC).isoformat()}

    def _new_token(self) -> str:
        token = new_token()
        self._keep_secret(token)
        return token

    def accepts(self, token: str) -> bool:
        """Tell whether `token` opens the management API."""
        return self.name_of(token) is not None

    def name_of(self, token: str) -> str | None:
        """Give what the audit log calls the holder of `token`; None where it opens nothing."""
        digest = _digest(token)
        # Every digest is compared, each in constant time.
        names = [name for known, name in self._names.items() if hmac.compare_digest(digest, known)]
        return names[0] if names else None
