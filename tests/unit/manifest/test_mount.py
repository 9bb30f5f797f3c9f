import json
from typing import Any

import pytest

from nexus.manifest import ReadResult, parse_manifest


def read(**keys: Any) -> ReadResult:
    document = {"name": "shop", "version": "1.0.0", **keys}
    return parse_manifest(json.dumps(document).encode(), "shop")


@pytest.mark.parametrize("permission", ["http.mount", "http.mount:/store"])
def test_a_mount_with_its_permission_is_read(permission: str) -> None:
    result = read(mount="/store", permissions=[permission])
    assert result.problems == ()
    assert result.manifest is not None
    assert result.manifest.mount == "/store"
    assert result.manifest.to_dict()["mount"] == "/store"


@pytest.mark.parametrize("permissions", [[], ["http.mount:/other"]])
def test_a_mount_without_its_permission_names_the_line_to_add(permissions: list[str]) -> None:
    [problem] = read(mount="/store", permissions=permissions).errors
    assert problem.path == "$.mount"
    assert '"http.mount:/store" in $.permissions' in problem.expected


@pytest.mark.parametrize("path", ["/api", "/plugins", "/health", "/metrics", "/docs"])
def test_the_platforms_own_paths_are_refused(path: str) -> None:
    [problem] = read(mount=path, permissions=["http.mount"]).errors
    assert problem.path == "$.mount"
    assert "a path that the platform does not serve itself" in problem.expected


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("store", "/store"),
        ("/store/", "/store"),
        ("/Store", "/store"),
        ("/", None),
        ("/a/b", None),
        ("/..", None),
        ("/openapi.json", None),
        ("/a%2Fb", None),
        ("/-a", None),
        ("/{name}", None),
        ("/" + "a" * 64, None),
    ],
)
def test_what_is_no_path_of_one_segment_is_refused(path: str, near: str | None) -> None:
    [problem] = read(mount=path, permissions=["http.mount"]).errors
    assert problem.path == "$.mount"
    assert problem.nearest == near


def test_a_scope_that_is_no_such_path_is_refused() -> None:
    [problem] = read(permissions=["http.mount:store"]).errors
    assert problem.path == "$.permissions[0]"
    assert '"http.mount:/shop"' in problem.expected
