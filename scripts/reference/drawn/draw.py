"""Draws the settings of one case. Every field has numbers of its own, so that one can be set without moving the others."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

# How many of a case's fields have an unusual value: few, so that a fault shows alone, or many.
DENSITIES = (0.03, 0.1, 0.3)


class Draw:
    """The settings of the case `index` of a seed.

    `fixed` gives some of them by name; where `unusual` names fields, all others are plain.
    """

    def __init__(self, seed: int, index: int, fixed: Mapping[str, Any], unusual: Sequence[str] | None) -> None:
        self.settings: dict[str, Any] = {}
        """All fields drawn so far, by name."""
        self.plain: dict[str, Any] = {}
        """The value of each that is nothing unusual."""
        self._key = f"{seed}:{index}"
        self._fixed = fixed
        self._unusual = None if unusual is None else set(unusual)
        self._density = self._random("density").choice(DENSITIES)

    def one_of(self, name: str, values: Sequence[Any]) -> Any:
        """Give any of the values, all equally likely; the first is plain."""
        return self._settle(name, values[0], self._random(name).choice(values))

    def rarely(self, name: str, plain: Any, others: Sequence[Any]) -> Any:
        """Give the plain value, and in some cases one of the others."""
        generator = self._random(name)
        is_unusual = generator.random() < self._density
        return self._settle(name, plain, generator.choice(others) if is_unusual else plain)

    def within(self, name: str, low: int, high: int) -> int:
        return self.one_of(name, range(low, high + 1))

    def number(self, name: str, plain: float, low: float, high: float) -> float:
        """Give a number with four digits, or the plain one."""
        generator = self._random(name)
        value = plain if generator.random() < 0.3 else float(f"{generator.uniform(low, high):.4g}")
        return self._settle(name, plain, value)

    def _random(self, name: str) -> random.Random:
        return random.Random(f"{self._key}:{name}")

    def _settle(self, name: str, plain: Any, drawn: Any) -> Any:
        self.plain[name] = plain
        is_plain = self._unusual is not None and name not in self._unusual
        self.settings[name] = self._fixed.get(name, plain if is_plain else drawn)
        return self.settings[name]
