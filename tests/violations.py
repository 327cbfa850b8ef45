"""The invariants, for tests: all of them together."""

from auctioncraft.core.invariants import all_invariants, run


def find_violations(*only: str) -> dict[str, list[str]]:
    """Check all invariants, or those of some apps or numbers; return the findings of those that are violated."""
    return {result.invariant.name: result.findings for result in run(all_invariants(*only)) if result.findings}
