"""What a load run is asked to do, and the schedule that follows from it."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from contract.errors import UnusableInputError

LATE_S: Final = 0.1
"""From so much after its due time on a post counts as late: a person's 'at once', and many times an idle gateway's answer."""


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A run: `rate_frames_s` frames of `samples` rows a second, due at moments fixed beforehand.

    Parameters
    ----------
    warm_up_s
        Sent like the rest, before it, and looked up like the rest, but not in the percentiles.
    frames_a_post
        As many frames, of as many pumps, travel in one request, as behind a relay; all are due when the request is.
    connections
        Requests under way at once, at most.
    patience_s
        What has waited longer for a free connection is not sent, and counted as such.
    interval_s
        Length of a point in the report's curves.
    """

    rate_frames_s: float
    samples: int
    duration_s: float
    pumps: int
    period_s: float = 1.0
    warm_up_s: float = 0.0
    frames_a_post: int = 10
    connections: int = 32
    patience_s: float = 10.0
    interval_s: float = 5.0
    seed: int = 1

    def __post_init__(self) -> None:
        """Raise UnusableInputError for a fleet that can't send as much without repeating itself."""
        if self.frames_a_post > self.pumps:
            raise UnusableInputError(
                f"--frames-per-post {self.frames_a_post}: a post holds frames of different pumps, "
                f"there are {self.pumps}"
            )
        needed = pumps_needed(self.rate_frames_s, self.samples, self.period_s)
        if self.pumps < needed:
            most = self.pumps / (self.samples * self.period_s)
            raise UnusableInputError(
                f"{self.pumps} pumps that measure each {self.period_s:g} s fill {most:g} frames of {self.samples} "
                f"samples a second; for {self.rate_frames_s:g} take --pumps {needed} or a shorter --period"
            )

    @property
    def posts(self) -> int:
        """How many requests the whole run has."""
        length_s = self.warm_up_s + self.duration_s
        return max(1, math.floor(length_s * self.rate_frames_s / self.frames_a_post + 1e-9))

    @property
    def frames(self) -> int:
        """How many frames the whole run has."""
        return self.posts * self.frames_a_post

    def due_s(self, post: int) -> float:
        """When a post is due, in seconds after the run's first."""
        return post * self.frames_a_post / self.rate_frames_s

    def interval(self, after_start_s: float) -> int:
        """Which interval a moment of the run belongs to."""
        return math.floor(after_start_s / self.interval_s)


def pumps_needed(rate_frames_s: float, samples: int, period_s: float) -> int:
    """Return the smallest fleet in which no pump has to measure the same moment twice."""
    return max(1, math.ceil(rate_frames_s * samples * period_s - 1e-9))
