"""Stands for a service out in the network, which wants an API key."""

import hmac


class ExternalService:
    """Signs messages.

    A real one would hold an HTTP client. What matters here is that it is opened with a secret,
    that it may fail with `ConnectionError`, and that it has to be closed.
    """

    def __init__(self, api_key: str) -> None:
        self._key = api_key.encode()
        self._open = True

    async def sign(self, message: str) -> str:
        """Give the message's HMAC-SHA256 under the API key, in hexadecimal."""
        if not self._open:
            raise ConnectionError("the connection is closed")
        return hmac.digest(self._key, message.encode(), "sha256").hex()

    async def close(self) -> None:
        """Close the connection."""
        self._open = False
