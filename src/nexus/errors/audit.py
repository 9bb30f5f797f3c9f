"""Errors about the audit log."""

from typing_extensions import override

from nexus.errors.base import NexusError


class AuditRowRefused(NexusError):
    """A plugin wanted a row in the audit log that cannot be one."""

    code = "audit-row-refused"

    def __init__(self, *, plugin: str, problem: str, expected: str) -> None:
        super().__init__(plugin=plugin, problem=problem, expected=expected)

    @override
    def render(self) -> str:
        return (
            f"Plugin {self.data['plugin']!r} called write_audit() with"
            f" {self.data['problem']}; expected {self.data['expected']}."
        )
