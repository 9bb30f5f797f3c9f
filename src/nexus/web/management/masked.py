"""Answers of the management API, without the secrets that a plugin may have put into its words."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi.responses import JSONResponse
from typing_extensions import override

from nexus.plugins.presentable import presentable

_PLUGIN_MADE: Final = frozenset(
    {
        "components",
        "data",
        "error",
        "message",
        "problem",
        "problems",
        "reason",
        "traceback",
        "value",
    }
)
"""The members of answers whose values a plugin, or an operator, has filled."""


def masked_response(mask: Callable[[str], str]) -> type[JSONResponse]:
    """Make a response class that takes secrets out of what plugins put into its answer.

    An event's data, a dead letter's error or a plugin's findings may repeat a secret that its
    configuration holds. Names, states and all other members are the API's own and stay: a secret
    that happens to be the word `running` must neither break an answer nor tell itself by a gap.

    Args:
        mask: Takes secrets out of a text.
    """

    class MaskedResponse(JSONResponse):
        """JSON with secrets masked."""

        @override
        def render(self, content: Any) -> bytes:
            return super().render(with_masked_parts(content, mask))

    return MaskedResponse


def with_masked_parts(content: Any, mask: Callable[[str], str]) -> Any:
    """Copy an answer into JSON data, with secrets taken out of what plugins put into it."""
    if isinstance(content, Mapping):
        return {
            name: presentable(part, mask) if name in _PLUGIN_MADE else with_masked_parts(part, mask)
            for name, part in content.items()
        }
    if isinstance(content, list):
        return [with_masked_parts(part, mask) for part in content]
    return presentable(content)
