import pytest

from nexus.errors import PermissionDenied
from nexus.manifest import KNOWN_PERMISSIONS
from nexus.security import PermissionSet, Unrestricted


def test_what_the_manifest_does_not_ask_for_is_refused_with_the_line_to_add() -> None:
    permissions = PermissionSet("foo", ["database.read"])
    permissions.require("database.read", "read the data 'k'")
    with pytest.raises(PermissionDenied) as caught:
        permissions.require("database.write", "write the data 'k'")
    text = str(caught.value)
    assert "'foo' may not write the data 'k'" in text
    assert '"database.write"' in text


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [("user.created", True), ("user.", True), ("order.created", False), ("", False)],
)
def test_a_scope_is_a_pattern(scope: str, *, allowed: bool) -> None:
    permissions = PermissionSet("foo", ["events.subscribe:user.*"])
    assert permissions.allows("events.subscribe", scope) is allowed
    assert not permissions.allows("events.publish", scope)


def test_several_scopes_add_up_and_no_scope_is_everything() -> None:
    permissions = PermissionSet("foo", ["events.subscribe:a.*", "events.subscribe:b.*"])
    assert permissions.allows("events.subscribe", "b.x")
    assert PermissionSet("foo", ["events.subscribe"]).allows("events.subscribe", "anything")


def test_unrestricted_allows_everything_known() -> None:
    for permission in KNOWN_PERMISSIONS:
        Unrestricted().require(permission, "do it", "x")
