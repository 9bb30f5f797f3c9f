"""Errors about the metrics that plugins make."""

from typing_extensions import override

from nexus.errors.base import NexusError


class MetricInvalid(NexusError):
    """A plugin makes a metric that there cannot be."""

    code = "metric-invalid"

    def __init__(self, *, plugin: str, name: str, problem: str) -> None:
        super().__init__(plugin=plugin, name=name, problem=problem)

    @override
    def render(self) -> str:
        return (
            f"Plugin {self.data['plugin']!r} cannot have the metric {self.data['name']!r}:"
            f" {self.data['problem']}. Expected a name in snake case that ends with its unit, and"
            " labels in snake case other than plugin, le and quantile."
        )


class MetricConflict(NexusError):
    """A plugin makes two different metrics of one name."""

    code = "metric-conflict"

    def __init__(
        self,
        *,
        plugin: str,
        name: str,
        before: tuple[str, tuple[str, ...]],
        now: tuple[str, tuple[str, ...]],
    ) -> None:
        super().__init__(plugin=plugin, name=name, before=before, now=now)

    @override
    def render(self) -> str:
        return (
            f"Plugin {self.data['plugin']!r} has the metric {self.data['name']!r} already, as"
            f" {_described(*self.data['before'])}, and asks for {_described(*self.data['now'])}."
            " Give one of them another name."
        )


def _described(kind: str, labels: tuple[str, ...]) -> str:
    named = f"with the labels {', '.join(labels)}" if labels else "without labels"
    return f"a {kind} {named}"
