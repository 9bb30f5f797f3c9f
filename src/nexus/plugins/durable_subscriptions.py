"""Which events are kept for which plugins, whether they run or not."""

from collections.abc import Collection, Iterable, Mapping

from nexus.events.log.delivery import DurableDelivery
from nexus.events.log.key import SubscriptionKey
from nexus.manifest import Manifest


class DurableSubscriptions:
    """Has the log keep what manifests declare, from when a plugin is first to run.

    Args:
        delivery: Has the log; None where there is none, and then nothing is kept.
    """

    def __init__(self, delivery: DurableDelivery | None) -> None:
        self._log = None if delivery is None else delivery.log

    async def register(self, plugins: Iterable[tuple[str, Manifest | None, bool]]) -> None:
        """Take note of all plugins that there are: name, manifest, and whether it is enabled.

        What was kept for any other is removed, unless another process of the cluster has it.
        """
        if self._log is None:
            return
        everybody = tuple(plugins)
        await self._log.keep_only([name for name, _, _ in everybody])
        is_fresh = False
        for name, manifest, enabled in everybody:
            patterns = manifest.events.subscribes if enabled and manifest is not None else ()
            # The first look is enough for all that others have declared.
            if patterns and not (is_fresh and self._keeps(name, patterns)):
                await self._log.declare(name, patterns)
                is_fresh = True
        await self._log.set_enabled({name: enabled for name, _, enabled in everybody})

    def _keeps(self, plugin: str, patterns: Collection[str]) -> bool:
        keys = (SubscriptionKey(plugin, each) for each in patterns)
        return self._log is not None and all(map(self._log.keeps, keys))

    async def set_enabled(self, plugins: Mapping[str, bool]) -> None:
        """Take note of which plugins are enabled now."""
        if self._log is not None:
            await self._log.set_enabled(plugins)

    async def declare(self, plugin: str, patterns: Collection[str]) -> None:
        """Keep events for a generation that is about to start."""
        if self._log is not None:
            await self._log.declare(plugin, patterns)

    async def drop_others(self, plugin: str, patterns: Collection[str]) -> None:
        """Keep no more events for patterns that a plugin's manifest had before."""
        if self._log is not None:
            await self._log.retract(plugin, but=patterns)
