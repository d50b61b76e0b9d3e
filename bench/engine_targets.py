"""What issue-sized promises the figures are held against: *must* and *aim* of each row, and the verdict."""

from __future__ import annotations

from typing import NamedTuple


class Target(NamedTuple):
    """What a figure must reach and what it should; `most` where less is better."""

    must: float
    aim: float | None = None
    most: bool = False

    def verdict(self, figure: float) -> str:
        """Return whether it is met, and by how much it is missed."""
        if self.aim is not None and self._reaches(figure, self.aim):
            return "aim met"
        if self._reaches(figure, self.must):
            return "must met"
        return f"missed by {abs(figure - self.must):.2f}"

    def _reaches(self, figure: float, wanted: float) -> bool:
        return figure <= wanted if self.most else figure >= wanted


RATIOS = {
    ("shared", "cloudtrail"): Target(0.65, 0.80),
    ("shared", "k8s"): Target(0.55, 0.70),
    ("partial", "cloudtrail"): Target(1.1, 1.6),
    ("partial", "k8s"): Target(0.9, 1.2),
    ("shared, memo cold", "cloudtrail"): Target(0.5),
    ("shared, memo cold", "k8s"): Target(0.5),
    ("partial, memo cold", "cloudtrail"): Target(0.8),
    ("partial, memo cold", "k8s"): Target(0.8),
    ("shared, flood", "cloudtrail"): Target(0.2),
    ("shared, flood", "k8s"): Target(0.2),
    ("partial, flood", "cloudtrail"): Target(0.2),
    ("partial, flood", "k8s"): Target(0.2),
    ("davylamp scan", "cloudtrail"): Target(0.8, 1.2),
    ("davylamp scan", "k8s"): Target(0.8, 1.2),
}
"""By row and input: bare decode time over the row's whole time."""
MORE_RULES = Target(3.0, 0.0, most=True)
"""Per cent that a row is slower with every public rule than with the cloud rules."""
TIMES_FASTER = {
    ("shared", "rsigma library"): Target(1.2),
    ("shared", "rsigma program"): Target(3.0),
    ("partial", "rsigma library"): Target(2.0),
    ("partial", "rsigma program"): Target(5.0),
}
"""By row and peer: the peer's time over the row's."""
