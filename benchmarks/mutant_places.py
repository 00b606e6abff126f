"""Where the code can be broken: Cosmic Ray's operators, less what would break nothing, and a sample of the places.

A place is a position in the code with one family of operators. Its mutants are those that are usual: an arithmetic operator
becomes its counterpart, a comparison its negation or its neighbour, a number one more or one less, a truth value the other
one, ``and`` is ``or``, a condition is negated, a sign or a ``not`` goes, a loop does not run, ``break`` is ``continue``, an
exception is not caught, a decorator goes. All of Cosmic Ray's replacements (``a + b`` by ``a @ b``) would mostly be
killed by a TypeError, and make the share look better than it is.

Left out beforehand, by a rule that looks at the syntax only, is what no test of a behaviour can see:

* annotations, docstrings, imports, ``if TYPE_CHECKING``, ``__all__``;
* the text of errors and of the log: whatever stands in ``raise``, in ``assert``, or in a call of a logger;
* guards against programming errors: ``strict=`` of ``zip``, the arguments of ``dataclass``;
* the look of pictures: arguments that are called ``fontsize``, ``linewidth``, ``alpha`` and the like (``_LOOKS``);
* ``torch.no_grad``, ``contextmanager`` and the like stay; ``property`` and ``staticmethod`` go nowhere without a TypeError
  and are left out.
"""

from __future__ import annotations

import ast
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

_PAIRS = {
    "Binary": ["Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Div", "Mod_Mul", "Pow_Mul", "BitAnd_BitOr",
               "BitOr_BitAnd", "BitXor_BitAnd", "RShift_LShift", "LShift_RShift"],
    "Comparison": ["Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt", "Eq_NotEq", "NotEq_Eq",
                   "Is_IsNot", "IsNot_Is"],
    "Unary": ["USub_UAdd", "Delete_USub", "Delete_Not", "Delete_Invert"],
}  # fmt: skip
_FAMILIES = {
    "number": ["NumberReplacer"],
    "arithmetic": [f"ReplaceBinaryOperator_{pair}" for pair in _PAIRS["Binary"]],
    "comparison": [f"ReplaceComparisonOperator_{pair}" for pair in _PAIRS["Comparison"]],
    "sign": [f"ReplaceUnaryOperator_{pair}" for pair in _PAIRS["Unary"]],
    "truth": ["ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd", "AddNot"],
    "flow": ["ZeroIterationForLoop", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak"],
    "exception": ["ExceptionReplacer"],
    "decorator": ["RemoveDecorator"],
}
_PLAIN_DECORATORS = ("property", "staticmethod", "classmethod", "dataclass", "overload")
_LOOKS = ("fontsize", "linewidth", "linewidths", "alpha", "framealpha", "shrink", "pad", "dpi", "figsize", "width_ratios",
          "height", "quality", "fps", "zorder")  # fmt: skip
_LOGGERS = ("_log", "log", "logger", "warnings")


@dataclass(frozen=True)
class Mutant:
    """One change to one file; ``first`` to ``last`` are the lines whose execution it can alter."""

    file: str
    line: int
    column: int
    operator: str
    occurrence: int
    first: int
    last: int

    def code(self, source: str) -> str:
        """The whole file, changed."""
        changed = mutate_code(source, get_operator(f"core/{self.operator}")(), self.occurrence)
        if changed is None:
            raise ValueError(f"{self} is not in this source")
        return str(changed)


def places_of(file: str, source: str) -> list[list[Mutant]]:
    """All places of a file, each with its mutants."""
    tree, nodes = ast.parse(source), list(ast_nodes(get_ast(source)))
    left_out, statements = list(_left_out(tree)), _statements(tree)
    found: dict[tuple[int, int, str], list[Mutant]] = defaultdict(list)
    for family, names in _FAMILIES.items():
        for name in names:
            operator, occurrence = get_operator(f"core/{name}")(), -1
            for node in nodes:
                for (line, column), _ in operator.mutation_positions(node):
                    occurrence += 1
                    if any(begin <= (line, column) < end for begin, end in left_out):
                        continue
                    first, last = min(
                        (one for one in statements if one[0] <= line <= one[1]),
                        key=lambda one: one[1] - one[0],
                        default=(line, line),
                    )
                    found[line, column, family].append(Mutant(file, line, column, name, occurrence, first, last))
    return [found[key] for key in sorted(found)]


def draw(root: Path, room: str, count: int, seed: int) -> list[Mutant]:
    """A sample of a room: every file has its share of the places, and one mutant is drawn at each place that is drawn."""
    places = {}
    for path in sorted((root / "napari_advseg" / room).rglob("*.py")):
        file = str(path.relative_to(root))
        if all_places := places_of(file, path.read_text(encoding="utf-8")):
            places[file] = all_places
    total = sum(map(len, places.values()))
    shares = {file: min(1.0, count / total) * len(some) for file, some in places.items()}
    counts = {file: int(share) for file, share in shares.items()}
    for file in sorted(shares, key=lambda one: counts[one] - shares[one])[: min(count, total) - sum(counts.values())]:
        counts[file] += 1
    drawn = []
    for file, some in places.items():
        chance = random.Random(f"{seed} {file}")
        drawn += [chance.choice(place) for place in chance.sample(some, counts[file])]
    return drawn


def _statements(tree: ast.Module) -> list[tuple[int, int]]:
    """First and last line of every statement, of one with a body only its head."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            decorators = [one.lineno for one in getattr(node, "decorator_list", [])]
            found.append((min([node.lineno, *decorators]), max(last, node.lineno)))
    return found


def _left_out(tree: ast.Module) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for node in ast.walk(tree):
        for part in _unseen(node):
            at = 1 if part in getattr(node, "decorator_list", ()) else 0  # the @ before it
            yield (part.lineno, part.col_offset - at), (part.end_lineno or part.lineno, part.end_col_offset or 0)


def _unseen(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """The parts of a node that the rule leaves out."""
    if (
        isinstance(node, ast.Raise | ast.Assert | ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ):
        yield node
    elif isinstance(node, ast.AnnAssign) or (isinstance(node, ast.arg) and node.annotation is not None):
        yield node.annotation
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield from (one for one in node.decorator_list if _name(one) in _PLAIN_DECORATORS or _setter(one))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            yield node.returns
    elif isinstance(node, ast.Call):
        if ast.unparse(node.func).split(".")[0] in _LOGGERS or _name(node) == "cast":
            yield node
        yield from (one.value for one in node.keywords if one.arg in ("strict", *_LOOKS))


def _name(node: ast.expr) -> str:
    return ast.unparse(node.func if isinstance(node, ast.Call) else node).split(".")[-1]


def _setter(node: ast.expr) -> bool:
    return _name(node) in ("setter", "cached_property")
