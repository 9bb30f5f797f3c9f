"""What a test file belongs to."""

from pathlib import Path

import pytest

from nexus.testing.surroundings import PluginUnderTest, surroundings_of


@pytest.fixture(autouse=True)
def _forget() -> None:
    surroundings_of.cache_clear()


def put(folder: Path, *files: str, text: str = "{}") -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")


def test_a_folder_of_any_other_project_belongs_to_nothing(tmp_path: Path) -> None:
    put(tmp_path, "tests/test_x.py", "plugins/readme.txt", "web/manifest.json", "web/plugin.py")
    for folder in (".", "tests", "plugins", "web"):
        assert surroundings_of(tmp_path / folder) is None


def test_a_plugins_folder_makes_an_application_without_a_settings_file(tmp_path: Path) -> None:
    put(tmp_path, "plugins/foo/manifest.json", "plugins/media/bar/manifest.json")
    (tmp_path / "plugins/foo/tests").mkdir()
    foo = surroundings_of(tmp_path / "plugins/foo/tests")
    bar = surroundings_of(tmp_path / "plugins/media/bar")
    assert foo is not None
    assert bar is not None
    assert foo.root == bar.root == tmp_path
    assert foo.application == bar.application
    assert foo.plugin == PluginUnderTest(name="foo", folder=tmp_path / "plugins/foo")
    assert bar.plugin == PluginUnderTest(name="bar", folder=tmp_path / "plugins/media/bar")
    assert foo.folder_of("bar") == tmp_path / "plugins/media/bar"
    assert foo.folder_of("baz") is None


def test_the_settings_file_says_where_plugins_are(tmp_path: Path) -> None:
    put(tmp_path, "nexus.yaml", text="plugin_paths: [vendor/plugins, own]")
    put(tmp_path, "own/foo/manifest.json", "vendor/plugins/bar/manifest.json")
    for folder in ("own/foo", "vendor/plugins/bar"):
        found = surroundings_of(tmp_path / folder)
        assert found is not None
        assert found.root == tmp_path
        assert found.plugin_paths == (tmp_path / "vendor/plugins", tmp_path / "own")


def test_the_applications_own_tests_belong_to_no_plugin(tmp_path: Path) -> None:
    put(tmp_path, "nexus.yaml", text="")
    put(tmp_path, "tests/test_x.py", "plugins/foo/manifest.json")
    found = surroundings_of(tmp_path / "tests")
    assert found is not None
    assert (found.root, found.plugin) == (tmp_path, None)


def test_wrong_settings_do_not_keep_a_plugin_from_being_tested(tmp_path: Path) -> None:
    put(tmp_path, "nexus.yaml", text="server: {port: none}")
    put(tmp_path, "plugins/foo/manifest.json")
    found = surroundings_of(tmp_path / "plugins/foo")
    assert found is not None
    assert found.plugin_paths == (tmp_path / "plugins",)


def test_a_plugin_may_lie_by_itself(tmp_path: Path) -> None:
    put(tmp_path, "nexus-foo/manifest.json", text='{"name": "foo"}')
    put(tmp_path, "nexus-foo/plugin.py", text="from nexus.plugins import BasePlugin")
    found = surroundings_of(tmp_path / "nexus-foo")
    assert found is not None
    assert found.root is None
    assert found.folder_of("foo") == tmp_path / "nexus-foo"


@pytest.mark.parametrize("text", ["", "[]", "not json", '{"name": 1}', "[" * 100_000])
def test_a_plugin_whose_manifest_cannot_be_read_goes_by_its_folders_name(
    tmp_path: Path, text: str
) -> None:
    put(tmp_path, "plugins/foo/manifest.json", text=text)
    found = surroundings_of(tmp_path / "plugins/foo")
    assert found is not None
    assert found.plugin is not None
    assert found.plugin.name == "foo"
