"""The figures of the circuit breakers, as metric families."""

from collections.abc import Callable, Iterator

from nexus.observability.metrics import Family, Sample
from nexus.web.dispatcher import PluginDispatcher


def breaker_figures(dispatcher: PluginDispatcher) -> Callable[[], Iterator[Family]]:
    """Make a source of which circuits are open, and how often they have opened."""

    def families() -> Iterator[Family]:
        mounts = sorted(dispatcher.live.items())
        yield Family(
            name="nexus_plugin_circuit_open",
            help="1 while requests are kept away from the plugin, since they kept failing.",
            samples=[
                Sample(value=float(mount.breaker.is_open), labels={"plugin": name})
                for name, mount in mounts
            ],
        )
        opened = dispatcher.breakers.opened
        yield Family(
            name="nexus_plugin_circuit_opened",
            help="Times that requests began to be kept away from the plugin.",
            counter=True,
            samples=[Sample(value=opened[name], labels={"plugin": name}) for name, _ in mounts],
        )

    return families
