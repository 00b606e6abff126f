"""How a CT may change: deformation, appearance, the budget that bounds them."""

from .budget import Budget
from .deformation import integrate, jacobian_range
from .lattice import Lattice, limit, make_lattice
from .sampling import Interpolation
from .synthesis import Change, Kind, Synthesis

__all__ = [
    "Budget",
    "Change",
    "Interpolation",
    "Kind",
    "Lattice",
    "Synthesis",
    "integrate",
    "jacobian_range",
    "limit",
    "make_lattice",
]
