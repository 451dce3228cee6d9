"""Thompson sampling over regions of parameters.

Each region is a set of values of one strategy. What a share traded there earned, in cents, is
normal with unknown mean and variance; the posterior is normal-inverse-gamma and fades, because
markets change. One draw of each posterior's mean, and the region with the highest one is tried:
what is uncertain is looked at often, what is bad seldom, without a rule of its own for either.

The draws are made outside the engine, by whoever holds the chance, and arrive as
`ParametersChosen`: the engine stays deterministic.

Sources: Thompson 1933; Murphy 2007 for the conjugate update; Garivier and Moulines 2011 for
discounting.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Protocol

import msgspec

Values = tuple[tuple[str, float], ...]


class Chance(Protocol):
    """Is a source of randomness, as `random.Random` is one."""

    def gauss(self, mu: float, sigma: float) -> float:
        """Returns a normal draw."""
        ...

    def gammavariate(self, alpha: float, beta: float) -> float:
        """Returns a gamma draw of this shape and scale."""
        ...


class Posterior(msgspec.Struct, frozen=True):
    """Is what is believed of one region's reward, in cents a share.

    mean is believed with the weight of `weight` rewards; the variance is inverse-gamma with
    shape and scale. The prior says zero, as one reward would, with a spread of two cents.
    """

    mean: float = 0.0
    weight: float = 1.0
    shape: float = 2.0
    scale: float = 4.0

    def seen(self, reward: float) -> Posterior:
        """Returns the belief after one more reward."""
        weight = self.weight + 1.0
        off = reward - self.mean
        return Posterior(
            self.mean + off / weight,
            weight,
            self.shape + 0.5,
            self.scale + 0.5 * off * off * self.weight / weight,
        )

    def faded(self, kept: float) -> Posterior:
        """Returns the belief with what was learned beyond the prior weighing `kept` of it."""
        prior = Posterior()
        weight = prior.weight + kept * (self.weight - prior.weight)
        return Posterior(
            kept * self.weight * self.mean / weight,  # the prior's mean is zero
            weight,
            prior.shape + kept * (self.shape - prior.shape),
            prior.scale + kept * (self.scale - prior.scale),
        )

    def draw(self, chance: Chance) -> float:
        """Returns one mean this belief allows for."""
        variance = self.scale / chance.gammavariate(self.shape, 1.0)
        return self.mean + chance.gauss(0.0, 1.0) * sqrt(variance / self.weight)


def choose(beliefs: Sequence[Posterior], chance: Chance) -> int:
    """Returns the region to try: the one whose draw is highest, the first of equal ones.

    Raises:
        ValueError: there is no region.
    """
    draws = [belief.draw(chance) for belief in beliefs]
    return max(range(len(draws)), key=draws.__getitem__)
