"""The settings that are a text, or a list of them: `token` and `jwt_verify_cert`."""

from __future__ import annotations

from pathlib import Path

import pytest

from usher.config.networks import load_site
from usher.config.problems import ConfigErrors, Severity
from usher.config.site import Site


@pytest.fixture
def load(tmp_path: Path):
    def load(token: str, key: str = "e7" * 32) -> Site:
        path = tmp_path / "usher.yaml"
        path.write_text(
            f"helper: /etc/helper\ntoken: {token}\nbroker_provisioning_password: pass\njwt_verify_cert: {key}\n"
            "jwt_signing_key: /etc/signer.seed\nfeatures: {ed25519: true}\n"
        )
        return load_site(path, {})

    return load


def test_token_may_be_a_list_and_a_text_is_a_list_of_one(load):
    assert load("s3cret").tokens == ("s3cret",)
    several = load("[first, second]")
    assert (several.tokens, several.token, several.secrets()) == (
        ("first", "second"),
        "first",
        ("first", "second", "pass"),
    )
    assert not any(secret in repr(several) for secret in ("first", "second"))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[first, '']", r"token\[1\]: it is empty"),
        ("[first, 7]", "token: it is a list, it must be text, or a list of texts"),
        ("{a: b}", "token: it is a group of settings"),
        ("7", "token: it is a number, .*put it in quotes"),
    ],
)
def test_a_list_of_tokens_that_is_wrong_is_named(load, written: str, said: str):
    with pytest.raises(ConfigErrors, match=said):
        load(written)


def test_a_token_that_stands_twice_is_a_mistake_and_no_token_a_warning(load):
    twice = next(each for each in load("[a, b, a]").problems if each.where.endswith("token[2]"))
    assert (twice.what, twice.severity) == ("it stands twice", Severity.MISTAKE)
    assert "it is empty" in [each.what for each in load("[]").problems if each.where.endswith("token")]


def test_the_key_of_provisioning_tokens_may_be_a_list_too(load):
    assert load("t").jwt_verify_cert == ("e7" * 32,)
    assert load("t", key="[/etc/old.pem, /etc/new.pem]").jwt_verify_cert == ("/etc/old.pem", "/etc/new.pem")
    twice = [each for each in load("t", key="[/k, /k]").problems if each.where.endswith("jwt_verify_cert[1]")]
    assert [(each.what, each.severity) for each in twice] == [("it stands twice", Severity.MISTAKE)]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[]", "jwt_verify_cert: it is missing"),
        ("['']", "jwt_verify_cert: it is missing"),
        ("[/k, '']", r"jwt_verify_cert\[1\]: it is empty"),
        ("[/k, 7]", "jwt_verify_cert: it is a list, it must be text, or a list of texts"),
    ],
)
def test_a_list_of_keys_that_is_wrong_is_named(load, written: str, said: str):
    with pytest.raises(ConfigErrors, match=said):
        load("t", key=written)
