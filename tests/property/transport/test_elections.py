"""Whatever is lost, late, frozen, deleted or handed over: never do two ushers lead at once, and in peace one does.

The stream is not made anew within a lease while an old leader cannot be heard: then nobody could know, and the fence at
the nodes is what is left (docs/high-availability.md).
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.arena import Arena, Bucket, Player
from transport.lease import Ended, Role

TTLS = st.sampled_from([1.0, 2.0, 5.0, 10.0, 60.0])
FAULTS = st.lists(
    st.tuples(
        st.sampled_from(["freeze", "thaw", "deaf", "hear", "cut", "mend", "stop", "write", "replay", "leap"]),
        st.integers(0, 2),
        st.floats(0.0, 40.0),
    ),
    max_size=25,
)


def fault(arena: Arena, player: Player, what: str) -> None:
    """One thing that goes wrong, or right again."""
    match what:
        case "freeze":
            arena.freeze(player)
        case "thaw":
            arena.thaw(player)
        case "deaf" | "hear":
            player.deaf = what == "deaf"
        case "cut" | "mend":
            player.cut = what == "cut"
        case "stop" if not player.frozen:
            leads = player.lease.leads(arena.now) and not player.lease.lost
            handed = arena.stop(player) if leads else 0
            arena.tell(player, Ended())
            del arena.players[player.name]
            if handed:
                arena.announce(handed)
            arena.join(player.name, last=handed)
        case "write":
            arena.bucket.sequence += 1  # another election's key
        case "replay":  # nobody can make a hand-over that no usher made (transport.election.Seal)
            arena.announce(arena.bucket.sequence - 1)
        case "leap":
            arena.skew += 86_400_000


@given(TTLS, FAULTS, st.integers(0, 1000), st.sampled_from([0.0005, 0.02, 0.3]))
def test_two_never_lead_at_once_and_in_peace_one_leads(ttl: float, faults, seed: int, delay: float):
    arena = Arena(Bucket(ttl), seed=seed, delay=min(delay, ttl / 20))
    for name in "abc":
        arena.join(name)
    arena.run(10)
    for what, number, seconds in faults:
        fault(arena, arena.players["abc"[number]], what)
        arena.run(seconds)  # arena.check holds after everything that happens
    for player in list(arena.players.values()):
        player.deaf = player.cut = False
        arena.thaw(player)
    arena.run(2 * ttl + 45)
    assert len(arena.leading()) == 1
    assert {player.lease.role for player in arena.players.values()} <= {Role.LEADER, Role.CANDIDATE}
