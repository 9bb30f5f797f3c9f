"""Whatever stands in a manifest, reading it gives a manifest or says what is wrong."""

import copy
import json
import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nexus.manifest import Manifest, ReadResult, parse_manifest
from nexus.manifest.problems import render_path

FULL: dict[str, Any] = {
    "name": "shop",
    "version": "1.0.0",
    "title": "Shop",
    "description": "Sells things",
    "author": "Someone",
    "email": "someone@example.com",
    "license": "MIT",
    "category": "trade",
    "tags": ["a", "b"],
    "python_version": ">=3.11",
    "nexus_version": ">=0.1",
    "dependencies": ["billing>=2", "users"],
    "permissions": ["database.read", "events.subscribe:user.*"],
    "configuration": {
        "size": {"type": "integer", "default": 3, "min": 1, "max": 10, "description": "Size"},
        "mode": {"type": "string", "enum": ["low", "high"], "pattern": "^[a-z]+$"},
        "key": {"type": "string", "required": True, "secret": True},
    },
    "api_endpoints": [{"method": "GET", "path": "/a", "description": "", "auth": "user"}],
    "events": {"publishes": ["shop.sold"], "subscribes": ["user.*"]},
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.sampled_from(["string", "integer", "user.*", ">=1", "GET", "/"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text() | st.sampled_from(sorted(FULL)), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip

SLUG = st.from_regex(r"[a-z](_?[a-z0-9]){0,8}", fullmatch=True)
LINE = st.text(alphabet=string.ascii_letters + " äß中🚀", max_size=20)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """List the path of everything below a value."""
    if isinstance(value, dict):
        below = list(value.items())
    else:
        below = list(enumerate(value)) if isinstance(value, list) else []
    found = [path] if path else []
    for part, inner in below:
        found.extend(places(inner, (*path, part)))
    return found


def assert_sound(result: ReadResult) -> None:
    assert (result.manifest is None) is bool(result.errors)
    for problem in result.problems:
        assert problem.render().isprintable()
        assert problem.path.startswith("$")


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode()))
def test_arbitrary_bytes_never_raise(raw: bytes):
    assert_sound(parse_manifest(raw, "shop"))


@given(JSON)
def test_arbitrary_json_gives_a_manifest_or_errors(value: Any):
    assert_sound(parse_manifest(json.dumps(value).encode(), "shop"))


@given(st.dictionaries(st.sampled_from(sorted(FULL)), JSON))
def test_arbitrary_values_of_known_keys_give_a_manifest_or_errors(keys: dict[str, Any]):
    document = {"name": "shop", "version": "1", **keys}
    assert_sound(parse_manifest(json.dumps(document).encode(), "shop"))


@given(st.sampled_from(places(FULL)), JSON)
def test_a_mutated_value_is_valid_or_told_at_its_path(path: tuple[str | int, ...], value: Any):
    document = copy.deepcopy(FULL)
    parent: Any = document
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = value

    result = parse_manifest(json.dumps(document).encode(), "shop")

    assert_sound(result)
    # The keys of one setting are judged against one another: a new type is told at the default.
    home = path[:2] if path[0] == "configuration" and len(path) > 1 else path
    prefix = render_path(home)
    assert all(problem.path.startswith(prefix) for problem in result.errors)


@st.composite
def settings(draw: st.DrawFn) -> dict[str, Any]:
    kinds = {
        "string": LINE.filter(bool),
        "integer": st.integers(),
        "number": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
        "array": st.lists(st.integers(), max_size=3),
        "object": st.dictionaries(LINE, st.integers(), max_size=3),
    }
    kind = draw(st.sampled_from(sorted(kinds)))
    setting: dict[str, Any] = {"type": kind, "required": draw(st.booleans())}
    if draw(st.booleans()):
        setting["enum"] = draw(st.lists(kinds[kind], min_size=1, max_size=3))
        setting["default"] = draw(st.sampled_from(setting["enum"]))
    elif draw(st.booleans()):
        setting["default"] = draw(kinds[kind])
    if draw(st.booleans()):
        setting |= {"secret": draw(st.booleans()), "description": draw(LINE)}
    return setting


MANIFESTS = st.fixed_dictionaries(
    {"name": SLUG.map(lambda slug: f"p{slug}"), "version": st.sampled_from(["1", "2.0rc1"])},
    optional={
        "title": LINE,
        "description": LINE.map(lambda line: f"{line}\n{line}"),
        "email": st.just("") | st.just("a@b"),
        "tags": st.lists(LINE, max_size=3, unique=True),
        "python_version": st.sampled_from(["", ">=3.11", " >=3.11 , <4 "]),
        "dependencies": st.dictionaries(SLUG.map(lambda slug: f"d{slug}"), st.just(">=1,<2")),
        "permissions": st.lists(st.sampled_from(["database.read", "x.y:z"]), unique=True),
        "configuration": st.dictionaries(SLUG, settings(), max_size=4),
        "api_endpoints": st.lists(
            st.fixed_dictionaries(
                {"method": st.sampled_from(["get", "POST"]), "path": SLUG.map(lambda s: f"/{s}")},
                optional={"auth": st.sampled_from(["public", "user", "permission:a"])},
            ),
            max_size=3,
        ),
        "events": st.fixed_dictionaries(
            {}, optional={"publishes": st.just(["a.b"]), "subscribes": st.just(["a.*", "**"])}
        ),
    },
)


@given(MANIFESTS)
def test_a_manifest_survives_the_way_to_data_and_back(document: dict[str, Any]):
    first = parse_manifest(json.dumps(document).encode())
    assert isinstance(first.manifest, Manifest), first.problems

    again = parse_manifest(json.dumps(first.manifest.to_dict()).encode())

    assert again.manifest == first.manifest
    assert again.errors == ()


def test_the_full_manifest_that_the_mutations_start_from_is_valid():
    result = parse_manifest(json.dumps(FULL).encode(), "shop")

    assert result.problems == ()
    assert result.manifest is not None
    assert result.manifest.to_dict()["configuration"]["size"]["min"] == 1
