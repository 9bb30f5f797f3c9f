"""Why a plugin does not run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nexus.config import PluginConfiguration
from nexus.plugins.controller import PluginController
from nexus.plugins.discovery import DiscoveredPlugin
from nexus.plugins.plan import Plan, make_plan
from nexus.plugins.platform import Platform
from nexus.plugins.state import PluginState
from nexus.plugins.verdict import RUN, Verdict, why_disabled

_ON_ITS_WAY = frozenset({PluginState.DISCOVERED, PluginState.DORMANT, PluginState.STARTING})


def resting(
    controller: PluginController,
    found: DiscoveredPlugin,
    configuration: PluginConfiguration | None,
    plan: Plan,
    platform: Platform,
) -> Verdict | None:
    """Give where a plugin rests by its own doing or an operator's; None when it may run."""
    if found.manifest is None or configuration is None:
        problems = "; ".join(str(problem) for problem in found.errors)
        return Verdict(state=PluginState.INVALID, reason=f"Its manifest is invalid: {problems}.")
    if not controller.enabled:
        told = why_disabled(controller.name, told=controller.told)
        return Verdict(state=PluginState.DISABLED, reason=told)
    kept_out = platform.safe_mode.verdict(found)
    if kept_out is not None:
        return kept_out
    reason = plan.blocked.get(controller.name)
    if reason is None:
        reason = " ".join(each.message for each in configuration.problems() if each.blocking)
    if reason:
        return Verdict(state=PluginState.BLOCKED, reason=reason)
    if controller.activation.sleeps:
        return Verdict(state=PluginState.DORMANT, reason=controller.activation.reason)
    return None


def lacking(providers: Sequence[PluginController]) -> Verdict:
    """Give what a plugin that may run waits for, or has to wait for; that it runs if nothing."""
    missing = [each for each in providers if each.live is None or each.leaving]
    if not missing:
        return RUN
    asleep = tuple(each.name for each in missing if each.activation.sleeps)
    return replace(_blocked_by(missing[0]), calls=asleep)


def _blocked_by(provider: PluginController) -> Verdict:
    """Give why a plugin cannot run before this one does."""
    status = provider.status
    waiting = status.state in _ON_ITS_WAY or not provider.settled
    if status.state is PluginState.RUNNING or waiting:
        reason = f"It waits for the plugin {status.name!r}, which is {status.state}."
    else:
        reason = f"It needs the plugin {status.name!r}, which is {status.state}: {status.reason}"
    return Verdict(state=PluginState.BLOCKED, reason=reason, waiting=waiting)


def plan_of(
    controllers: Mapping[str, PluginController],
    platform: Platform,
    instead: DiscoveredPlugin | None = None,
) -> Plan:
    """Judge all plugins together, one of them as it might be instead of as it is."""
    everybody = {name: each.found for name, each in controllers.items()}
    held = {
        name: each.found.manifest.mount
        for name, each in controllers.items()
        if each.busy and each.found.manifest is not None and each.found.manifest.mount
    }
    if instead is not None:
        everybody[instead.name] = instead
    manifests = {name: one.manifest for name, one in everybody.items() if one.manifest is not None}
    is_elsewhere = any(manifest.mount for manifest in manifests.values())
    return make_plan(
        manifests,
        invalid=[name for name, found in everybody.items() if found.manifest is None],
        disabled=[name for name, each in controllers.items() if not each.enabled],
        unready=platform.grants.waiting(each.manifest for each in everybody.values()),
        held=held,
        occupied=platform.exposure.occupied() if is_elsewhere else (),
    )
