"""The agent `choria_provision` of a simulated server: every action, its checks in their order, its words.

Rules:
1. Checks come in the server's order, and what an earlier step wrote stays when a later one fails (§2.2).
2. A text that is said here was captured or read in the server's source; the simulator invents one, for RSA keys.
3. Nothing is written to a disk: files are entries of the node.
4. RSA keys are drawn from a pool that was made once; the one that a node has is not drawn again for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from security.exchange import public_of
from security.keys import SigningKey
from security.node_tls import unwrapped
from transport.wire.versions import WireRequest
from usher.simulator.inputs import INTEGER, TEXT, TEXTS, MisfitError, decode, texts
from usher.simulator.lifecycle import Kind, event
from usher.simulator.model import SECOND, Announce, Ending, Mode, Node, Setup
from usher.simulator.startup import parse, turns_provisioning_on

OK: Final = 0
ABORTED: Final = 1
UNKNOWN_ACTION: Final = 2
INVALID_DATA: Final = 4
_NOT_HERE: Final = "Cannot reconfigure a server that is not in provisioning mode"
_TOKEN: Final = {"token": TEXT}


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: the request it came in, its inputs as sent, when it arrived, the step's entropy."""

    request: WireRequest
    data: object
    now: int
    entropy: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What an action made of the node, and what it answers; events are published before the answer."""

    node: Node
    code: int = OK
    text: str = "OK"
    data: Mapping[str, Any] | None = None
    events: tuple[Announce, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """How one action is checked: in which modes, by the lock or not, and the struct that its inputs fill."""

    run: Callable[[Node, Setup, Asked, dict[str, Any]], Result]
    struct: str
    shape: Mapping[str, str]
    refused_text: str = _NOT_HERE
    modes: frozenset[Mode] = frozenset({Mode.PROVISIONING})
    locked: bool = True


def aborted(node: Node, text: str) -> Result:
    """A refusal: code 1 and no data."""
    return Result(node, ABORTED, text)


def perform(node: Node, setup: Setup, name: str, asked: Asked) -> Result:
    """Run an action of ACTIONS as the holder of its lock and of the agent's mutex."""
    action = ACTIONS[name]
    if node.process.mode not in action.modes:
        return aborted(node, action.refused_text)
    if name == "release_update" and not setup.updates:
        return aborted(node, "Version updates is not enabled in the configuration")
    try:
        given = decode(action.struct, action.shape, asked.data)
    except MisfitError as misfit:
        words = f"Could not parse request data for choria_provision#{name}: {misfit.words}"
        return Result(node, INVALID_DATA, words)
    if setup.secret and given["token"] != setup.secret:
        return aborted(node, "Incorrect provision token supplied")
    return action.run(node, setup, asked, given)


def _jwt(node: Node, setup: Setup, asked: Asked, _given: dict[str, Any]) -> Result:
    secret = asked.entropy[:32]
    node = node._replace(process=node.process._replace(ecdh=secret))
    return Result(node, data={"jwt": setup.token, "ecdh_public": public_of(secret).hex()})


def _gen25519(node: Node, setup: Setup, asked: Asked, given: dict[str, Any]) -> Result:
    key = SigningKey.from_seed(asked.entropy[:32])
    files = {path: text for path, text in node.files.items() if path != setup.token_file}
    files[setup.seed_file] = key.seed_hex
    signature = key.sign(given["nonce"].encode()).hex()
    data = {"public_key": key.public_hex, "directory": setup.directory, "signature": signature}
    return Result(node._replace(files=files), data=data)


def _gencsr(node: Node, setup: Setup, asked: Asked, given: dict[str, Any]) -> Result:
    others = [pair for pair in setup.keys if pair.private_pem != node.files.get(setup.private_file)]
    if not others:
        return aborted(node, "Could not create private key: this simulator was started without RSA keys (--rsa-keys)")
    pair = others[_draw(asked, len(others))]
    try:
        request = pair.request({**given, "cn": given["cn"] or node.identity})
    except ValueError as error:
        return aborted(node, f"Could not create CSR bytes: {error}")
    written = {setup.private_file: pair.private_pem, f"{setup.ssl_directory}/csr.pem": request}
    data = {"csr": request, "public_key": pair.public_pem, "ssldir": setup.ssl_directory}
    return Result(node._replace(files={**node.files, **written}), data=data)


def _configure(node: Node, setup: Setup, asked: Asked, given: dict[str, Any]) -> Result:
    if not given["config"]:
        return aborted(node, "Did not receive any configuration to write, cannot write a empty configuration file")
    if given["key"] and not given["ecdh_public"]:
        return aborted(node, "EDCH Public Key not supplied while providing a private key")
    try:
        settings = texts(orjson.loads(given["config"]))
    except (MisfitError, orjson.JSONDecodeError) as error:
        words = error.words if isinstance(error, MisfitError) else f"invalid JSON: {error}"
        return aborted(node, f"Could not decode configuration data: {words}")
    files, text = _write(node, setup, asked, settings, given)
    node = node._replace(files=files)
    if text:
        return aborted(node, text)
    message = f"Wrote {len(settings) + 1} lines to {setup.config_file}"
    announced = event(node, Kind.PROVISIONED, asked.now, asked.entropy[32:])
    return Result(node, data={"message": message}, events=(announced,))


def _write(
    node: Node, setup: Setup, asked: Asked, settings: Mapping[str, str], given: Mapping[str, Any]
) -> tuple[dict[str, str], str]:
    """Steps 6 to 10 of configure in their order: the files, and the text of the step that failed, or nothing."""
    files = dict(node.files)
    if given["certificate"] and given["ssldir"] and given["ca"] and (text := _tls(files, given, node.process.ecdh)):
        return files, f"TLS Setup Failed: could not decrypt private key: {text}"
    if given["server_jwt"]:
        files[setup.token_file] = given["server_jwt"]
    written = written_config(settings, asked)
    if text := config_error(parse(written)):
        return files, f"Could not write config: generated configuration could not be parsed: {text}"
    files[setup.config_file] = written
    for name, folder, extension, what in _POLICIES:
        policies = given[name]
        for misnamed in (policy for policy in policies if not policy.endswith(extension)):
            return files, f'Could not save {what}: expected "{misnamed}" to have {extension} extension'
        if policies:
            _replace_below(files, setup.beside(folder), policies)
    return files, ""


_POLICIES: Final = (
    ("action_policies", "policies", ".policy", "Action Policies"),
    ("opa_policies", "policies/rego", ".rego", "Open Policy Agent Policies"),
)


def _tls(files: dict[str, str], given: Mapping[str, Any], ecdh: bytes) -> str:
    """Write the files of its TLS; why the key could not be decrypted, or nothing."""
    folder = given["ssldir"].rstrip("/")
    files[f"{folder}/certificate.pem"] = given["certificate"]
    files[f"{folder}/ca.pem"] = given["ca"]
    if not given["key"]:
        return ""
    try:
        files[f"{folder}/private.pem"] = unwrapped(given["key"], ecdh, given["ecdh_public"])
    except ValueError as error:
        return str(error)
    files.pop(f"{folder}/csr.pem", None)
    return ""


def _replace_below(files: dict[str, str], folder: str, policies: Mapping[str, str]) -> None:
    for path in [path for path in files if path.startswith(f"{folder}/")]:
        del files[path]
    files.update({f"{folder}/{name}": body for name, body in policies.items() if name and body})


def written_config(settings: Mapping[str, str], asked: Asked) -> str:
    """The text of a configuration file as the agent writes it, values as they came (wire/server.conf.v2-written)."""
    request = asked.request
    who = f"# configuration file written in request {request.request_id} from {request.caller} ({request.sender})"
    return "\n".join([f"{who} at {asked.now}", *(f"{name}={value}" for name, value in settings.items()), ""])


def config_error(options: Mapping[str, str]) -> str:
    """Why a server cannot parse a configuration: the one thing that it refuses (wire/provisioning.md §2.2)."""
    anonymous = options.get("plugin.security.client_anon_tls", "").strip().lower() in ("1", "yes", "true", "y", "t")
    signer = options.get("plugin.choria.security.request_signer.url") or options.get(
        "plugin.choria.security.request_signer.service"
    )
    return "anonymous TLS can only be enabled when a remote signer is configured" if anonymous and not signer else ""


def _restart(node: Node, setup: Setup, asked: Asked, given: dict[str, Any]) -> Result:
    text = node.files.get(setup.config_file)
    options = parse(text or "")
    why = f"open {setup.config_file}: no such file or directory" if text is None else config_error(options)
    if why:
        words = f"Configuration {setup.config_file} could not be parsed, restart cannot continue: {why}"
        return aborted(node, words)
    if turns_provisioning_on(options):
        return aborted(node, f"Configuration {setup.config_file} enables provisioning, restart cannot continue")
    splay = given["splay"] or 10
    if splay < 0:  # rand.N panics: the process dies and nobody is answered
        return Result(_leaving(node, Ending.EXIT, asked.now), code=-1)
    seconds = _draw(asked, splay) + 2
    message = {"message": f"Restarting Choria Server after {seconds}s"}
    return _restarting(node, asked, seconds, Result(node, data=message))


def _restarting(node: Node, asked: Asked, seconds: int, result: Result) -> Result:
    """The mutex is held from here on; the `shutdown` event comes before the answer, as captured."""
    announced = event(node, Kind.SHUTDOWN, asked.now, asked.entropy[32:])
    node = _leaving(result.node, Ending.REEXEC, asked.now + seconds * SECOND)
    return replace(result, node=node, events=(*result.events, announced))


def _leaving(node: Node, ending: Ending, at: int) -> Node:
    return node._replace(process=node.process._replace(ending=ending, ends=at))


def _draw(asked: Asked, below: int) -> int:
    return int.from_bytes(asked.entropy[:8], "big") % below


def _reprovision(node: Node, setup: Setup, asked: Asked, _given: dict[str, Any]) -> Result:
    before = parse(node.files.get(setup.config_file, ""))
    settings = {"plugin.choria.server.provision": "1", "loglevel": "debug"}
    settings |= {name: before[name] for name in ("logfile",) if name in before}
    node = node._replace(files={**node.files, setup.config_file: written_config(settings, asked)})
    seconds = _draw(asked, 10) + 2
    return _restarting(node, asked, seconds, Result(node, data={"message": f"Restarting after {seconds}s"}))


def _shutdown(node: Node, _setup: Setup, asked: Asked, _given: dict[str, Any]) -> Result:
    seconds = _draw(asked, 10)
    node = _leaving(node, Ending.EXIT, asked.now + seconds * SECOND)
    return Result(node, data={"message": f"Shutting Choria Server down after {seconds}s"})


def _release_update(node: Node, _setup: Setup, asked: Asked, given: dict[str, Any]) -> Result:
    version = given["version"]
    if not given["repository"].startswith(("http://", "https://")):
        why = f"Update to version {version} failed, release rolled back: no repository"
        return aborted(node, why)
    announced = event(node, Kind.UPGRADED, asked.now, asked.entropy[16:32], new_version=version)
    result = Result(
        node._replace(version=version), data={"message": "Restarting Choria Server after 2s"}, events=(announced,)
    )
    return _restarting(node, asked, 2, result)


_ANYWHERE: Final = frozenset({Mode.PROVISIONING, Mode.SERVER})
_CONFIGURE: Final = dict.fromkeys(
    ("token", "config", "key", "certificate", "ca", "ssldir", "ecdh_public", "server_jwt"), TEXT
) | {"action_policies": TEXTS, "opa_policies": TEXTS}

ACTIONS: Final[Mapping[str, Action]] = {
    "configure": Action(_configure, "ConfigureRequest", _CONFIGURE),
    "gen25519": Action(_gen25519, "ED25519Request", _TOKEN | {"nonce": TEXT}),
    "gencsr": Action(_gencsr, "CSRRequest", dict.fromkeys(("token", "cn", "C", "L", "O", "OU", "ST"), TEXT)),
    "jwt": Action(_jwt, "JWTRequest", _TOKEN),
    "release_update": Action(
        _release_update,
        "ReleaseUpdateRequest",
        _TOKEN | {"repository": TEXT, "version": TEXT},
        refused_text="Cannot update a server that is not in provisioning mode",
    ),
    "reprovision": Action(
        _reprovision,
        "ReprovisionRequest",
        _TOKEN,
        refused_text="Server is already in provisioning mode, cannot enable provisioning mode again",
        modes=frozenset({Mode.SERVER}),
        locked=False,
    ),
    "restart": Action(_restart, "RestartRequest", _TOKEN | {"splay": INTEGER}, modes=_ANYWHERE, locked=False),
    "shutdown": Action(_shutdown, "ShutdownRequest", _TOKEN, modes=_ANYWHERE, locked=False),
}
