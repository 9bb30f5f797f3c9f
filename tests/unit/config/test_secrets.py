import json
import stat
import threading
from pathlib import Path

import pytest

from nexus.config import SecretBox, SecretMask, masked
from nexus.config.secret_key import derive_key, make_key_file, read_key_file
from nexus.errors import NotJson, SecretKeyUnusable, SecretUndecryptable


def test_a_value_comes_back_and_does_not_show() -> None:
    box = SecretBox.temporary()
    for value in ("hunter2-hunter2", {"deep": ["hunter2-hunter2", 1.0, None]}, "\ud83d\ude00", 5):
        token = box.encrypt("plugin", "key", value)

        assert "hunter2" not in token
        assert box.decrypt("plugin", "key", token) == value
    with pytest.raises(NotJson):
        box.encrypt("plugin", "key", {1, 2})


def test_a_value_of_another_setting_or_key_is_refused_by_name() -> None:
    box = SecretBox.temporary()
    token = box.encrypt("plugin", "key", "value")

    for name, key, opener in (
        ("plugin", "other", box),
        ("other", "key", box),
        ("plugin", "key", SecretBox.temporary()),
    ):
        with pytest.raises(SecretUndecryptable) as caught:
            opener.decrypt(name, key, token)
        assert f"nexus config set {name} {key}" in str(caught.value)
    with pytest.raises(SecretUndecryptable):
        box.decrypt("plugin", "key", "no token")


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    token = SecretBox.of_application(folder, None).encrypt("plugin", "key", "value")

    assert SecretBox.of_application(folder, None).decrypt("plugin", "key", token) == "value"
    assert [path.name for path in folder.iterdir()] == ["secret.key"]
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600


def test_many_first_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)
    keys: list[bytes] = []

    def start() -> None:
        barrier.wait()
        keys.append(make_key_file(tmp_path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_a_key_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    assert make_key_file(tmp_path) == make_key_file(tmp_path)
    assert read_key_file(tmp_path) == (make_key_file(tmp_path),)


def test_an_operators_key_needs_no_file_and_gives_the_same_key_everywhere(tmp_path: Path) -> None:
    token = SecretBox.of_application(tmp_path, "correct horse battery").encrypt("p", "k", "value")

    assert list(tmp_path.iterdir()) == []
    other = SecretBox.of_application(tmp_path / "elsewhere", "correct horse battery")
    assert other.decrypt("p", "k", token) == "value"
    with pytest.raises(SecretUndecryptable):
        SecretBox.of_application(tmp_path, "another passphrase").decrypt("p", "k", token)
    assert derive_key("a" * 16) != derive_key("b" * 16)


def test_after_going_over_to_an_operators_key_old_secrets_can_be_read(tmp_path: Path) -> None:
    token = SecretBox.of_application(tmp_path, None).encrypt("p", "k", "value")
    box = SecretBox.of_application(tmp_path, "correct horse battery")

    assert box.decrypt("p", "k", token) == "value"
    renewed = box.encrypt("p", "k", "value")
    with pytest.raises(SecretUndecryptable):
        SecretBox.of_application(tmp_path, None).decrypt("p", "k", renewed)


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe"])
def test_a_file_without_a_key_is_named_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret.key").write_bytes(content)

    with pytest.raises(SecretKeyUnusable, match=r"secret\.key holds no key"):
        SecretBox.of_application(tmp_path, None).prepare()
    assert (tmp_path / "secret.key").read_bytes() == content


def test_a_key_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SecretKeyUnusable, match="cannot be made"):
        make_key_file(tmp_path / "file")


def test_a_key_that_others_can_read_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_key_file(tmp_path)
    assert caplog.records == []
    (tmp_path / "secret.key").chmod(0o644)

    read_key_file(tmp_path)

    assert "0600" in caplog.text


def test_a_mask_hides_every_form_of_a_secret() -> None:
    mask = SecretMask()
    secret = 'pä"ss\\word/1'
    mask.add(secret)
    mask.add({"inner": ["list-item", 123456], "flag": True, "none": None})
    mask.add("line one\nline two\n")

    for text in (
        f"plain {secret}",
        'json {"password": "pä\\"ss\\\\word/1"}',
        'json {"password": "p\\u00e4\\"ss\\\\word/1"}',
        f"repr {secret!r}",
        "url ?p=p%C3%A4%22ss%5Cword%2F1&x",
        "list-item and 123456",
        "second: line two",
    ):
        shown = mask.apply(text)
        assert "********" in shown
        assert "ss" not in shown.replace("password", "")
        assert "list-item" not in shown
        assert "123456" not in shown
        assert "line two" not in shown


def test_a_mask_prefers_the_longer_secret_and_ignores_the_shortest() -> None:
    mask = SecretMask()
    assert mask.apply("untouched") == "untouched"
    mask.add("abcd")
    mask.add("abcdefgh")
    mask.add("1")
    mask.add("")

    assert mask.apply("abcdefgh abcd 1") == "******** ******** 1"


def test_no_value_is_not_masked() -> None:
    assert masked(None) is None
    assert masked("") == masked(0) == "********"


def test_a_mask_finds_each_of_very_many_secrets() -> None:
    mask = SecretMask()
    secrets = [f"{number:04}-key-of-a-plugin" for number in range(300)]
    mask.add(secrets)
    mask.add("0007-key")
    line = " ".join(["before", *secrets, "0007-key", "after"])
    assert mask.apply(line) == " ".join(["before", *["********"] * 301, "after"])
    assert mask.apply("0007 0301-key-of-a-plugin") == "0007 0301-key-of-a-plugin"
    assert mask.apply("abc") == "abc"


@pytest.mark.parametrize(
    "secret", ['dou"ble-quote', "back\\slash-in", "sin'gle-quote", "bo\"th-quo'tes", "umläut-in"]
)
def test_a_secret_is_masked_however_often_it_is_quoted(secret: str) -> None:
    mask = SecretMask()
    mask.add(secret)
    inner = repr({"key": secret, "other": "it's", "third": 'a "b"'})
    for text in (
        json.dumps({"event": repr(secret)}),
        json.dumps({"event": inner}, ensure_ascii=False),
        json.dumps({"exception": f"KeyError: {inner!r}"}),
        json.dumps({"what": json.dumps({"key": secret})}),
        repr(json.dumps(secret)),
        repr([inner]),
    ):
        shown = mask.apply(text)
        assert "********" in shown
        assert not any(part in shown for part in ("quo", "slash", "ble", "gle", "uml", "ut-in"))


def test_decrypting_makes_no_key(tmp_path: Path) -> None:
    token = SecretBox.temporary().encrypt("p", "k", "value")
    box = SecretBox.of_application(tmp_path / "data", None)
    with pytest.raises(SecretUndecryptable):
        box.decrypt("p", "k", token)
    assert not (tmp_path / "data").exists()

    assert box.decrypt("p", "k", box.encrypt("p", "k", "value")) == "value"
    assert (tmp_path / "data" / "secret.key").exists()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe"])
def test_with_a_given_key_a_broken_file_is_warned_of_and_not_needed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / "secret.key").write_bytes(content)
    box = SecretBox.of_application(tmp_path, "correct horse battery")
    box.prepare()

    assert box.decrypt("p", "k", box.encrypt("p", "k", "value")) == "value"
    [record] = caplog.records
    assert (record.levelname, record.reason) == ("WARNING", "holds no key")  # type: ignore[attr-defined]  # extra
    assert (tmp_path / "secret.key").read_bytes() == content
