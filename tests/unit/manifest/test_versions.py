"""How versions are held against ranges."""

import pytest

from nexus.manifest import Manifest, satisfies, satisfies_release
from nexus.manifest.versions import VERSION, VERSION_RANGE


@pytest.mark.parametrize(
    ("version", "specifier", "strict", "release"),
    [
        ("2.5", ">=2,<3", True, True),
        ("3.0", ">=2,<3", False, False),
        ("0.2.0.dev3", ">=0.2.0", False, True),
        ("0.2.0rc1", ">=0.2.0", False, True),
        ("0.2.0.dev3", ">=0.1", True, True),
        ("0.2.0+local.1", "==0.2.0", True, True),
        ("3.14.0b2", ">=3.14", False, True),
        ("1!1.0", ">=2", True, True),
        ("1.0", "", True, True),
    ],
)
def test_only_the_release_counts_for_the_platform_and_python(
    version: str,
    specifier: str,
    strict: bool,
    release: bool,
):
    assert satisfies(version, specifier) is strict
    assert satisfies_release(version, specifier) is release


def test_a_manifest_takes_development_versions_of_the_platform():
    manifest = Manifest(name="a", version="1", nexus_version=">=0.2", python_version=">=3.11")

    assert manifest.accepts_nexus("0.2.0.dev1")
    assert not manifest.accepts_nexus("0.1.9")
    assert manifest.accepts_python("3.11.0rc1")
    assert not manifest.accepts_python("3.10.14")


@pytest.mark.parametrize("version", ["1.0.0", "1", "1.0rc1", "2024.1.post1", "1!2.0"])
def test_a_pep_440_version_is_accepted(version: str):
    assert VERSION.refuse(version) is None


@pytest.mark.parametrize(
    ("version", "near"),
    [("", None), ("latest", None), ("1.0-SNAPSHOT", "1.0"), ("1." * 200, None), ("1.x", "1")],
)
def test_another_version_is_refused_with_the_nearest(version: str, near: str | None):
    refusal = VERSION.refuse(version)

    assert refusal is not None
    assert refusal.nearest == near


@pytest.mark.parametrize(
    ("specifier", "near"),
    [
        ("^1.2", ">=1.2,<2"),
        ("^0.2.1", ">=0.2.1,<0.3"),
        ("~1.2", "~=1.2"),
        ("~1", ">=1,<2"),
        ("1.2", "==1.2"),
        ("=1.2", "==1.2"),
        ("=>1.2", ">=1.2"),
        ("=<1.2", "<=1.2"),
        ("*", ""),
        (">=1 or <3", None),
        (">=one", None),
    ],
)
def test_a_range_in_another_spelling_comes_with_its_pep_440_form(specifier: str, near: str | None):
    refusal = VERSION_RANGE.refuse(specifier)

    assert refusal is not None
    assert refusal.nearest == near
    assert near is None or VERSION_RANGE.refuse(near) is None
