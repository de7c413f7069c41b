"""The numbers written in the code that a definition rests on.

They are read from the code itself, so that none can be forgotten: every numeric literal of
lab.metrics, lab.vision and lab.units in whatever can be reached by name from a metric's class, be
it a module's constant, a default or a number inside a function. What all metrics share is what
`lab.metrics.measure.measure` reaches; a metric has the rest of what it reaches to itself.

Two sides are compared by how often each value stands. So comments, docstrings, layout, names, order
and the place of a number do not matter, and 2 is 2.0; a number that is changed, added or taken away
does. A value may stand fewer times than before as long as it stands once, among the metric's own or
what all share: what was written twice is written once.
Left out, because a refactoring changes them freely and another value beside them still shows: 0, 1
and -1, a 2 in square brackets (`shape[:2]`), a `version`, and decorators (sizes of caches). Two
modules are left out whose numbers change no value: how weights are fetched, and boxes around what
is worst. What no number says, such as an operator, is for the golden values to hold.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

Name = tuple[str, str]
"""A module and a name at its top."""
Constants = dict[str, list[float]]
"""Numbers in ascending order, by where they stand: "lab.metrics.warp._GAIN"."""

ROOMS = ("lab/metrics", "lab/vision", "lab/units.py")
LEFT_OUT = ("lab.metrics.explain", "lab.vision.weights")
_ON_IMPORT = "(on import)"
_ROOT = Path(__file__).parents[3]


def sources() -> dict[str, str]:
    """The text of every module of the rooms, by the module's name."""
    found = {}
    for room in ROOMS:
        place = _ROOT / room
        for path in [place] if place.is_file() else sorted(place.glob("*.py")):
            name = ".".join(path.relative_to(_ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path.read_text(encoding="utf-8")
    return {name: text for name, text in found.items() if name not in LEFT_OUT}


def reached(texts: Mapping[str, str], roots: Iterable[Name]) -> Constants:
    """The constants of everything that the roots reach."""
    found: Constants = {}
    seen: set[Name | int] = set()
    waiting = list(roots)
    while waiting:
        module, name = waiting.pop()
        if (module, name) in seen or module not in texts:
            continue
        seen.add((module, name))
        code = _code(texts[module])
        if name in code.imported:
            waiting.append(code.imported[name])
        for label, statement in code.defined.get(name, ()):
            waiting.append((module, _ON_IMPORT))
            if id(statement) not in seen:
                seen.add(id(statement))
                found.setdefault(f"{module}.{label}", []).extend(_numbers(statement))
                waiting += [(module, used) for used in _names(statement)]
    return {place: sorted(numbers) for place, numbers in sorted(found.items()) if numbers}


def changes(before: Constants, after: Constants, shared: Constants | None = None) -> list[str]:
    """Each place that has other numbers, in words; nothing when no number is new or taken away.

    shared: what all metrics share afterwards.
    """
    then, now = _counted_values(before), _counted_values(after)
    if not now - then and then.keys() <= now.keys() | _counted_values(shared or {}).keys():
        return []
    said = []
    for place in sorted({*before, *after}):
        then, now = Counter(before.get(place, ())), Counter(after.get(place, ()))
        gone, new = then - now, now - then
        if gone or new:
            said.append(f"{place}: {_listed(gone)} → {_listed(new)}")
    return said


@dataclass
class _Code:
    """A module's top: what each name is bound to, and the first name its statement binds."""

    imported: dict[str, Name] = field(default_factory=dict)
    defined: dict[str, list[tuple[str, ast.stmt]]] = field(default_factory=dict)


@cache
def _code(text: str) -> _Code:
    code = _Code()
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.ImportFrom):
            for each in statement.names:
                code.imported[each.asname or each.name] = (statement.module or "", each.name)
        else:
            bound = _bound(statement) or [_ON_IMPORT]
            for name in bound:
                code.defined.setdefault(name, []).append((bound[0], statement))
    return code


def _bound(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [name for target in targets for name in sorted(_names(target))]
        case ast.AnnAssign(target=target):
            return sorted(_names(target))
    return []


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _numbers(node: ast.AST, *, picks: bool = False) -> Iterator[float]:
    """Every number under a node that counts; a minus before one belongs to it."""
    match node:
        case ast.keyword(arg="version"):
            return
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            yield from _counted(-value, picks=picks)
        case ast.Constant(value=int() | float() as value):
            yield from _counted(value, picks=picks)
        case ast.Subscript(value=whole, slice=chosen):
            yield from _numbers(whole)
            yield from _numbers(chosen, picks=True)
        case _:
            picks = picks and isinstance(node, ast.Slice | ast.Tuple | ast.BinOp)
            for child in ast.iter_child_nodes(node):
                if child not in getattr(node, "decorator_list", ()):
                    yield from _numbers(child, picks=picks)


def _counted(value: float, *, picks: bool) -> Iterator[float]:
    """True and False are 1 and 0, and left out with them."""
    if abs(value) not in (0, 1) and not (picks and abs(value) == 2):
        yield float(value)


def _counted_values(constants: Constants) -> Counter[float]:
    return Counter(number for numbers in constants.values() for number in numbers)


def _listed(numbers: Counter[float]) -> str:
    return ", ".join(f"{number:g}" for number in sorted(numbers.elements())) or "nothing"
