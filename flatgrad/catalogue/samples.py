"""A sample of an operation as a program, and what flatgrad writes for it.

In: a record. Out: the text of a function that makes the call, and the code that is emitted for it. Layer: above `arguments`.
"""

from __future__ import annotations

import ast
import builtins
import math
import operator
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from flatgrad import nn
from flatgrad.arguments import emit_for_arguments
from flatgrad.catalogue.names import SYMBOLS, full_name, module_name, written
from flatgrad.emission.spelling import module_of
from flatgrad.frontend.live import live_definition
from flatgrad.functions.origin import origin_of
from flatgrad.graph.containers import leaves
from flatgrad.options import Options
from flatgrad.registry import Record, Sample


class Program:
    """A call on a sample as the text of a function `f`: what is data becomes a parameter, all else stands in the text.

    `wrt` are the parameters to differentiate by, `scope` what the text has to see.
    """

    def __init__(self, record: Record, function: Callable[..., Any], sample: Sample) -> None:
        self.record = record
        self.sample = sample
        self.arguments: dict[str, Any] = {}
        self.wrt: list[str] = []
        self.scope: dict[str, Any] = {"np": np, "math": math, "nn": nn}
        self.call = self._call(function)
        self.text = self._text(f"return {self.call}")
        y = self.function()(*self.arguments.values())
        if isinstance(y, tuple | list):
            # of several results the real ones are returned
            names = [f"y{k}" for k in range(len(y))]
            real = [name for name, part in zip(names, y, strict=True) if np.asarray(part).dtype.kind == "f"]
            self.text = self._text(
                f"{''.join(f'{name}, ' for name in names)}= {self.call}", f"return {', '.join(real)}"
            )
        elif np.iscomplexobj(y):
            self.text = self._text(f"y = {self.call}", "return y.real, y.imag")

    def function(self) -> Any:
        """Return the function."""
        scope = dict(self.scope)
        exec(self.text, scope)
        return scope["f"]

    def _text(self, *statements: str) -> str:
        return "\n    ".join([f"def f({', '.join(self.arguments)}):", *statements, ""]).rstrip(" ")

    def _call(self, function: Callable[..., Any]) -> str:
        names = [*self.record.inputs, *(self.record.starred or f"argument{k}" for k in range(9))]
        args = [self._item(each, name) for each, name in zip(self.sample.args, names, strict=False)]
        options = [f"{name}={self._option(value, name)}" for name, value in self.sample.attributes.items()]
        if module_of(function) == "_operator":
            if function is operator.getitem:
                return f"{args[0]}[{self._index(self.sample.attributes['index'])}]"
            symbol = SYMBOLS[function.__name__]
            return symbol.replace("x", args[0]) if "x" in symbol else f"{args[0]} {symbol} {args[1]}"
        full = full_name(function) or function.__name__
        if full.startswith("numpy.ndarray."):
            return f"{args[0]}.{function.__name__}({', '.join([*args[1:], *options])})"
        return f"{self._seen(function, full)}({', '.join([*args, *options])})"

    def _seen(self, function: Callable[..., Any], full: str) -> str:
        """Return how the text names a function, and have it see that."""
        name = written(full)
        root, dot, _ = name.partition(".")
        if root not in self.scope and not hasattr(builtins, root):
            self.scope[root] = (
                sys.modules[module_name(full) if full.startswith("scipy.") else root] if dot else function
            )
        return name

    def _option(self, item: Any, name: str) -> str:
        """Return the text of an argument that is given by its name; a number there decides what code is written."""
        if isinstance(item, float) and name not in self.record.inputs:
            return f"{'-' * (item < 0)}np.inf" if math.isinf(item) else repr(item)
        return self._item(item, name)

    def _item(self, item: Any, name: str) -> str:
        """Return the text of an argument."""
        if isinstance(item, complex | np.ndarray | np.generic) and np.iscomplexobj(item):
            return f"({self._item(item.real, f'{name}_real')} + 1j * {self._item(item.imag, f'{name}_imag')})"
        if isinstance(item, np.ndarray | np.generic | float):
            parameter = name if name not in self.arguments else f"{name}{len(self.arguments)}"
            self.arguments[parameter] = item
            root = name.removesuffix("_real").removesuffix("_imag")
            chosen = self.sample.wrt is None or root in self.sample.wrt
            if chosen and root in self.record.inputs and np.asarray(item).dtype.kind == "f":
                self.wrt.append(parameter)
            return parameter
        if isinstance(item, tuple | list) and not all(isinstance(leaf, int) for leaf in leaves(_tuples(item))):
            return f"[{', '.join(self._item(part, name) for part in item)}]"
        return f"np.{item.__name__}" if isinstance(item, type) else repr(item)

    def _index(self, item: Any) -> str:
        """Return the text of what stands between the brackets of a subscript."""
        if isinstance(item, tuple):
            return ", ".join(map(self._index, item))
        if isinstance(item, slice):
            bounds = ["" if bound is None else str(bound) for bound in (item.start, item.stop, item.step)]
            return ":".join(bounds[:2] if item.step is None else bounds)
        return "..." if item is ... else self._item(item, "index")


def _tuples(structure: Any) -> Any:
    return tuple(map(_tuples, structure)) if isinstance(structure, list | tuple) else structure


def takes(function: Callable[..., Any], sample: Sample) -> bool:
    """Tell whether a function can be called on a sample: those of `math`, and max and min, want numbers."""
    parts = (*sample.args, *sample.attributes.values())
    numbers_only = module_of(function) == "math" or function in (max, min, round)
    return not (numbers_only and any(isinstance(part, np.ndarray) for part in parts))


def is_nameless(function: Callable[..., Any]) -> bool:
    """Tell whether a function takes no argument by its name: an operator, a method of arrays."""
    return module_of(function) == "_operator" or getattr(function, "__objclass__", None) is np.ndarray


def emitted_code(record: Record) -> tuple[str, str]:
    """Return the call of the first sample, and the functions that are emitted for it. Raises FlatgradError."""
    function = record.functions[0]
    program = Program(record, function, next(sample for sample in record.samples if takes(function, sample)))
    made = program.function()
    options = Options(wrt=tuple(program.wrt))
    definition = live_definition(made, origin_of(made, program.text))
    emitted = emit_for_arguments(definition, program.arguments, options, None)[0]
    lines = emitted.text.split("\n")
    first = next(node for node in ast.parse(emitted.text).body if isinstance(node, ast.FunctionDef))
    return program.call, "\n".join(lines[first.lineno - 1 :]).rstrip()
