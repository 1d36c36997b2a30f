"""From a site's choices to the frozen policy that decisions depend on.

Rules:
1. Only what a site may choose is carried over; everything else keeps the design's values.
2. The site's durations are seconds, the policy's milliseconds.
"""

from __future__ import annotations

from typing import Final

from fsm.policy import Policy
from usher.config.site import Site

_MILLISECONDS: Final = 1000


def policy_of(site: Site, signer: str) -> Policy:
    """The policy of a site; `signer` is the id of the key that signs server tokens now."""
    return Policy(
        network=site.network,
        features=site.features,
        strict=site.strict,
        signer=signer,
        facts_max_age=round(site.facts_max_age * _MILLISECONDS),
        returns_within=round(site.returns_within * _MILLISECONDS),
        retry_cap=round(site.retry_cap * _MILLISECONDS),
        defer_delay=round(site.interval * _MILLISECONDS),  # the older program asks again when it discovers again
    )
