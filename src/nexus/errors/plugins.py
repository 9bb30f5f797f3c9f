"""Errors about plugins and their lives."""

from collections.abc import Sequence

from typing_extensions import override

from nexus.errors.base import NexusError, did_you_mean


class PluginNotFound(NexusError):
    """No plugin has this name."""

    code = "plugin-not-found"

    def __init__(self, *, name: str, known: Sequence[str] = ()) -> None:
        super().__init__(name=name, known=tuple(known))

    @override
    def render(self) -> str:
        return (
            f"There is no plugin named {self.data['name']!r}."
            f"{did_you_mean(self.data['name'], self.data['known'])}"
            " 'nexus plugin list' shows the ones that were found."
        )


class PluginNotRunning(NexusError):
    """The plugin exists, but it does not serve at the moment."""

    code = "plugin-not-running"

    def __init__(self, *, name: str, state: str, reason: str) -> None:
        super().__init__(name=name, state=state, reason=reason)

    @override
    def render(self) -> str:
        return f"Plugin {self.data['name']!r} is {self.data['state']}: {self.data['reason']}"


class TaskCancelled(NexusError):
    """A background task waited for something that was cancelled."""

    code = "task-cancelled"

    def __init__(self, *, task: str) -> None:
        super().__init__(task=task)

    @override
    def render(self) -> str:
        return (
            f"The background task {self.data['task']!r} waited for something that was cancelled,"
            " and was not told to end itself. Catch asyncio.CancelledError where it waits for other"
            " tasks."
        )


class PluginExited(NexusError):
    """A plugin's code tried to end the process."""

    code = "plugin-exited"

    def __init__(self, *, plugin: str, kind: str) -> None:
        super().__init__(plugin=plugin, kind=kind)

    @override
    def render(self) -> str:
        return (
            f"Plugin {self.data['plugin']!r} raised {self.data['kind']}, which would have ended"
            " the whole application. Raise an ordinary exception instead."
        )


class PluginLoadError(NexusError):
    """A plugin's code could not be turned into a plugin object."""

    code = "plugin-load-error"

    def __init__(self, *, plugin: str, problem: str, advice: str = "") -> None:
        super().__init__(plugin=plugin, problem=problem, advice=advice)

    @override
    def render(self) -> str:
        return f"{self.data['problem']} {self.data['advice']}".strip()


class HookFailed(NexusError):
    """One of a plugin's methods failed when the platform called it."""

    code = "hook-failed"

    def __init__(self, *, plugin: str, hook: str, problem: str) -> None:
        super().__init__(plugin=plugin, hook=hook, problem=problem)

    @override
    def render(self) -> str:
        return f"{self.data['hook']}() {self.data['problem']}"


class ReloadFailed(NexusError):
    """A new generation could not take over, and the old one keeps serving."""

    code = "reload-failed"

    def __init__(self, *, plugin: str, generation: int, reason: str) -> None:
        super().__init__(plugin=plugin, generation=generation, reason=reason)

    @override
    def render(self) -> str:
        number = self.data["generation"]
        serves = f"Generation {number} keeps serving." if number else "It does not serve."
        reason = self.data["reason"].rstrip()
        if reason and not reason.endswith((".", "!", "?")):
            reason += "."  # a plugin's own message, often without one
        return f"Plugin {self.data['plugin']!r} was not reloaded: {reason} {serves}"


class ContextClosed(NexusError):
    """A plugin used the platform after its generation had ended."""

    code = "context-closed"

    def __init__(self, *, plugin: str, operation: str) -> None:
        super().__init__(plugin=plugin, operation=operation)

    @override
    def render(self) -> str:
        return (
            f"Plugin {self.data['plugin']!r} called {self.data['operation']} after its shutdown()"
            " had returned. Stop background work in shutdown(), or start it with"
            " self.create_task(), which the platform stops for you."
        )


class PluginHasNoSettings(NexusError):
    """The settings of a plugin cannot be told, since its manifest cannot be read."""

    code = "plugin-has-no-settings"

    def __init__(self, *, plugin: str, reason: str) -> None:
        super().__init__(plugin=plugin, reason=reason)

    @override
    def render(self) -> str:
        return f"The settings of plugin {self.data['plugin']!r} are unknown: {self.data['reason']}"


class StartupAborted(NexusError):
    """A plugin could not start, and the operator chose not to go on without it."""

    code = "startup-aborted"

    def __init__(self, *, failed: Sequence[tuple[str, str]]) -> None:
        super().__init__(failed=tuple(failed))

    @override
    def render(self) -> str:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in self.data["failed"])
        return (
            f"The application does not start, since startup.on_failure is 'abort' and not every"
            f" plugin could start: {reasons}"
        )


class CallInTransaction(NexusError):
    """A plugin asked the application for something inside a transaction."""

    code = "call-in-transaction"

    def __init__(self, *, method: str, path: str) -> None:
        super().__init__(method=method, path=path)

    @override
    def render(self) -> str:
        return (
            f"A plugin asked for {self.data['method']} {self.data['path']} inside db.transaction()."
            " What the application does is no part of the transaction, and might wait for its end."
            " Ask before or after the block; nothing was done."
        )
