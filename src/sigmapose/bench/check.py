"""Do claims hold, are targets reached? Expectations are a JSON file, docs/benchmarks.md describes it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigmapose.errors import InputError
from sigmapose.report.scorecard import Scorecard

FORMAT = "sigmapose/expectations"


@dataclass(frozen=True)
class Claim:
    """One metric of one method within bounds.

    Raises:
        InputError: no bound.
    """

    claim: str
    """As a reader would say it."""
    method: str
    metric: str
    at_least: float | None = None
    at_most: float | None = None
    tolerance: float = 0.0
    """By how much a bound may be missed: what another machine or release of a library changes."""
    times: str | None = None
    """Another method: bounds are multiples of its value."""
    severity: float | None = None
    """Of which severity; None: the whole."""

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise InputError(f"claim '{self.claim}' has neither at_least nor at_most: give a bound")

    def verdict(self, card: Scorecard) -> Verdict:
        """Whether it holds in a run, and with which number."""
        methods = card.methods
        if self.severity is not None:
            methods = card.severities.get(f"{self.severity:g}", {})
        value, unit = _number(methods, self.method, self.metric), 1.0
        if self.times is not None:
            other = _number(methods, self.times, self.metric)
            if other is None:
                return Verdict(False, f"{self.claim}: no {self.metric} of {self.times} to compare with")
            unit = other
        if value is None:
            return Verdict(False, f"{self.claim}: no {self.metric} of {self.method} in this run")
        where = "" if self.severity is None else f" at severity {self.severity:g}"
        span = methods[self.method].get(f"{self.metric}_ci")
        beside = f" [{span[0]:.4g}, {span[1]:.4g}]" if isinstance(span, list) else ""
        bounds = [
            f"{word} {bound * unit:.4g}"
            for word, bound in (("at least", self.at_least), ("at most", self.at_most))
            if bound is not None
        ]
        slack = f" (tolerance {self.tolerance:g})" if self.tolerance else ""
        got = f"{self.claim}: {self.metric} of {self.method}{where} is {value:.4g}{beside}"
        low = -math.inf if self.at_least is None else self.at_least * unit - self.tolerance
        high = math.inf if self.at_most is None else self.at_most * unit + self.tolerance
        return Verdict(low <= value <= high, f"{got}, expected {' and '.join(bounds)}{slack}")


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    holds: bool
    text: str
    """One line: the claim, the number with its 95 % interval, the bounds."""


def _number(methods: Mapping[str, Mapping[str, Any]], method: str, metric: str) -> float | None:
    value = methods.get(method, {}).get(metric)
    return float(value) if isinstance(value, int | float) else None


def read_claims(path: Path, protocol: str) -> list[Claim]:
    """The claims about one protocol; those under `NAME*` are about every variant of it.

    Raises:
        InputError: unreadable, another kind of file, malformed, or nothing about this protocol.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read expectations '{path}': {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"'{path}' is no {FORMAT} file: see docs/benchmarks.md")
    protocols = content.get("protocols", {})
    key = next(
        (k for k in protocols if k == protocol or (k[-1:] == "*" and protocol.startswith(k[:-1]))), None
    )
    if key is None:
        raise InputError(
            f"'{path}' says nothing about {protocol}, only about {', '.join(protocols) or 'nothing'}: run "
            "one of those, whole"
        )
    try:
        return [Claim(**claim) for claim in protocols[key]]
    except TypeError as error:
        raise InputError(f"'{path}': malformed claim about {protocol}: {error}") from error


def verdicts(card: Scorecard, claims: list[Claim]) -> list[Verdict]:
    """What became of every claim, in their order."""
    return [claim.verdict(card) for claim in claims]
