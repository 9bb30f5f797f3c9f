"""What reading a manifest gives, for good input and for bad."""

import json
import os
from pathlib import Path

import pytest

from nexus.manifest import ApiEndpoint, Problem, ReadResult, parse_manifest, read_manifest
from nexus.manifest.report import LIMIT

PAGE = Path(__file__).parents[2] / "seed" / "my_awesome_plugin"


def read(**keys: object) -> ReadResult:
    """Read a manifest that is valid but for the keys given."""
    document = {"name": "shop", "version": "1.0.0", **keys}
    return parse_manifest(json.dumps(document).encode(), "shop")


def only(result: ReadResult) -> Problem:
    """Give the one problem that was found."""
    assert len(result.problems) == 1, result.problems
    return result.problems[0]


def folder_with(tmp_path: Path, content: bytes, name: str = "shop") -> Path:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "manifest.json").write_bytes(content)
    return folder


def test_the_pages_manifest_is_read_whole_and_without_a_warning():
    result = read_manifest(PAGE)

    assert result.problems == ()
    assert result.manifest is not None
    manifest = result.manifest
    assert (manifest.name, manifest.version) == ("my_awesome_plugin", "1.0.0")
    assert manifest.tags == ("api", "integration", "automation")
    assert manifest.permissions[0] == "database.read"
    retries = manifest.configuration["max_retries"]
    assert (retries.type, retries.default, retries.min, retries.max) == ("integer", 3, 1, 10)
    assert manifest.configuration["api_key"].secret
    assert manifest.configuration["api_key"].required
    assert manifest.api_endpoints[1] == ApiEndpoint(
        method="POST", path="/action", description="Perform plugin action"
    )
    assert manifest.events.publishes == ("my_plugin.action_completed",)
    assert manifest.events.subscribes == ("user.created", "system.maintenance")


def test_name_and_version_are_all_that_is_needed():
    assert read().manifest is not None
    missing = parse_manifest(b"{}", "shop")
    assert [problem.path for problem in missing.errors] == ["$.name", "$.version"]
    assert missing.errors[0].found == "nothing"
    assert missing.name == "shop"


def test_all_problems_are_told_at_once_each_at_its_own_path():
    result = read(
        version=1,
        tags=["a", 2],
        configuration={"size": {"type": "integer", "min": "1"}, "mode": {"type": "strin"}},
        api_endpoints=[{"method": "FETCH"}],
        events={"subscribes": "user.created"},
    )

    assert result.manifest is None
    assert {problem.path for problem in result.errors} == {
        "$.version",
        "$.tags[1]",
        "$.configuration.size.min",
        "$.configuration.mode.type",
        "$.api_endpoints[0].method",
        "$.api_endpoints[0].path",
        "$.events.subscribes",
    }


def test_a_problem_renders_as_one_line_with_everything_in_it():
    problem = only(read(configuration={"mode": {"type": "strin"}}))

    assert problem.render() == (
        '$.configuration.mode.type: found "strin" (string); expected one of string, integer,'
        ' number, boolean, array, object. Did you mean "string"?'
    )
    assert str(problem) == problem.render()


@pytest.mark.parametrize(
    ("keys", "path", "near"),
    [
        ({"versoin": "1"}, "$.versoin", "version"),
        ({"events": {"publish": []}}, "$.events.publish", "publishes"),
        (
            {"api_endpoints": [{"method": "GET", "path": "/", "desc": ""}]},
            "$.api_endpoints[0].desc",
            "description",
        ),
        (
            {"configuration": {"a": {"type": "string", "defualt": ""}}},
            "$.configuration.a.defualt",
            "default",
        ),
    ],
)
def test_an_unknown_key_is_a_warning_with_the_nearest_spelling_at_every_level(
    keys: dict[str, object], path: str, near: str
):
    result = read(**keys)

    problem = only(result)
    assert (problem.path, problem.severity) == (path, "warning")
    if path != "$.api_endpoints[0].desc":  # "desc" is not close enough to suggest anything
        assert problem.nearest == near
    assert result.manifest is not None


def test_an_unknown_permission_is_a_warning_and_keeps_its_scope_in_the_suggestion():
    result = read(permissions=["events.subscrib:user.*", "weather.control"])

    assert result.manifest is not None
    assert [(each.path, each.severity) for each in result.problems] == [
        ("$.permissions[0]", "warning"),
        ("$.permissions[1]", "warning"),
    ]
    assert result.problems[0].nearest == "events.subscribe:user.*"


def test_the_caller_says_which_permissions_are_known():
    raw = b'{"name": "shop", "version": "1", "permissions": ["weather.control"]}'

    assert parse_manifest(raw, "shop", known_permissions={"weather.control"}).problems == ()


def test_a_name_that_is_not_the_folders_is_an_error_and_the_folders_name_stays():
    result = parse_manifest(b'{"name": "shop", "version": "1"}', "store")

    assert result.name == "store"
    assert result.manifest is None
    assert only(result).nearest == "store"


def test_without_a_folder_the_manifest_names_itself():
    assert parse_manifest(b'{"name": "shop", "version": "1"}').name == "shop"
    assert parse_manifest(b"{").name == ""


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"dependencies": ["billing", "billing>=2"]}, "$.dependencies[1]"),
        ({"dependencies": ["shop"]}, "$.dependencies"),
        ({"dependencies": {"billing": "^2"}}, "$.dependencies.billing"),
        ({"dependencies": {"No Name": ""}}, '$.dependencies["No Name"]'),
        ({"dependencies": "billing"}, "$.dependencies"),
        ({"configuration": {"api-key": {"type": "string"}}}, '$.configuration["api-key"]'),
        (
            {"configuration": {"key": {"type": "string"}, "KEY": {"type": "string"}}},
            "$.configuration.KEY",
        ),
        ({"events": {"publishes": ["a.*"]}}, "$.events.publishes[0]"),
        ({"events": {"publishes": ["system.down"]}}, "$.events.publishes[0]"),
        ({"events": {"subscribes": ["a.**.b"]}}, "$.events.subscribes[0]"),
        ({"events": {"subscribes": ["a..b"]}}, "$.events.subscribes[0]"),
        ({"permissions": ["events.subscribe:a..b"]}, "$.permissions[0]"),
        ({"permissions": ["a b"]}, "$.permissions[0]"),
        ({"email": "nobody"}, "$.email"),
        ({"title": "\x1b[31mred"}, "$.title"),
        ({"title": None}, "$.title"),
        ({"configuration": []}, "$.configuration"),
        ({"api_endpoints": [None]}, "$.api_endpoints[0]"),
    ],
)
def test_what_is_wrong_is_refused_at_its_path(keys: dict[str, object], path: str):
    result = read(**keys)

    assert [problem.path for problem in result.errors] == [path]
    assert result.manifest is None


@pytest.mark.parametrize(
    "path", ["status", "/../x", "/a/%2e%2e/b", "/a//b", "/a b", "/a?b", "/a\\b", "/a\n", ""]
)
def test_a_path_that_would_leave_the_plugin_is_refused(path: str):
    result = read(api_endpoints=[{"method": "GET", "path": path}])

    assert only(result).path == "$.api_endpoints[0].path"


@pytest.mark.parametrize("auth", ["public", "user", "permission:reports.read"])
def test_an_endpoint_says_who_may_use_it(auth: str):
    result = read(api_endpoints=[{"method": "get", "path": "/items/{id}", "auth": auth}])

    assert result.manifest is not None
    endpoint = result.manifest.api_endpoints[0]
    assert (endpoint.method, endpoint.auth) == ("GET", auth)
    assert read(api_endpoints=[{"method": "GET", "path": "/", "auth": "root"}]).manifest is None


def test_repeated_entries_are_warnings():
    endpoint = {"method": "GET", "path": "/"}
    result = read(tags=["a", "a"], api_endpoints=[endpoint, endpoint])

    assert result.manifest is not None
    assert [problem.path for problem in result.warnings] == ["$.tags[1]", "$.api_endpoints[1]"]


def test_the_key_that_tells_editors_the_schema_is_no_unknown_key():
    assert read(**{"$schema": "./nexus.schema.json"}).problems == ()


def test_both_spellings_of_dependencies_mean_the_same():
    listed = read(dependencies=["billing>=2,<3", "users", "mail (>=1)"]).manifest
    mapped = read(dependencies={"billing": ">=2,<3", "users": "", "mail": ">=1"}).manifest

    assert listed is not None
    assert mapped is not None
    assert listed.dependencies == mapped.dependencies
    assert listed.dependencies[0].accepts("2.5")
    assert not listed.dependencies[0].accepts("3.0")


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Billing>=2", "billing>=2"),
        ("billing ^2", "billing>=2,<3"),
        ("my-billing==*", None),
        ("billing[extra]", None),
        ("billing @ https://example.com", None),
        (">=2", None),
        ("", None),
    ],
)
def test_a_dependency_in_another_spelling_comes_with_the_right_one(text: str, near: str | None):
    problem = only(read(dependencies=[text]))

    assert problem.path == "$.dependencies[0]"
    assert problem.nearest == near


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "line 1, column 1"),
        (b'{\n  "name": shop\n}', "line 2, column 11"),
        (b'{"name": "caf\xe9"}', "not UTF-8 at offset 13 (0xe9)"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8 at offset 0 (0xff)"),
        (b"[" * 10_000 + b"]" * 10_000, "deeper than 64 levels at line 1, column 65"),
        (b'{"a":' * 10_000, "deeper than 64 levels"),
        (b" " * (1 << 20) + b"1", "more than 1,048,576 bytes"),
        (b"9" * 5_000, "an integer of thousands of digits"),
        (b"null", "null"),
        (b"[]", "[] (array)"),
    ],
)
def test_what_is_no_manifest_at_all_is_one_problem_at_the_top(content: bytes, found: str):
    result = parse_manifest(content, "shop")

    problem = result.errors[0]
    assert problem.path == "$"
    assert found in problem.found
    assert result.manifest is None
    assert result.name == "shop"


@pytest.mark.parametrize(
    ("inside", "path"),
    [
        ('"size": NaN', "$.size"),
        ('"size": -Infinity', "$.size"),
        ('"size": {"a": [1, 1e999]}', "$.size.a[1]"),
        ('"name": "shop"', "$.name"),
        ('"a": {"b": 1, "b": 2}', "$.a.b"),
        ('"title": "\\ud800"', "$.title"),
        ('"a": {"\\udfff": 1}', '$.a["\\udfff"]'),
    ],
)
def test_what_python_reads_and_json_forbids_is_an_error_at_its_path(inside: str, path: str):
    result = parse_manifest(f'{{"name": "shop", "version": "1", {inside}}}'.encode(), "shop")

    assert [problem.path for problem in result.errors] == [path]


def test_a_pair_of_surrogate_escapes_is_one_character():
    result = parse_manifest(b'{"name":"shop","version":"1","title":"\\ud83d\\ude80"}', "shop")

    assert result.manifest is not None
    assert result.manifest.title == "\N{ROCKET}"


def test_brackets_within_strings_do_not_count_as_depth():
    assert read(description="[{" * 500 + '\\"').manifest is not None


def test_a_byte_order_mark_is_accepted(tmp_path: Path):
    folder = folder_with(tmp_path, b'\xef\xbb\xbf{"name": "shop", "version": "1"}')

    assert read_manifest(folder).manifest is not None


def test_fifty_megabytes_are_refused_by_their_size_without_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = folder_with(tmp_path, b"")
    with (folder / "manifest.json").open("r+b") as file:
        file.truncate(50_000_000)
    monkeypatch.setattr(Path, "open", None)  # opening it would be a TypeError

    assert only(read_manifest(folder)).found == "50,000,000 bytes"


def test_a_folder_without_manifest_goes_by_its_own_name(tmp_path: Path):
    result = read_manifest(tmp_path)

    assert result.name == tmp_path.name
    assert only(result).found == "no manifest.json"
    assert read_manifest(tmp_path / "absent").name == "absent"


def test_a_directory_in_the_manifests_place_is_refused(tmp_path: Path):
    (tmp_path / "manifest.json").mkdir()

    assert "no regular file" in only(read_manifest(tmp_path)).found


def test_a_pipe_in_the_manifests_place_is_refused_and_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "manifest.json")

    assert "no regular file" in only(read_manifest(tmp_path)).found


def test_a_loop_of_links_is_refused(tmp_path: Path):
    (tmp_path / "manifest.json").symlink_to("manifest.json")
    (tmp_path / "ring").symlink_to("ring")

    assert "cannot be read" in only(read_manifest(tmp_path)).found
    assert read_manifest(tmp_path / "ring").name == "ring"


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = folder_with(tmp_path, b"{}")

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # a mode of 0 does not stop root

    assert "Permission denied" in only(read_manifest(folder)).found


def test_a_path_with_a_nul_is_refused():
    assert "cannot be read" in only(read_manifest(Path("a\0b"))).found


def test_the_name_can_be_given_where_it_is_not_the_folders(tmp_path: Path):
    folder = folder_with(tmp_path, b'{"name": "shop", "version": "1"}', name="shop_package")

    assert read_manifest(folder, name="shop").manifest is not None


@pytest.mark.parametrize(
    "setting",
    [
        {"type": "integer", "secret": True, "default": "hunter2"},
        {"type": "integer", "secret": "true", "default": "hunter2"},
        {"type": "integer", "secret": True, "enum": ["hunter2"]},
        {"type": "string", "secret": True, "enum": "hunter2"},
        {"type": "string", "secret": True, "enum": ["hunter2"], "default": "other"},
        {"type": "strin", "secret": True, "default": "hunter2"},
        "hunter2",
    ],
)
def test_a_secret_is_never_echoed(setting: object):
    result = read(configuration={"password": setting})

    assert result.errors
    assert not any("hunter2" in problem.render() for problem in result.problems)


def test_a_long_value_is_shortened_to_sixty_characters():
    problem = only(read(version="9" * 150 + "x"))

    assert problem.found == f'"{"9" * 58}… (string)'


def test_what_is_shown_has_no_control_characters():
    problem = only(read(**{"\x1b[31m": 1}))

    assert problem.render().isprintable()


def test_half_a_million_wrong_entries_end_in_a_bounded_report():
    raw = b'{"name":"shop","version":"1","tags":[' + b"1," * 500_000 + b"1]}"

    result = parse_manifest(raw, "shop")

    assert len(result.problems) == LIMIT + 1
    assert "more problems" in result.problems[-1].found
    assert result.manifest is None


def test_many_warnings_hide_no_error_and_leave_a_valid_manifest_valid():
    unknown = {f"key_{number}": 1 for number in range(2 * LIMIT)}

    assert read(**unknown).manifest is not None
    assert len(read(**unknown).warnings) == LIMIT + 1
    assert read(**unknown, version=1).errors[0].path == "$.version"
