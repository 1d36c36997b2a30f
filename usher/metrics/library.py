"""The library: the series that the older program has from go-choria's libraries, and which of them usher has.

Rules:
1. A name, type or label is that of go-choria (`protocol/stats`, `choria/connection.go`, `providers/election`,
   `srvcache`); so these series have no label `site`.
2. A series is exported if usher does what it counts; else it is absent, never a zero that nothing can move.
3. What is not exported is named here with the reason and with what to watch instead.
"""

from __future__ import annotations

from typing import Final

from transport.wire.versions import Version
from usher.metrics.families import Family, Kind

VERSIONS: Final = {Version.V1: "1", Version.V2: "2"}
"""The label `version`, by the protocol that the network speaks."""
_EXPORTED: Final = (
    ("choria_protocol_valid", Kind.COUNTER, "version", "Replies whose hash fits what they say"),
    ("choria_protocol_invalid", Kind.COUNTER, "version", "Replies whose hash does not fit, or of another schema"),
    ("choria_protocol_error", Kind.COUNTER, "version", "Replies that are no JSON, or of another schema"),
    ("choria_protocol_json_parse_failures", Kind.COUNTER, "version", "Replies that are no JSON"),
    (
        "choria_connector_initial_connection_attempts",
        Kind.COUNTER,
        "",
        "Attempts to log in that failed before the first login, of all connections",
    ),
    ("choria_connector_reconnections", Kind.COUNTER, "", "Logins after the first one, of all connections"),
    ("choria_connector_errors", Kind.COUNTER, "", "Complaints of the broker over a login that lives on"),
    ("choria_connector_initial_connect_time", Kind.SUMMARY, "", "Seconds from the start to the first login"),
    (
        "choria_election_campaigns",
        Kind.COUNTER,
        "election identity state",
        "Writes of the election's key that were asked for, as candidate and as leader; absent without an election",
    ),
    ("choria_election_leader", Kind.GAUGE, "election identity", "1 while the key is this usher's"),
    ("choria_election_interval_seconds", Kind.GAUGE, "election identity", "Seconds between the last two campaigns"),
)
NOT_EXPORTED: Final = {
    "choria_connector_connection_closed": "the older program closes a connection after each request; usher keeps its "
    "connections until it ends, and an end that was not wanted is in `usher_disconnections_total`",
    "choria_dns_srv_lookups": "usher asks DNS at a round of logins and not for each request: nothing to watch but the "
    "logins, `usher_logins_refused_total`",
    "choria_dns_srv_cachehits": "usher has no cache of DNS answers",
    "choria_dns_srv_cachemiss": "likewise",
}
"""Why each of the other series is absent."""


def library() -> dict[str, Family]:
    """The families that are exported, by name."""
    return {name: Family(name, kind, what, tuple(names.split()), site=False) for name, kind, names, what in _EXPORTED}
