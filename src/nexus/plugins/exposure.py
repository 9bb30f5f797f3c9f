"""How a generation's routes reach the world; the web package implements it."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from nexus.manifest.endpoint import ApiEndpoint


class Exposure(Protocol):
    """Stages, shows and takes away the routes of generations."""

    async def stage(
        self,
        name: str,
        generation: int,
        routers: Sequence[Any],
        *,
        owner: object,
        place: str = "",
        endpoints: "Sequence[ApiEndpoint]" = (),
    ) -> Any:
        """Build what will serve the routers, and start their lifespans; nothing is live yet.

        Args:
            name: The plugin's name.
            generation: The generation's number.
            routers: Its routers.
            owner: Whose code runs while a request is served.
            place: The path that the routes appear below; `/plugins/<name>` when empty.
            endpoints: What the manifest declares.

        Raises:
            InvalidRouter: A router is no router.
            RouteOutsidePrefix: A route would leave the plugin's prefix.
            RoutesNotDeclared: The application wants every route declared.
        """

    def occupied(self) -> Collection[str]:
        """Give the first segments of the paths that the application serves itself."""

    def commit(self, mount: Any) -> None:
        """Put the mount in the place of its predecessor, in one step."""

    def withdraw(self, mount: Any) -> None:
        """Take the mount away, if it is still the live one."""

    def trouble(self, mount: Any) -> str:
        """Say why requests are kept away from a mount; empty while they are not."""

    def traffic(self, mount: Any) -> tuple[int, int]:
        """Give how many requests a mount has in hand, and how many it has had."""

    async def drain(self, mount: Any, timeout: float) -> int:
        """Wait for the requests in hand, then cut off the rest.

        Returns:
            How many were cut off.
        """

    async def close(self, mount: Any) -> None:
        """End the lifespans, and let go of the routes."""
