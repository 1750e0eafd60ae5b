"""The functions that users call for gradients: they look up the emitted function for their arguments, and call it.

In: a `State`. Out: functions with the parameters of the user's, so that Python itself binds arguments, fills in defaults
and complains of wrong calls. Their text is made from the lists of parameters and of outer names, for that is what makes a
call cost about a microsecond. Layer: above `lookup`, below `differentiable`.
"""

from __future__ import annotations

from functools import lru_cache
from types import CodeType, FunctionType

import numpy as np

from flatgrad.calling.kinds import kind_of, number_of
from flatgrad.calling.lookup import State
from flatgrad.calling.pullback import pullback_of
from flatgrad.functions.fingerprint import references

TABLES = {"value_and_grad": "joint", "grad": "joint", "vjp": "split"}
# these get the arguments in a tuple, and hand them to a method of the owner
HANDED_ON = ("compile", "check", "emit")
ASKED = (*TABLES, "compile", "check")
VARIADIC = 0x04 | 0x08

# `$` stands for a prefix that no parameter begins with
RENEWED = """\
    try:
        if {changed}:
            $state.renew()
    except $unbound:
        $state.renew()
"""
LOOKED_UP = """\
    $entry = $state.{table}.get(({kinds}))
    if $entry is None:
        $entry = $state.find_{table}(({arguments}))
    $run, $other = $entry
    try:
        $value, $result = $run({call})
    except $Error as $error:
        $own = $state.explained($error, ({arguments}))
        raise $own from $own.__cause__
    return {returned}
"""
KIND = (
    "($p.shape, $p.dtype) if ($k := $type($p)) is $ndarray else $k if $k is $float or $k is $int"
    " else $kind_of($p, $state.asked)"
)
RETURNED = {
    ("value_and_grad", False): "$value, $new($other, $result)",
    ("value_and_grad", True): "$value, $result",
    ("grad", False): "$new($other, $result)",
    ("grad", True): "$result",
    ("vjp", False): "$value, $pullback_of($value, $result, $other, $name)",
    ("vjp", True): "$value, $pullback_of($value, $result, $other, $name)",
}


def dispatching(state: State, purpose: str) -> FunctionType:
    """Return the function for a purpose: value_and_grad, grad, vjp, compile, check or emit."""
    function = state.function
    code, prefix = _code(state, purpose)
    named = {
        "state": state,
        "unbound": (KeyError, ValueError),
        "Error": Exception,
        "type": type,
        "float": float,
        "int": int,
        "ndarray": np.ndarray,
        "kind_of": kind_of,
        "number_of": number_of,
        "new": tuple.__new__,
        "pullback_of": pullback_of,
        "name": function.__name__,
    }
    namespace = {prefix + name: value for name, value in named.items()}
    made = FunctionType(code, {**namespace, "__name__": __name__}, purpose, function.__defaults__)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__module__ = function.__module__
    made.__qualname__ = f"{function.__qualname__}.{purpose}"
    made.__doc__ = f"The {DESCRIBED[purpose]} of {function.__name__}: {function.__doc__ or ''}".rstrip(": ")
    made.__annotations__ = {name: hint for name, hint in function.__annotations__.items() if name != "return"}

    def follow() -> None:
        made.__code__ = _code(state, purpose)[0]

    state.dispatching.append(follow)
    return made


DESCRIBED = {
    "value_and_grad": "value and gradients",
    "grad": "gradients",
    "vjp": "value and pullback",
    "compile": "emitted function",
    "check": "numeric check",
    "emit": "emitted source",
}


def _code(state: State, purpose: str) -> tuple[CodeType, str]:
    """Return the code of a dispatching function, and the prefix of its names."""
    function = state.function
    code = function.__code__
    guards = []
    for name, _, owner in references(function):
        where = "present" if name in function.__globals__ else "absent"
        guards.append((name, where if owner is function else "cell"))
    kinds = (code.co_posonlyargcount, code.co_argcount)
    if code.co_flags & VARIADIC:
        return _compiled(purpose, None, kinds, (), frozenset(), False)
    bare = isinstance(state.options.wrt, str)
    return _compiled(purpose, state.parameters, kinds, tuple(guards), state.by_value, bare)


@lru_cache(maxsize=1024)
def _compiled(
    purpose: str,
    parameters: tuple[str, ...] | None,
    kinds: tuple[int, int],
    guards: tuple[tuple[str, str], ...],
    by_value: frozenset[str],
    bare: bool,
) -> tuple[CodeType, str]:
    """Return the code for parameters of which `kinds` tells how many are positional only, and how many positional."""
    prefix = "_"
    while parameters and any(name.startswith(prefix) for name in parameters):
        prefix += "_"
    if parameters is None:
        text = f"def {purpose}(*args, **kwargs):\n    $state.refuse()\n"
    else:
        arguments = "".join(f"{name}, " for name in parameters)
        signature = _signature(parameters, *kinds)
        text = f"def {purpose}({signature}):\n"
        if purpose in HANDED_ON:
            text += f"    return $state.owner._{purpose}_for(({arguments}))\n"
        else:
            texts = [_kind(name, name in by_value) for name in parameters]
            text += RENEWED.format(changed=" or ".join(["$state.watched", *map(_changed, range(len(guards)), guards)]))
            text += LOOKED_UP.format(
                kinds="".join(f"({each}), " for each in texts),
                table=TABLES[purpose],
                arguments=arguments,
                call=arguments.rstrip(", "),
                returned=RETURNED[purpose, bare],
            )
    module = compile(text.replace("$", prefix), f"<flatgrad {purpose}>", "exec", dont_inherit=True)
    return next(constant for constant in module.co_consts if isinstance(constant, CodeType)), prefix


def _signature(parameters: tuple[str, ...], positional_only: int, positional: int) -> str:
    parts = list(parameters)
    if positional < len(parts):
        parts.insert(positional, "*")
    if positional_only:
        parts.insert(positional_only, "/")
    return ", ".join(parts)


def _kind(name: str, by_value: bool) -> str:
    return f"$number_of({name}, $state.asked)" if by_value else KIND.replace("$p", name)


def _changed(number: int, guard: tuple[str, str]) -> str:
    """Return the test whether a name stands for another object than before."""
    name, where = guard
    now = {
        "cell": f"$state.cell_{number}.cell_contents",
        "present": f"$state.names[{name!r}]",
        "absent": f"$state.names.get({name!r}, $state.builtins.get({name!r}, $state.missing))",
    }[where]
    return f"{now} is not $state.found_{number}"
