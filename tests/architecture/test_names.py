"""Every name that code uses exists: linters cannot say so where array shapes are written as strings."""

from __future__ import annotations

import builtins
import dis
import importlib
import pkgutil
from collections.abc import Iterator
from types import CodeType

import experiments
import sigmapose


def codes(code: CodeType) -> Iterator[CodeType]:
    """A piece of code and what is defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def test_functions_use_only_names_that_exist() -> None:
    missing = []
    for package in (sigmapose, experiments):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith("__main__"):
                continue
            module = importlib.import_module(found.name)
            loader = found.module_finder.find_spec(found.name, None)
            code = loader.loader.get_code(found.name) if loader and loader.loader else None  # type: ignore[attr-defined]
            for part in codes(code) if code else ():
                missing += [
                    f"{found.name}: {step.argval} in {part.co_name}"
                    for step in dis.get_instructions(part)
                    if step.opname == "LOAD_GLOBAL"
                    and not hasattr(module, step.argval)
                    and not hasattr(builtins, step.argval)
                ]
    assert not missing, "\n".join(missing)
