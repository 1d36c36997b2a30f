"""What a start says in the log: what is only warned of, and what usher begins with.

Rules:
1. What stops a start is said on standard error, before there is a log (usher.run).
2. Nothing of a secret: problems name settings, and never show their values.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from fsm.policy import Policy
from usher import logs
from usher.config.problems import Problem
from usher.config.site import Site
from usher.outside import VERSION

_logger = logging.getLogger("usher")


def announce(site: Site, problems: Iterable[Problem], epoch: int, policies: Sequence[Policy]) -> None:
    """Say what is only warned of, and what usher starts with."""
    for problem in problems:
        logs.say(_logger, logging.WARNING, str(problem))
    listed = {"networks": [policy.network for policy in policies]} if len(policies) > 1 else {}
    if policies[0].observe:
        logs.say(_logger, logging.WARNING, "usher only observes: it reads inventories, and provisions nobody")
    logs.say(
        _logger,
        logging.INFO,
        f"usher {VERSION} starts using configuration file {site.file}",
        state=str(site.state_directory),
        epoch=epoch,
        policy=", ".join(policy.hash for policy in policies),
        **listed,
        workers=site.workers,
        interval=site.interval,
    )
