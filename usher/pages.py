"""Pages: the documents that are written from the program, of settings, metrics and failures.

Rules:
1. A page says what the program holds; who changes one runs `make docs`, and a test fails until that was done.
2. The text around the tables is here and nowhere else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from diagrams.page import grid
from fsm.reasons import WHAT
from usher.advice import ADVICE
from usher.checks import OF_NODES, OF_SITES
from usher.config.keys import AUDIT, FEATURES, KEYS, NETWORK, PER_NETWORK, RETIRED, Key
from usher.metrics.catalogue import OWN, PREFIX, RPC, families
from usher.metrics.families import Family
from usher.metrics.library import NOT_EXPORTED, library

_SETTINGS: Final = """# Configuration

Written by `make docs` from `usher/config/keys.py`.

`usher run` and `usher check-config` read two files: the site's YAML (`--config`), below, and the Choria client
configuration (`--choria-config`), which says who usher is and where the broker is. Both are those of
choria-io/provisioner, unchanged. Keys match in any letter case. What is unknown is a warning for `usher run` and an
error for `usher check-config`; what needs a feature that usher does not have yet stops the start and is named.

A duration is a number with one of `w d M y` (`M` is thirty days), or a Go duration such as `90s`, `1h30m`.
"""

_CLIENT: Final = """
## The Choria client configuration

| key | what for |
|---|---|
| `plugin.security.provider` | `choria`: a client token, v2; `file`, `puppet`: a certificate, v1. Default `puppet` |
| `plugin.security.file.certificate` | the certificate in PEM, its issuers after it; requests show the file |
| `plugin.security.file.key` | file: its RSA key, PKCS#1 or PKCS#8, without a passphrase, mode 0600 |
| `plugin.security.file.ca` | file: the authority that the broker's certificate is verified with |
| `plugin.choria.ssldir` | puppet: the directory of `certs` and `private_keys`; default as puppet says, or the user's |
| `plugin.security.choria.token_file` | the client token that usher logs in with; its `callerid` is what nodes see |
| `plugin.security.choria.seed_file` | the ed25519 seed of that token: 64 hexadecimal characters, mode 0600 |
| `plugin.security.choria.ca` | verify the broker's certificate with it; else nothing is verified, as in Choria |
| `identity` | the name that usher sends as; default the name of the machine. With file also the certname of root |
| `plugin.choria.middleware_hosts` | the brokers, `host:port`, commas between; else they are looked for in DNS |
| `plugin.choria.use_srv` | look for brokers in DNS when none are written; default yes |
| `plugin.choria.srv_domain` | the domain to look in; `$CHORIA_SRV_DOMAIN` wins; default what facter says |
| `plugin.choria.network.connect_timeout` | how long a step of a login may take; default `2s`, at most `120s` |
| `plugin.nats.user`, `plugin.nats.pass` | who logs in when the YAML has no `broker_provisioning_password` |

Which files are read, what wins, and how the brokers are found: [choria-configuration.md](choria-configuration.md).
"""

_METRICS: Final = """# Metrics and probes

Written by `make docs` from `usher/metrics/catalogue.py`.

Served on `monitor_port` (`monitor_address`, default all addresses): `/metrics`; `/healthz` answers 200 while the
daemon's loop turns; `/readyz` answers 200 while work is taken, else 503 and why. Every series has the label `site`, but
for those of the library. No label ever holds a node's name: how many series there are does not depend on the fleet.
Beside these stand prometheus-client's own of the process and the platform (`process_*`, `python_*`).

What is counted, and needs no label, is there at zero from the start. A summary has `_sum`, `_count` and no quantiles;
a histogram has `_bucket` with `le` too, at most 25 seconds and `+Inf`.

A dashboard and alert rules for these are in [contrib/](../contrib/README.md), what each alert means in
[alerts.md](alerts.md). The dashboard of the older program works as it is.
"""

_LIBRARY: Final = """
## The library's

The older program has these from go-choria's libraries, and sites alert on some of them. Those that count what usher
does too have the same names, types and labels here, so they have no label `site`. The label `version` is the protocol
of the network: `1` with certificates or without anything, `2` with tokens.

"""

_ABSENT: Final = """
Not exported, since nothing here could move them:

| name | why, and what to watch instead |
|---|---|
"""


_FAILURES: Final = """# Failures

Written by `make docs` from `fsm/reasons.py` and `usher/advice.py`.

Why a step did not succeed, or why a node is where it is: what each code means, what sites find behind it (the likeliest
first), and the command that finds out more or mends it, with `NODE`, `WHY` and `FILE` to be filled in. A code never
changes its meaning. `usher explain CODE` says the same on any machine; `usher nodes list --reason CODE` lists the
nodes, `usher errors` counts them, `usher nodes why NODE` tells a node's story.

"""


_CHECKS: Final = """# Named checks

Written by `make docs` from `usher/checks.py`.

A site swaps the programs in an afternoon only if nothing is refused that worked yesterday. Whatever usher would refuse
and the older program let pass has a name. With `strictness: compatible`, the default, it is let pass; with `strict` it
is refused. What would give a node rights over others, or leave it dead, has no such name: it is refused in both
([certificates.md](certificates.md), [compatibility.md](compatibility.md)).

## Of nodes, and of what helpers answer

Warned about once a node, said in its history, counted in `usher_compat_total{check}`. Let a site run `compatible` until
nothing is counted any more, then switch.

"""

_CHECKS_OF_SITES: Final = """
## Of the site's own files

Said by `usher check-config` and at the start; with `strict` there is no start.
"""


def checks() -> str:
    """docs/checks.md."""
    nodes = [(f"`{name}`", check.what, f"`{check.refused}`") for name, check in OF_NODES.items()]
    sites = [(f"`{name}`", what) for name, what in OF_SITES.items()]
    of_nodes = grid(("check", "it fires where", "strict refuses with"), nodes)
    of_sites = grid(("check", "it fires where"), sites)
    return "\n".join([_CHECKS.rstrip("\n"), "", *of_nodes, _CHECKS_OF_SITES, *of_sites, ""])


def configuration() -> str:
    """docs/configuration.md."""
    retired = "\n".join(f"| `{name}` | {why} |" for name, why in RETIRED.items())
    return (
        f"{_SETTINGS}\n## The site's YAML\n\n{_settings(KEYS)}\n## `features`\n\n{_settings(FEATURES, 'features.')}"
        f"\n## `networks`\n\n{_settings(NETWORK)}{_networks()}"
        f"\n## `audit`\n\n{_settings(AUDIT, 'audit.')}"
        f"\n## Retired\n\n| key | why |\n|---|---|\n{retired}\n{_CLIENT}"
    )


def _networks() -> str:
    own = ", ".join(f"`{name}`" for name in PER_NETWORK)
    return (
        f"\nAn entry may also say, for itself: {own}. What it does not say is the top level's; `features` of an entry "
        "replace those of the top level. Everything else is the same for all networks: [networks.md](networks.md).\n"
    )


def metrics() -> str:
    """docs/metrics.md."""
    every = families()
    inherited = [family for family in every.values() if family.name.startswith(PREFIX)]
    calls = ", ".join(f"`{name}`" for name in RPC.values())
    own = "\n".join(f"### {about}\n\n{_families([every[name] for name, *_ in rows])}" for about, rows in OWN.items())
    absent = "\n".join(f"| `{name}` | {why} |" for name, why in NOT_EXPORTED.items())
    return (
        f"{_METRICS}\n## The names of the older program\n\n{_families(inherited)}\n"
        f"The label `rpc` is one of {calls}.\n{_LIBRARY}{_families(list(library().values()))}{_ABSENT}{absent}\n"
        "\n## Our own\n\nEach with the question that it answers. Where there are several networks "
        "([networks.md](networks.md)), those that are of one network\nhave the label `network` too.\n\n"
        f"{own}"
    )


def failures() -> str:
    """docs/failures.md."""
    head = ("reason", "what happened", "likely cause", "command")
    rows = (
        (f'<a id="{reason.value}"></a>`{reason.value}`', what, ADVICE[reason].cause, f"`{ADVICE[reason].command}`")
        for reason, what in WHAT.items()
    )
    return _FAILURES + "\n".join(grid(head, rows)) + "\n"


def _settings(keys: Mapping[str, Key], prefix: str = "") -> str:
    rows = [f"| `{prefix}{name}` | {key.kind.value} | {_default(key)} | {key.what} |" for name, key in keys.items()]
    return "| key | holds | default | what for |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _default(key: Key) -> str:
    match key.default:
        case None | "" | ():
            return "-"
        case bool():
            return "`true`" if key.default else "`false`"
        case tuple():
            return " ".join(f"`{item}`" for item in key.default)
        case _:
            return f"`{key.default}`"


def _families(every: list[Family]) -> str:
    rows = [
        f"| `{family.name}` | {family.kind.value} | {' '.join(f'`{name}`' for name in family.names)} | {family.what} |"
        for family in every
    ]
    return "| name | type | labels | what it tells |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "configuration.md": configuration,
    "metrics.md": metrics,
    "failures.md": failures,
    "checks.md": checks,
}


def main() -> int:
    """Write the pages into the folder that is named."""
    for name, make in PAGES.items():
        (Path(sys.argv[1]) / name).write_text(make(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
