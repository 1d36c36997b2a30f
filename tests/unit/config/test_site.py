"""The YAML file: defaults, limits, and every mistake at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fsm.effects import Feature
from usher.config.policy import policy_of
from usher.config.problems import ConfigErrors, Problem, Severity
from usher.config.site import Site, load_site, read_site

GOOD = """\
helper: /etc/helper 'one word'
token: s3cret
broker_provisioning_password: pass
jwt_verify_cert: e72cba5268b34627b75c5ceae9449ad16d62f15f862c30d4e0e7d2588e2e6259
jwt_signing_key: /etc/signer.seed
features: {ed25519: true}
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / "usher.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def load(write):
    def load(text: str = "", **environ: str) -> Site:
        return load_site(write(GOOD + text), environ)

    return load


@pytest.fixture
def found(write):
    def found(text: str | bytes, good: str = GOOD) -> list[Problem]:
        content = text if isinstance(text, bytes) else good + text
        return list(read_site(write(content), {})[1])

    return found


def errors(problems: list[Problem]) -> list[str]:
    return [str(problem) for problem in problems if problem.severity is Severity.ERROR]


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


def test_the_defaults_are_those_of_the_older_program_without_its_defects(load):
    site = load()
    assert (site.workers, site.interval, site.logfile, site.loglevel) == (os.cpu_count(), 60, "stderr", "warn")
    assert (site.lifecycle_component, site.site, site.monitor_port) == ("provision_mode_server", "", 0)
    assert site.cert_deny_list[0] == r"\.privileged.mcollective$"
    assert site.server_jwt_validity == 365 * 24 * 3600
    assert site.features == {Feature.JWT, Feature.ED25519}
    assert site.problems == ()


def test_our_own_settings_have_defaults_too(load):
    site = load()
    assert (site.helper_timeout, site.helper_max_output, site.inject_provision_false) == (10, 1 << 20, False)
    assert (site.strict, site.facts_max_age, site.retry_cap, site.monitor_address) == (False, 900, 600, "")
    assert site.keep_nodes == 30 * 24 * 3600
    assert (site.vault_key_file, site.redact_keys) == ("", ())


def test_values_can_be_hidden_by_their_names_and_no_repr_shows_a_secret(load):
    site = load("redact_keys: [logfile, 'plugin.*', Inventory.Classes]\nvault_key_file: /run/secrets/usher\n")
    assert site.redact_keys == ("logfile", "plugin.*", "Inventory.Classes")
    assert site.vault_key_file == "/run/secrets/usher"
    assert not any(secret in repr(site) for secret in site.secrets() if secret != "pass")


@pytest.mark.parametrize("nothing", ["0", "0s", "'0'", "0d"])
def test_nodes_can_be_kept_for_ever(load, nothing: str):
    assert load(f"keep_nodes: {nothing}\n").keep_nodes == 0


def test_the_helper_is_split_and_the_secrets_are_known(load):
    site = load()
    assert site.command == ("/etc/helper", "one word")
    assert site.secrets() == ("s3cret", "pass")


def test_everything_can_be_set_in_any_letter_case(load):
    site = load(
        "WORKERS: 3\nInterval: 10m\nlogFile: /dev/stdout\nloglevel: DEBUG\nSite: A\nmonitor_port: 8080\n"
        "monitor_address: '::1'\ncert_deny_list: [/x$/]\nserver_jwt_validity: 2d\nstrictness: Strict\n"
        "state_directory: /var/s\nhelper_timeout: 1m\nhelper_max_output: 2048\ninject_provision_false: yes\n"
        "facts_max_age: 5m\nretry_cap: 1h\nupgrades_repository: http://x\nupgrades_optional: y\nleader_election: n\n"
        "jwt_signing_token: /etc/signer.jwt\n"
    )
    assert (site.workers, site.interval, site.logfile, site.loglevel) == (3, 600, "/dev/stdout", "debug")
    assert (site.site, site.monitor_port, site.monitor_address) == ("A", 8080, "::1")
    assert (site.cert_deny_list, site.server_jwt_validity, site.strict) == (("x$",), 172800, True)
    assert (site.state_directory, site.helper_timeout, site.helper_max_output) == (Path("/var/s"), 60, 2048)
    assert (site.inject_provision_false, site.facts_max_age, site.retry_cap) == (True, 300, 3600)
    assert site.jwt_signing_token == "/etc/signer.jwt"
    assert site.problems == ()


def test_null_is_as_if_it_was_not_there(load):
    site = load("interval:\nloglevel: null\nlifecycle_component: ''\nlogfile: ''\ncert_deny_list: []\nworkers: 2.0\n")
    assert (site.interval, site.loglevel, site.logfile, site.workers) == (60, "warn", "stderr", 2)
    assert (site.lifecycle_component, len(site.cert_deny_list)) == ("provision_mode_server", 4)


@pytest.mark.parametrize(
    ("environ", "directory"),
    [
        ({}, "/var/lib/usher"),
        ({"STATE_DIRECTORY": "/run/a"}, "/run/a"),
        ({"STATE_DIRECTORY": "/run/a:/run/b"}, "/run/a"),
    ],
)
def test_the_state_directory_follows_the_service_manager(load, environ: dict[str, str], directory: str):
    assert load(**environ).state_directory == Path(directory)
    assert load("state_directory: /mine\n", **environ).state_directory == Path("/mine")


@pytest.mark.parametrize(
    ("line", "setting", "says"),
    [
        ("workers: -1", "workers", "it must be a number of helpers"),
        ("workers: two", "workers", "it is text, it must be a whole number"),
        ("workers: true", "workers", "it is true or false, it must be a whole number"),
        ("workers: .inf", "workers", "it is a number, it must be a whole number"),
        ("interval: 30s", "interval", "at least 1 minute"),
        ("interval: ''", "interval", "at least 1 minute"),
        ("interval: 5x", "interval", "'5x' cannot be used"),
        ("interval: 300", "interval", "add a unit, as in 300s"),
        ("site: 12", "site", "it is a number, it must be text; put it in quotes"),
        ("site: [a]", "site", "it is a list, it must be text"),
        ("monitor_port: 70000", "monitor_port", "it must be a port"),
        ("monitor_address: here", "monitor_address", "'here' is no IP address"),
        ("server_jwt_validity: -1h", "server_jwt_validity", "longer than nothing"),
        ("server_jwt_validity: never", "server_jwt_validity", "'never' cannot be used"),
        ("lifecycle_component: a.b", "lifecycle_component", "'a.b' is not one token of a subject"),
        ("cert_deny_list: [ok, '*x']", "cert_deny_list[1]", "no regular expression"),
        ("cert_deny_list: ok", "cert_deny_list", "it is text, it must be a list of texts"),
        ("leader_election: true", "leader_election", "it is not supported yet"),
        ("choria_insecure: on", "choria_insecure", "it is not supported yet"),
        ("choria_insecure: 1", "choria_insecure", "it must be true or false"),
        ("strictness: lax", "strictness", "'lax' is neither"),
        ("state_directory: here", "state_directory", "not an absolute path"),
        ("helper_timeout: 0s", "helper_timeout", "longer than nothing"),
        ("helper_timeout: 10", "helper_timeout", "add a unit, as in 10s"),
        ("helper_max_output: 10", "helper_max_output", "at least 1024"),
        ("facts_max_age: 1s", "facts_max_age", "at least 1m"),
        ("keep_nodes: 5m", "keep_nodes", "at least 1h, or 0s to keep nodes for ever"),
        ("keep_nodes: false", "keep_nodes", "it is true or false, it must be a duration"),
        ("retry_cap: 1s", "retry_cap", "at least 5s"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_it(found, line: str, setting: str, says: str):
    said = only(found(line + "\n"))
    assert said.severity is Severity.ERROR
    assert said.where.endswith(f"usher.yaml: {setting}")
    assert says in str(said)


@pytest.mark.parametrize(
    ("good", "setting", "says"),
    [
        (GOOD.replace("helper: /etc/helper 'one word'", "helper: ''"), "helper", "it is missing"),
        (GOOD.replace("'one word'", "'one word"), "helper", "a single quote is not closed"),
        (GOOD.replace("jwt_signing_key: /etc/signer.seed", ""), "jwt_signing_key", "it is missing"),
        (GOOD.replace("jwt_verify_cert", "# "), "jwt_verify_cert", "it is missing"),
        (GOOD.replace("{ed25519: true}", "{jwt: true}"), "features.ed25519", "usher provisions networks with"),
        (GOOD.replace("{ed25519: true}", "{}"), "features.ed25519", "set features.ed25519: true"),
        (GOOD.replace("{ed25519: true}", "[ed25519]"), "features", "it is a list"),
        (GOOD.replace("true}", "true, upgrades: true}"), "features.upgrades", "it is not supported yet"),
        (GOOD.replace("ed25519: true", "pki: true"), "features.pki", "it is not supported yet"),
    ],
)
def test_what_is_missing_or_not_supported_stops_the_start(found, good: str, setting: str, says: str):
    said = errors(found("", good))
    assert any(f"usher.yaml: {setting}: " in line and says in line for line in said), said


def test_pki_and_ed25519_exclude_each_other(found):
    said = errors(found("", GOOD.replace("true}", "true, pki: true}")))
    assert any("usher.yaml: features: pki and ed25519 exclude each other" in line for line in said)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("wrokers: 2", "wrokers: there is no such setting; did you mean workers?"),
        ("zzz: 2", "zzz: there is no such setting; remove it"),
        ("Broker_Port: 4222", "Broker_Port: it does nothing: the older program read it and never used it"),
        ("rego_policy: x", "rego_policy: it does nothing"),
        ("management: {}", "management: it does nothing: the older program dropped it"),
        ("loglevel: chatty", "loglevel: 'chatty' is no level, warn is used"),
        ("token: other", "usher.yaml line 7: token: it stands twice"),
        ("Token: other", "usher.yaml line 7: Token: it stands twice"),
        ("1: x", "1: there is no such setting"),
    ],
)
def test_what_the_older_program_ignored_is_a_mistake(found, line: str, says: str):
    said = only(found(line + "\n"))
    assert said.severity is Severity.MISTAKE
    assert says in str(said)


def test_an_unknown_feature_is_a_mistake_too(found):
    said = only(found("", GOOD.replace("true}", "true, upgrade: false}")))
    assert "features.upgrade: there is no such setting; did you mean upgrades?" in str(said)


def test_a_start_goes_on_with_mistakes_and_knows_them(load):
    site = load("wrokers: 2\nloglevel: chatty\n")
    assert site.loglevel == "warn"
    assert [problem.severity for problem in site.problems] == [Severity.MISTAKE, Severity.MISTAKE]


def test_what_a_broker_or_a_node_would_refuse_is_a_warning(found):
    said = found("", GOOD.replace("token: s3cret", "").replace("broker_provisioning_password: pass", ""))
    assert [problem.severity for problem in said] == [Severity.WARNING, Severity.WARNING]
    assert "client_password" in str(said[1])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [1", "line 1 column 6: it is not YAML"),
        (b"a: b: c", "it is not YAML"),
        (b"- a", "it must be lines of the form"),
        (b"hello", "it must be lines of the form"),
        (b"\xff\xfe\xfd", "it is not UTF-8 text"),
        (b"a: \x01", "it is not YAML"),
        (b"a: !!python/object:os.system {}", "it is not YAML"),
        (b"? [a]\n: b", "it is not YAML"),
        (b"a: &a [*a]\nb: " + b"[" * 1500, "it is not YAML"),
        (b"# " + b"x" * (1 << 20), "it is larger"),
        (b"a\n: 0b", "it is not YAML"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_problem(found, content: bytes, says: str):
    assert says in str(only(found(content)))


def test_a_file_that_is_not_there_says_so(tmp_path: Path):
    with pytest.raises(ConfigErrors, match="there is no such file"):
        load_site(tmp_path / "absent.yaml", {})
    with pytest.raises(ConfigErrors, match="it cannot be read"):
        load_site(tmp_path, {})


def test_all_mistakes_are_found_at_once_and_none_shows_a_secret(write):
    with pytest.raises(ConfigErrors) as caught:
        load_site(write("workers: -1\ninterval: 1x\ntoken: s3cret\nleader_election: true\nfeatures: {pki: true}\n"), {})
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "interval", "leader_election", "features.pki", "workers", "helper",
    ]  # fmt: skip
    assert "s3cret" not in str(caught.value)


def test_the_policy_carries_what_a_site_may_choose(load):
    policy = policy_of(load("interval: 2m\nstrictness: strict\nfacts_max_age: 2m\nretry_cap: 90s\n"), "key-1")
    assert (policy.strict, policy.signer, policy.facts_max_age, policy.retry_cap) == (True, "key-1", 120_000, 90_000)
    assert (policy.features, policy.defer_delay) == ({Feature.JWT, Feature.ED25519}, 120_000)


def test_the_intake_is_read_and_slashes_around_a_pattern_are_no_part_of_it(load):
    site = load("max_nodes_per_minute: 30\nidentity_allow: ['/^web/']\nidentity_deny: ['^ci-', 'lab']\n")
    assert site.max_nodes_per_minute == 30
    assert (site.identity_allow, site.identity_deny) == (("^web",), ("^ci-", "lab"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_nodes_per_minute: -1", "max_nodes_per_minute: it must be a number of nodes, or 0 for no limit"),
        ("max_nodes_per_minute: many", "max_nodes_per_minute: it is text, it must be a whole number"),
        ("identity_allow: ['ok', '(']", "identity_allow[1]: '(' is no regular expression"),
        ("identity_deny: ['[']", "identity_deny[0]: '[' is no regular expression"),
        ("identity_deny: ['']", "identity_deny[0]: it is empty: every name has it"),
        ("identity_allow: ['//']", "identity_allow[0]: it is empty: every name has it"),
        ("identity_deny: web", "identity_deny: it is text, it must be a list of texts"),
    ],
)
def test_a_wrong_setting_of_the_intake_is_named(found, text: str, said: str):
    assert any(said in line for line in errors(found(text + "\n"))), errors(found(text + "\n"))
