"""What should be the case with a plugin right now, and why."""

from dataclasses import dataclass

from nexus.plugins.state import PluginState


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The state that a plugin's controller works towards.

    Attributes:
        state: `running` when it should run; otherwise the state it should rest in.
        reason: Why it does not run, as a sentence.
        waiting: Whether this may change without anybody's doing, since something that it needs
            is still on its way.
        calls: The plugins that it needs and that start at their first use, which this is.
    """

    state: PluginState
    reason: str = ""
    waiting: bool = False
    calls: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """Tell whether the plugin should run."""
        return self.state is PluginState.RUNNING


RUN = Verdict(state=PluginState.RUNNING)


def why_disabled(name: str, *, told: bool) -> str:
    """Say why a plugin is disabled.

    Args:
        name: The plugin's name.
        told: Whether an operator has said so; otherwise the settings did.
    """
    if told:
        return "An operator has disabled it."
    return (
        "startup.enable is 'listed', and startup.plugins does not list it."
        f" Enable it with 'nexus plugin enable {name}'."
    )
