"""The runtime checker that tests put on annotated functions: shapes by jaxtyping, types by beartype."""

from __future__ import annotations

from typing import Any

from beartype import BeartypeConf, beartype

# An int is accepted where a float is annotated, as type checkers do (PEP 484).
CONF = BeartypeConf(is_pep484_tower=True)


def check(function: Any) -> Any:
    """Wrap `function` so that a call with a wrong type or array shape raises."""
    return beartype(function, conf=CONF)
