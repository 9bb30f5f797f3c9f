import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.unit.builtin.auth.conftest import PASSWORD, Site


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def _forge(site: Site, token: str, kind: str) -> str:  # noqa: C901, PLR0912 - one case each
    key = await site.plugin.parts.keys.signing()
    claims = jwt.decode(token, options={"verify_signature": False})
    header: dict[str, Any] = {"typ": "at+jwt", "kid": key.kid}
    mine = Ed25519PrivateKey.generate()
    public = key.public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    now = int(time.time())
    signer: Any = key.private
    algorithm = "EdDSA"
    match kind:
        case "alg none":
            return f"{_part({**header, 'alg': 'none'})}.{_part(claims)}."
        case "alg None without a signature":
            return f"{_part({**header, 'alg': 'None'})}.{_part(claims)}."
        case "key confusion":
            signer, algorithm = public, "HS256"
        case "another key":
            signer = mine
        case "injected jwk":
            signer = mine
            raw = mine.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
            header["jwk"] = {"kty": "OKP", "crv": "Ed25519", "x": x}
        case "injected jwk beside a good signature":
            header["jwk"] = {"kty": "OKP"}
        case "unknown kid":
            header["kid"] = "../../dev/null"
        case "kid that is no text":
            header["kid"] = ["a"]
        case "crit":
            header["crit"] = ["exp"]
        case "jku":
            header["jku"] = "https://evil.test/keys"
        case "another type":
            header["typ"] = "JWT"
        case "expired":
            claims |= {"iat": now - 20, "exp": now - 10}
        case "no expiry":
            del claims["exp"]
        case "wrong audience":
            claims["aud"] = "somebody else"
        case "wrong issuer":
            claims["iss"] = "somebody else"
        case "no family":
            claims["sid"] = "none"
        case "another user":
            claims["sub"] = "somebody else"
        case "nonsense":
            return "a.b.c"
        case _:
            pass
    if header.get("kid") == ["a"]:
        head = _part({**header, "alg": "EdDSA"})
        return f"{head}.{_part(claims)}.{'A' * 86}"
    return jwt.encode(claims, signer, algorithm=algorithm, headers=header)


FORGERIES = [
    "alg none",
    "alg None without a signature",
    "key confusion",
    "another key",
    "injected jwk",
    "injected jwk beside a good signature",
    "unknown kid",
    "kid that is no text",
    "crit",
    "jku",
    "another type",
    "expired",
    "no expiry",
    "wrong audience",
    "wrong issuer",
    "no family",
    "another user",
    "nonsense",
]


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_forged_expired_and_foreign_tokens_are_refused_alike(site: Site) -> None:
    token = (await site.tokens())["access_token"]
    good = await site.call("GET", "/me", await _forge(site, token, "nothing"))
    assert good.status_code == 200
    for kind in FORGERIES:
        answer = await site.call("GET", "/me", await _forge(site, token, kind))
        assert answer.status_code == 401, kind
        assert answer.json()["code"] == "credentials-refused", kind


async def test_a_second_use_of_a_refresh_token_ends_the_whole_family(site: Site) -> None:
    first = await site.tokens()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = (await site.call("POST", "/token", data=form)).json()
    assert (await site.call("GET", "/me", second["access_token"])).status_code == 200
    assert (await site.call("POST", "/token", data=form)).status_code == 401
    form["refresh_token"] = second["refresh_token"]
    assert (await site.call("POST", "/token", data=form)).status_code == 401
    for tokens in (first, second):
        assert (await site.call("GET", "/me", tokens["access_token"])).status_code == 401
    assert await site.event("user.tokens_reused")


async def test_what_cannot_be_a_refresh_token_is_refused_as_one_that_is_wrong(site: Site) -> None:
    for token in ("", "x", "a.b", f"{'a' * 400}.x", "\x00.x", "é.x"):
        form = {"grant_type": "refresh_token", "refresh_token": token}
        assert (await site.call("POST", "/token", data=form)).status_code == 401, token


async def test_a_revoked_sign_in_takes_its_access_token_with_it(site: Site) -> None:
    tokens = await site.tokens()
    body = {"refresh_token": tokens["refresh_token"]}
    assert (await site.call("POST", "/token/revoke", json=body)).status_code == 204
    assert (await site.call("GET", "/me", tokens["access_token"])).status_code == 401


async def test_a_user_who_is_shut_out_or_gone_has_no_valid_token(site: Site) -> None:
    root = (await site.tokens())["access_token"]
    for end in ("PATCH", "DELETE"):
        token = await site.user(f"ada-{end}")
        user = (await site.call("GET", "/me", token)).json()["id"]
        options = {"json": {"active": False}} if end == "PATCH" else {}
        answer = await site.call(end, f"/users/{user}", root, **options)
        assert answer.status_code in {200, 204}
        assert (await site.call("GET", "/me", token)).status_code == 401


async def test_a_new_signing_key_leaves_earlier_tokens_valid_and_the_oldest_go(site: Site) -> None:
    token = (await site.tokens())["access_token"]
    old = jwt.get_unverified_header(token)["kid"]
    answer = await site.call("POST", "/signing-keys/rotate", token)
    assert answer.json()["kid"] != old
    assert (await site.call("GET", "/me", token)).status_code == 200
    assert (await site.call("POST", "/signing-keys/rotate", token)).status_code == 200
    assert (await site.call("GET", "/me", token)).status_code == 401


async def test_a_password_ends_everything_that_the_old_one_began(site: Site) -> None:
    token = await site.user("ada")
    body = {"current": PASSWORD, "new": "another long password"}
    assert (await site.call("POST", "/me/password", token, json=body)).status_code == 200
    assert (await site.call("GET", "/me", token)).status_code == 401
    assert await site.tokens("ada", "another long password")
