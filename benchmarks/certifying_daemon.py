"""`usher run` on an x509 network with the authority in the process: what a helper costs but for its start.

Rules:
1. Everything but the helper is the daemon's own composition, as in benchmarks.inline_daemon.
2. The authority is the site's own, read once; it signs each node's request as the sample helper does.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.inline_daemon import inline, serve
from fsm.ports import HelperCall, HelperReply
from security.ca import SmallCa
from usher import run
from usher.simulator.material import YEAR


def certifying(site: Path) -> Callable[[HelperCall], HelperReply]:
    """A helper with the authority of a site's directory."""
    authority = SmallCa.of((site / "ca.pem").read_text(), (site / "ca.key").read_text())

    def answer(call: HelperCall) -> HelperReply:
        if call.csr is None:
            raise ValueError("the site has no feature pki")
        directory = call.csr.ssldir
        return HelperReply(
            configuration={
                "identity": call.identity,
                "loglevel": "info",
                "plugin.choria.middleware_hosts": "nats://broker.example.net:4222",
                "plugin.choria.server.provision": "false",
                "plugin.security.provider": "file",
                "plugin.security.file.certificate": f"{directory}/certificate.pem",
                "plugin.security.file.key": f"{directory}/private.pem",
                "plugin.security.file.ca": f"{directory}/ca.pem",
            },
            certificate=authority.certify(call.csr.csr, call.identity, int(time.time()), YEAR),
            ca=authority.certificate,
        )

    return answer


def main() -> int:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    asked = parser.parse_args()
    return serve(inline(run.read(asked), certifying(Path(asked.config).parent)))


if __name__ == "__main__":
    sys.exit(main())
