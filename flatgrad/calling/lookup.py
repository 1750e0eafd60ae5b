"""From the shapes and dtypes of arguments to the emitted functions for them, for one function.

In: arguments that no table has yet, or an error of emitted code. Out: table entries, which hold as long as the function's
names stand for the same. Layer: above `specialise`, below `dispatch`.
"""

from __future__ import annotations

import os
import threading
import traceback
import weakref
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from flatgrad.calling.kinds import functions_in, kind_of, names_asked_by, number_of
from flatgrad.calling.overlaps import OverlapError, check_overlaps
from flatgrad.calling.specialise import Built, Specialiser
from flatgrad.declarations import listeners
from flatgrad.errors import FlatgradError, ShapeError, SignatureError
from flatgrad.functions.fingerprint import MISSING
from flatgrad.functions.origin import Origin
from flatgrad.functions.world import World
from flatgrad.options import Options
from flatgrad.parts import LAYOUT

if TYPE_CHECKING:
    from flatgrad.arguments import Pin

KEYS_OF_ONE_FUNCTION = 2048
KEYS_OF_ALL_FUNCTIONS = 4096
# where functions are given as arguments each key may have code of its own
KEYS_WITH_FUNCTIONS = 128
# a name that stands for something else each time can't be waited for
MOST_ATTEMPTS = 10

Entry = tuple[Any, Any]


class State:
    """What has been emitted for a function, by the shapes and dtypes of arguments.

    The attributes that dispatching functions read are `joint` and `split`, the tables; `watched`, and `found_0`, `found_1`,
    ...: the objects that the function's names stood for, in the order of its references; `cell_0`, ...: its closure; and
    `asked`: the names that it asks of objects, with those that the functions ask for which it has been given.
    """

    def __init__(self, owner: Any, function: FunctionType, origin: Origin, options: Options) -> None:
        self.owner = owner
        self.function = function
        self.options = options
        code = function.__code__
        self.parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        self.positional = code.co_argcount
        self.joint: dict[Any, Entry] = {}
        self.split: dict[Any, Entry] = {}
        self.latest: Built | None = None
        # parameters whose numbers have decided what was written, and whom to tell of another one
        self.by_value: frozenset[str] = frozenset()
        self.dispatching: list[Callable[[], None]] = []
        self.names = function.__globals__
        self.builtins: dict[str, Any] = cast(Any, function).__builtins__
        self.missing = MISSING
        self.lock = threading.RLock()
        # the names that functions ask for which have been given as arguments
        self._learned: frozenset[str] = frozenset()
        self._specialiser = Specialiser(function, origin, options)
        for number, cell in enumerate(function.__closure__ or ()):
            setattr(self, f"cell_{number}", cell)
        self._take(World(function))
        _States.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # a dispatching function that is pickled by value takes its state along
        return (_state_of, (self.owner,))

    def refuse(self) -> None:
        """Raise what is wrong with a function that takes any number of arguments."""
        self._specialiser.check_parameters()

    def _take(self, world: World) -> None:
        self.world = world
        self.watched = world.watched
        self.asked = world.names
        for number, found in enumerate(world.found):
            setattr(self, f"found_{number}", found)

    def renew(self) -> None:
        """Look again at what the function's names stand for; forget what was emitted where that has changed."""
        if self.world.is_current():
            return
        with self.lock:
            world = World(self.function, names=self._learned)
            if world.digest != self.world.digest:
                self.forget()
            self._take(world)

    def forget(self) -> None:
        """Forget what was emitted."""
        with self.lock:
            self.clear()

    def clear(self) -> None:
        """The same without a look at what other threads do: they find again what they need."""
        self.joint.clear()
        self.split.clear()
        self.latest = None

    def find_joint(self, arguments: tuple[Any, ...]) -> Entry:
        """Return what returns the value and the gradients for such arguments, and the class of the gradients."""

        def entry(made: Built) -> Entry:
            return self.taking_all(made, "value_and_grad"), made.gradients

        return self._found(self.joint, arguments, entry, split=False)

    def find_split(self, arguments: tuple[Any, ...]) -> Entry:
        """Return the forward function for such arguments, and the backward function with what it takes gradients of."""

        def entry(made: Built) -> Entry:
            return self.taking_all(made, "forward"), (made.functions["backward"], made.real)

        return self._found(self.split, arguments, entry, split=True)

    def _found(
        self, table: dict[Any, Entry], arguments: tuple[Any, ...], entry: Callable[[Built], Entry], *, split: bool
    ) -> Entry:
        with self.lock:
            self._learn(arguments)
            # another thread may have made it meanwhile
            found = table.get(self._key(arguments))
            if found is None:
                kinds = self._kinds_of_functions(arguments)
                try:
                    found = entry(self.built_for(arguments, split))
                except ShapeError as error:
                    # NumPy says what does not match, at the user's own line
                    own = self.explained(error, arguments)
                    raise own from own.__cause__
                # by now the key may have to say more than before
                key = self._key(arguments)
                if self._kinds_of_functions(arguments) == kinds:
                    if len(table) >= (KEYS_WITH_FUNCTIONS if kinds else KEYS_OF_ONE_FUNCTION):
                        table.clear()
                    table[key] = found
                _States.count(self)
            return found

    def _key(self, arguments: tuple[Any, ...]) -> Any:
        """Return the key for such arguments, as dispatching functions make it."""
        return tuple(
            number_of(argument, self.asked) if name in self.by_value else kind_of(argument, self.asked)
            for name, argument in zip(self.parameters, arguments, strict=True)
        )

    def _kinds_of_functions(self, arguments: tuple[Any, ...]) -> list[Any]:
        return [kind_of(function, self.asked) for function in functions_in(arguments)]

    def _learn(self, arguments: tuple[Any, ...]) -> None:
        """Watch what functions among the arguments may ask of the objects that they are handed."""
        names = self.asked.union(*(names_asked_by(function, self.asked) for function in functions_in(arguments)))
        if names != self.asked:
            self._learned |= names
            # what changes at this very moment would not be seen otherwise
            self.forget()
            self._take(World(self.function, names=self._learned))

    def _world_with(self, functions: tuple[Any, ...]) -> World:
        """Return what names stand for now in the function and in those that it is given, whatever was learned before."""
        return World(self.function, functions) if functions or self._learned else self.world

    def by_name(self, arguments: tuple[Any, ...]) -> dict[str, Any]:
        """Return the arguments of a call by the names of their parameters."""
        return dict(zip(self.parameters, arguments, strict=True))

    def built_for(self, arguments: tuple[Any, ...], split: bool | None) -> Built:
        """Return the emitted functions for such arguments. Raises FlatgradError."""
        by_name = self.by_name(arguments)
        functions = tuple(functions_in(arguments))
        with self.lock:
            for _ in range(MOST_ATTEMPTS):
                world = self._world_with(functions)
                try:
                    made, pins = self._specialiser.built_for(by_name, world, split)
                except FlatgradError as error:
                    # the place is in the user's file, not in flatgrad's
                    raise error.with_traceback(None) from None
                self.renew()
                if self._world_with(functions).digest == world.digest:
                    self._note(frozenset(map(_parameter_of, filter(_is_by_value, pins))))
                    self.latest = made
                    return made
        raise SignatureError(f"what `{self.function.__name__}` refers to changes while code is written for it")

    def _note(self, pinned: frozenset[str]) -> None:
        if not pinned <= self.by_value:
            self.by_value |= pinned
            self.forget()
            for tell in self.dispatching:
                tell()

    def taking_all(self, made: Built, purpose: str) -> Callable[..., Any]:
        """Return an emitted function as one that takes all of the user's arguments by position."""
        run = made.functions[purpose]
        if made.keyword_only or tuple(made.parameters) != self.parameters:
            run = _adapted(self.parameters, tuple(made.parameters), tuple(made.keyword_only))(run)
        if made.written and purpose != "backward":
            return self._checking(run, made.written)
        return run

    def _checking(self, run: Callable[..., Any], written: tuple[str, ...]) -> Callable[..., Any]:
        """Return an emitted function that looks at the arguments first, because it writes into some of them."""

        def checked(*arguments: Any) -> Any:
            check_overlaps(self.function.__name__, self.by_name(arguments), written)
            return run(*arguments)

        return checked

    def run(self, arguments: dict[str, Any]) -> Any:
        """Call the user's function with arguments by name."""
        values = list(arguments.values())
        keywords = dict(zip(self.parameters[self.positional :], values[self.positional :], strict=True))
        return self.function(*values[: self.positional], **keywords)

    def explained(self, error: Exception, arguments: tuple[Any, ...]) -> Exception:
        """Return the error that the user's own function raises for copies of these arguments, behind the emitted lines.

        Where it raises none, the error came from the backward pass: it is returned. So it is where a run can be seen from
        outside.
        """
        # the first part of the traceback is the dispatching function, which raises the result
        emitted = error.__traceback__.tb_next if error.__traceback__ is not None else None
        if isinstance(error, OverlapError):
            return error.with_traceback(None)
        if any(frame.f_globals.get("__seen__") for frame, _ in traceback.walk_tb(emitted)):
            # a second run could be seen
            return error.with_traceback(emitted)
        from flatgrad.checks.derivatives import copies

        given = copies(self.by_name(arguments))
        try:
            self.run(given)
        except Exception as own:
            # without the line here and the one in `run`
            place = own.__traceback__
            for _ in range(2):
                place = place.tb_next if place is not None else None
            if emitted is None or isinstance(error, FlatgradError):
                return own.with_traceback(place)
            last = emitted
            while last.tb_next is not None:
                last = last.tb_next
            last.tb_next = place
            return own.with_traceback(emitted)
        return error.with_traceback(None if isinstance(error, FlatgradError) else emitted)


@lru_cache(maxsize=256)
def _adapted(
    parameters: tuple[str, ...], taken: tuple[str, ...], keyword_only: tuple[str, ...]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what makes a function take all parameters by position, of those that it needs some by name."""
    number = {name: f"a{index}" for index, name in enumerate(parameters)}
    given = [number[name] for name in taken] + [f"{name}={number[name]}" for name in keyword_only]
    text = f"lambda run: lambda {', '.join(number.values())}: run({', '.join(given)})"
    adapter: Callable[[Callable[..., Any]], Callable[..., Any]] = eval(text)
    return adapter


def _is_by_value(pin: Pin) -> bool:
    """Tell whether a pin is of something that the shape and dtype of an argument do not tell."""
    return isinstance(pin, str) or pin[1] == LAYOUT


def _parameter_of(pin: Pin) -> str:
    """Return the parameter that the place of a pin is in."""
    place = pin if isinstance(pin, str) else pin[0]
    return place.partition(".")[0].partition("[")[0]


def _state_of(owner: Any) -> Any:
    return owner._state


class _AllStates:
    """The states that there are, so that what is kept in all of them together is bounded."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.counts: OrderedDict[weakref.ref[State], int] = OrderedDict()
        self.total = 0

    def add(self, state: State) -> None:
        """Know a state from now on."""
        with self.lock:
            self.counts[weakref.ref(state, self._remove)] = 0

    def _remove(self, reference: weakref.ref[State]) -> None:
        with self.lock:
            self.total -= self.counts.pop(reference, 0)

    def count(self, state: State) -> None:
        """Count the entries of a state again. What was emitted first is forgotten where there is too much in all."""
        with self.lock:
            reference = weakref.ref(state)
            entries = len(state.joint) + len(state.split)
            self.total += entries - self.counts[reference]
            self.counts[reference] = entries
            self.counts.move_to_end(reference)
            while self.total > KEYS_OF_ALL_FUNCTIONS:
                oldest = next(iter(self.counts))
                self.total -= self.counts[oldest]
                self.counts[oldest] = 0
                self.counts.move_to_end(oldest)
                other = oldest()
                if other is not None:
                    # its lock may be held by a thread that waits for the one here
                    other.clear()

    def living(self) -> list[State]:
        """Return the states that there are now."""
        with self.lock:
            return [state for state in (reference() for reference in self.counts) if state is not None]


_States = _AllStates()


def forget_all() -> None:
    """Forget what was emitted for all functions, as when a rule is declared."""
    for state in _States.living():
        state.forget()


listeners.append(forget_all)


def _after_fork() -> None:
    # another thread may have held a lock, and there is no such thread here
    _States.lock = threading.RLock()
    for state in _States.living():
        state.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
