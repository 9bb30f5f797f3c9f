import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from nexus.plugins.discovery import Origin, discover, read_plugin


def names(*paths: Path) -> list[str]:
    return [plugin.name for plugin in discover(paths)]


def test_plugins_lie_one_or_two_levels_deep(write_plugin: Any, tmp_path: Path) -> None:
    write_plugin("plugins/beta")
    write_plugin("plugins/tools/alpha")
    write_plugin("plugins/tools/deep/too_deep")
    found = discover([tmp_path / "plugins"])
    assert [plugin.name for plugin in found] == ["alpha", "beta"]
    alpha, beta = found
    assert alpha.own_names == ("plugins.tools.alpha", "plugins.alpha")
    assert beta.own_names == ("plugins.beta",)
    assert {plugin.origin for plugin in found} == {Origin.FOLDER}
    assert all(plugin.manifest is not None and not plugin.errors for plugin in found)


def test_folders_inside_a_plugin_are_its_own_affair(write_plugin: Any, tmp_path: Path) -> None:
    write_plugin("plugins/outer")
    write_plugin("plugins/outer/inner")
    assert names(tmp_path / "plugins") == ["outer"]


def test_hidden_folders_files_and_folders_without_a_plugin_are_passed_over(
    write_plugin: Any, tmp_path: Path
) -> None:
    for name in (".git", "__pycache__", "_drafts", "tools/.hidden"):
        write_plugin(f"plugins/{name}")
    (tmp_path / "plugins" / "file.txt").write_text("x")
    (tmp_path / "plugins" / "empty").mkdir()
    assert names(tmp_path / "plugins") == []


def test_a_path_that_is_not_there_or_no_folder_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert names(tmp_path / "nowhere", tmp_path / "file") == []


def test_doubles_are_one_invalid_plugin_that_names_both_folders(
    write_plugin: Any, tmp_path: Path
) -> None:
    one = write_plugin("plugins/twin")
    two = write_plugin("plugins/tools/twin")
    [found] = discover([tmp_path / "plugins"])
    assert found.manifest is None
    assert found.is_double
    [problem] = found.errors
    assert str(one) in str(problem)
    assert str(two) in str(problem)


def test_a_folder_that_two_paths_lead_to_is_one_plugin(write_plugin: Any, tmp_path: Path) -> None:
    write_plugin("plugins/tools/alpha")
    (tmp_path / "link").symlink_to(tmp_path / "plugins")
    paths = [tmp_path / "plugins", tmp_path / "plugins" / "tools", tmp_path / "link"]
    [found] = discover(paths)
    assert found.manifest is not None


def test_a_folder_without_plugin_py_is_invalid(write_plugin: Any, tmp_path: Path) -> None:
    folder = write_plugin("plugins/alpha")
    (folder / "plugin.py").unlink()
    (folder / "plugin.py").mkdir()
    [found] = discover([tmp_path / "plugins"])
    assert found.manifest is None
    assert [problem.path for problem in found.errors] == ["plugin.py"]


def test_a_folder_without_a_manifest_is_invalid(write_plugin: Any, tmp_path: Path) -> None:
    (write_plugin("plugins/alpha") / "manifest.json").unlink()
    [found] = discover([tmp_path / "plugins"])
    assert (found.name, found.manifest) == ("alpha", None)
    assert "manifest.json" in str(found.errors[0])


def test_links_that_lead_nowhere_are_invalid_plugins(write_plugin: Any, tmp_path: Path) -> None:
    folder = write_plugin("plugins/alpha")
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").symlink_to(tmp_path / "gone.json")
    (tmp_path / "plugins" / "beta").symlink_to(tmp_path / "gone")
    (tmp_path / "plugins" / "loop").symlink_to(tmp_path / "plugins" / "loop")
    found = discover([tmp_path / "plugins"])
    assert [(each.name, each.manifest) for each in found] == [
        ("alpha", None),
        ("beta", None),
        ("loop", None),
    ]


def test_a_linked_folder_is_a_plugin(write_plugin: Any, tmp_path: Path) -> None:
    folder = write_plugin("elsewhere/alpha")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "alpha").symlink_to(folder)
    [found] = discover([tmp_path / "plugins"])
    assert found.manifest is not None


def test_an_unreadable_folder_is_invalid_and_the_others_are_found(
    write_plugin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin("plugins/alpha")
    closed = write_plugin("plugins/closed")
    access = os.access

    def refuse(path: Path, mode: int) -> bool:
        return path != closed and access(path, mode)

    def refusing(call: Any) -> Any:
        def called(path: Any, *arguments: Any, **options: Any) -> Any:
            if closed in Path(path).parents:
                raise PermissionError(errno.EACCES, "Permission denied")
            return call(path, *arguments, **options)

        return called

    monkeypatch.setattr(os, "access", refuse)
    for name in ("stat", "lstat", "open"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    alpha, found = discover([tmp_path / "plugins"])
    assert alpha.manifest is not None
    assert (found.name, found.manifest) == ("closed", None)
    assert "Permission denied" in str(found.errors[0])


@pytest.mark.parametrize("name", ["../x", "nexus", "con", "class", "a__b", "Upper", ""])
def test_a_name_that_cannot_be_is_listed_under_the_folders_name(
    write_plugin: Any, tmp_path: Path, name: str
) -> None:
    write_plugin("plugins/alpha", name=name)
    [found] = discover([tmp_path / "plugins"])
    assert (found.name, found.manifest) == ("alpha", None)
    assert found.errors[0].path == "$.name"


@pytest.mark.parametrize("name", ["nexus", "con", "class", "a b", "Upper"])
def test_a_folder_whose_name_cannot_be_is_invalid(
    write_plugin: Any, tmp_path: Path, name: str
) -> None:
    write_plugin(f"plugins/{name}")
    [found] = discover([tmp_path / "plugins"])
    assert (found.name, found.manifest) == (name, None)


def test_warnings_do_not_make_a_plugin_invalid(write_plugin: Any, tmp_path: Path) -> None:
    found = read_plugin(write_plugin("alpha", colour="red"), Origin.FOLDER, ())
    assert found.manifest is not None
    assert found.problems
    assert not found.errors


def install(site: Path, distribution: str, entry_points: dict[str, str]) -> None:
    info = site / f"{distribution}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[nexus.plugins]", *lines]) + "\n")


def test_installed_distributions_offer_plugins_without_being_imported(
    write_plugin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    boom = {"__init__.py": "raise RuntimeError('imported')"}
    write_plugin("site/shop_package", boom, name="shop")
    write_plugin("site/suite/billing", boom, name="billing")
    (site / "suite" / "__init__.py").write_text("raise RuntimeError('imported')")
    install(site, "shop-dist", {"shop": "shop_package", "billing": "suite.billing"})
    monkeypatch.syspath_prepend(site)
    billing, shop = discover([])
    assert (billing.name, shop.name) == ("billing", "shop")
    assert shop.origin is Origin.DISTRIBUTION
    assert shop.own_names == ("shop_package",)
    assert shop.manifest is not None
    assert billing.manifest is not None
    assert "shop_package" not in sys.modules
    assert "suite" not in sys.modules


@pytest.mark.parametrize("value", ["no_such_package_anywhere", "json.decoder", "this", "__main__"])
def test_an_entry_point_that_leads_nowhere_is_invalid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    install(tmp_path / "site", "ghost-dist", {"ghost": value})
    monkeypatch.syspath_prepend(tmp_path / "site")
    [ghost] = discover([])
    assert (ghost.name, ghost.manifest) == ("ghost", None)
    assert value in str(ghost.errors[0])


def test_a_distribution_and_a_folder_of_one_name_are_doubles(
    write_plugin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin("site/shop_package", name="shop")
    write_plugin("plugins/shop")
    install(tmp_path / "site", "shop-dist", {"shop": "shop_package"})
    monkeypatch.syspath_prepend(tmp_path / "site")
    [found] = discover([tmp_path / "plugins"])
    assert found.is_double


@pytest.mark.parametrize("where", ["plugins", "plugins/shop"])
def test_a_folder_that_cannot_be_listed_is_reported(
    write_plugin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    write_plugin("plugins/shop/alpha")
    scandir = os.scandir

    def refuse(path: Path) -> Any:
        if Path(path) == tmp_path / where:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    [found] = discover([tmp_path / "plugins"])
    assert (found.name, found.manifest) == (Path(where).name, None)
    assert "Permission denied" in str(found.errors[0])
