"""Why a plugin does not run."""

from collections.abc import Sequence
from dataclasses import replace

from nexus.config import PluginConfiguration
from nexus.plugins.controller import PluginController
from nexus.plugins.discovery import DiscoveredPlugin
from nexus.plugins.platform import Platform
from nexus.plugins.state import PluginState
from nexus.plugins.verdict import RUN, Verdict, why_disabled

_ON_ITS_WAY = frozenset({PluginState.DISCOVERED, PluginState.DORMANT, PluginState.STARTING})


def resting(
    controller: PluginController,
    found: DiscoveredPlugin,
    configuration: PluginConfiguration | None,
    blocked: str,
    platform: Platform,
) -> Verdict | None:
    """Give where a plugin rests by its own doing or an operator's; None when it may run.

    Args:
        controller: The plugin.
        found: What its files say.
        configuration: Its configuration by them.
        blocked: Why it cannot start by what it needs; empty when it can.
        platform: What generations are made with.
    """
    if found.manifest is None or configuration is None:
        problems = "; ".join(str(problem) for problem in found.errors)
        return Verdict(state=PluginState.INVALID, reason=f"Its manifest is invalid: {problems}.")
    if not controller.enabled:
        told = why_disabled(controller.name, told=controller.told)
        return Verdict(state=PluginState.DISABLED, reason=told)
    kept_out = platform.safe_mode.verdict(found)
    if kept_out is not None:
        return kept_out
    reason = blocked or " ".join(each.message for each in configuration.problems() if each.blocking)
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
