"""A fault as the page shows it; the tests under it inject it at each of its points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

EVERY = 3
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Fault:
    """One row of the page.

    Parameters
    ----------
    section
        What it happens to.
    what
        The fault.
    must
        What must happen then.
    injected
        How often it is injected in all.
    each
        How often one after the other at each point.
    test
        The name of the test that does it: ``module::function``.
    """

    section: str
    what: str
    must: str
    injected: int
    each: int
    test: str


FAULTS: list[Fault] = []


def injected(section: str, what: str, must: str, points: Sequence[Any] | int = 1, each: int = 1) -> Callable[[F], F]:
    """Make a test a row of the page, with the parameter ``point`` for each of ``points``; a number stands for 0, 1, ...

    Where the test injects the fault several times at each point, ``each`` says how often. Of many points the ordinary suite
    takes one in ``EVERY``.
    """
    values = list(range(points)) if isinstance(points, int) else list(points)

    def mark(test: F) -> F:
        module = test.__module__.rpartition(".")[2]
        row = Fault(section, what, must, each * len(values), each, f"{module}::{test.__name__}")
        if row not in FAULTS:  # a module may be imported under two names
            FAULTS.append(row)
        if values == [0]:
            return test
        points = [
            pytest.param(value, marks=pytest.mark.thorough if number % EVERY and len(values) > EVERY else ())
            for number, value in enumerate(values)
        ]
        return pytest.mark.parametrize("point", points, ids=[str(value) for value in values])(test)  # type: ignore[no-any-return]

    return mark
