"""Do the claims of the README still hold? Expectations are a JSON file, docs/benchmarks.md describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigmapose.bench.scorecard import Scorecard
from sigmapose.errors import InputError

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

    def broken(self, card: Scorecard) -> str | None:
        """Why it does not hold, in one line; None when it does."""
        methods = card.methods
        if self.severity is not None:
            methods = card.severities.get(f"{self.severity:g}", {})
        value, unit = _number(methods, self.method, self.metric), 1.0
        if self.times is not None:
            other = _number(methods, self.times, self.metric)
            if other is None:
                return f"{self.claim}: no {self.metric} of {self.times} to compare with"
            unit = other
        if value is None:
            return f"{self.claim}: no {self.metric} of {self.method} in this run"
        where = "" if self.severity is None else f" at severity {self.severity:g}"
        got = f"{self.claim}: {self.metric} of {self.method}{where} is {value:.4g}"
        if self.at_least is not None and value < self.at_least * unit - self.tolerance:
            return f"{got}, expected at least {self.at_least * unit:.4g} (tolerance {self.tolerance:g})"
        if self.at_most is not None and value > self.at_most * unit + self.tolerance:
            return f"{got}, expected at most {self.at_most * unit:.4g} (tolerance {self.tolerance:g})"
        return None


def _number(methods: Mapping[str, Mapping[str, Any]], method: str, metric: str) -> float | None:
    value = methods.get(method, {}).get(metric)
    return float(value) if isinstance(value, int | float) else None


def read_claims(path: Path, protocol: str) -> list[Claim]:
    """The claims about one protocol.

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
    if protocol not in protocols:
        raise InputError(
            f"'{path}' says nothing about {protocol}, only about {', '.join(protocols) or 'nothing'}: run "
            "one of those, whole"
        )
    try:
        return [Claim(**claim) for claim in protocols[protocol]]
    except TypeError as error:
        raise InputError(f"'{path}': malformed claim about {protocol}: {error}") from error


def broken_claims(card: Scorecard, claims: list[Claim]) -> list[str]:
    """One line for every claim that does not hold."""
    return [why for claim in claims if (why := claim.broken(card)) is not None]
