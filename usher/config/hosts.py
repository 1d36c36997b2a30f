"""Which brokers a Choria client configuration names, or how it has them looked for (wire/protocol.md §4.1).

Rules:
1. What is written counts; if nothing is, DNS is asked unless that is off, and FALLBACK is the last resort.
2. An address that cannot be used is an error; what of it does not count is a mistake.
"""

from __future__ import annotations

from typing import Final

from fsm.identity import is_safe
from usher.config.reading import Reading
from usher.config.servers import FALLBACK, Lookup, Server, parse_server, shown

HOSTS: Final = "plugin.choria.middleware_hosts"
USE_SRV: Final = "plugin.choria.use_srv"
SRV_DOMAIN: Final = "plugin.choria.srv_domain"
_FACTER: Final = "facter's networking.domain"


def read_servers(reading: Reading) -> tuple[Server, ...]:
    """The brokers that are written."""
    option = reading.get(HOSTS)
    words = option.words if option else ()
    servers = [server for text in words if (server := _server(reading, text))]
    if option:
        reading.note("servers", HOSTS)
    return tuple(servers)


def _server(reading: Reading, text: str) -> Server | None:
    try:
        server = parse_server(text)
    except ValueError as error:
        reading.say(HOSTS, f"{shown(text)!r}: {error}", f"write `{HOSTS} = broker1.example.net:4222`")
        return None
    if server.dropped:
        reading.mistake(HOSTS, f"{server.url} has {server.dropped}: it does not count", f"write {server.url}")
    return server


def read_lookup(reading: Reading) -> Lookup | None:
    """Where to ask for brokers when none are written; go-choria asks, unless it is told not to."""
    asks = reading.switch(USE_SRV, usual=True)
    if reading.get(HOSTS):
        return None
    last = f"{FALLBACK.host}:{FALLBACK.port}"
    if not asks:
        what = f"it is not set, and {USE_SRV} is off, so the broker is {last}, go-choria's last resort"
        reading.warn(HOSTS, what, f"add the line `{HOSTS} = broker.example.net:4222`")
        reading.note("servers", USE_SRV)
        return None
    option = reading.get(SRV_DOMAIN)
    domain = option.value.strip() if option else ""
    if domain and not is_safe(domain.removesuffix(".")):
        reading.say(SRV_DOMAIN, f"{domain[:80]!r} is not a domain", "write it as `example.net`")
    if not domain:
        what = f"it is not set: DNS is asked for brokers in {_FACTER}; without facter the broker is {last}"
        next_step = f"add the line `{HOSTS} = broker.example.net:4222`, or set {SRV_DOMAIN}"
        reading.warn(HOSTS, what, next_step)
    reading.note("servers", SRV_DOMAIN, "" if domain else _FACTER)
    return Lookup(domain, option.where if option and domain else _FACTER)
