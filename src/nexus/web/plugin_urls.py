"""`request.url_for` inside a plugin."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, NoMatchFound


class PluginUrls:
    """Stands in for the router in a request's scope, and knows the plugin's prefix."""

    def __init__(self, prefix: str, routers: Sequence[APIRouter]) -> None:
        self._prefix = prefix
        self._routers = routers
        # Set by the dispatcher, for names that are not the plugin's.
        self.elsewhere: Any = None

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes of all of the plugin's routers."""
        return [route for router in self._routers for route in router.routes]

    def own_url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Give the full path of a route of this plugin.

        Raises:
            NoMatchFound: It has no such route.
        """
        for router in self._routers:
            try:
                path = router.url_path_for(name, **path_params)
            except NoMatchFound:
                continue
            return URLPath(self._prefix + str(path), protocol=path.protocol, host=path.host)
        raise NoMatchFound(name, path_params)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Give the path of a route: the plugin's, else the application's or `<plugin>:<route>`.

        Raises:
            NoMatchFound: Nobody has such a route.
        """
        try:
            return self.own_url_path_for(name, **path_params)
        except NoMatchFound:
            if self.elsewhere is None:
                raise
            found: URLPath = self.elsewhere.url_path_for(name, **path_params)
            return found
