"""Gradients of functions with loops: `python tests/benchmarks/loops.py [--seconds S] [--tables T ...]`.

In: the functions of contenders/loops.py and the contenders of peers.py. Out: tables.

    rnn       time of the gradient over that of the function, and memory, by the number of turns
    scalars   a hundred turns over Python floats: emitted code, and the ratio of each contender's time to it
    elements  a loop that reads x[i]: time per element, by the number of elements
    length    lines of the emitted source, by the number of turns

The golden functions with loops, branches and helpers are in the table of ratios.py.
"""

import argparse
import os
import sys
import tracemalloc
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import peers  # noqa: E402

TURNS = (10, 100, 1_000, 10_000)
ELEMENTS = (100, 1_000, 10_000, 100_000)
OVER_FLOATS = ("through the decorator", "by-hand", "tangent", "autograd")
STYLES = ("flat", "compact")


def compiled(program, style="compact"):
    """Return the bare emitted function for a program, and its source."""
    from flatgrad import flatgrad

    decorated = flatgrad(wrt=program.wrt, style=style, target=program.target)(program.function)
    return decorated.compile(*program.arguments), str(decorated.emit(*program.arguments))


def gradient_and_primal(program, seconds, style="compact"):
    """Return the median time of the emitted function and that of the function itself, in microseconds."""
    from contenders.programs import Contender

    emitted, _ = compiled(program, style)
    both = {
        peers.FIRST: Contender(emitted, program.arguments),
        "primal": Contender(program.function, program.arguments),
    }
    found, _ = peers.medians(both, seconds)
    return found[peers.FIRST], found["primal"]


def peak(function, arguments):
    """Return the bytes that a call has at once, beside its arguments."""
    function(*arguments)
    tracemalloc.start()
    try:
        function(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def kept_bytes(turns):
    """Return the bytes of what the backward pass of the recurrent layer reads: its states, in a list."""
    import numpy as np
    from contenders.loops import HIDDEN

    return (turns + 1) * (sys.getsizeof(np.empty(HIDDEN)) + sys.getsizeof([None]) - sys.getsizeof([]))


def rnn_table(seconds):
    """Return rows: time and memory of the recurrent layer, by the number of turns."""
    from contenders.loops import rnn_of

    rows = [["rnn, turns", "style", "primal us", "gradient us", "ratio", "peak bytes per turn", "read by backward"]]
    for turns in TURNS:
        program = rnn_of(turns)
        for style in STYLES:
            ours, primal = gradient_and_primal(program, seconds, style)
            memory = peak(compiled(program, style)[0], program.arguments) / turns
            cells = [f"{primal:.0f}", f"{ours:.0f}", f"{ours / primal:.2f}", f"{memory:.0f}"]
            rows.append([str(turns), style, *cells, f"{kept_bytes(turns) / turns:.0f}"])
    return rows, {}


def scalars_table(seconds):
    """Return rows: the emitted function and each contender's ratio to it; and notes on who is missing."""
    from contenders.loops import LOOPS

    names = ["bare", *OVER_FLOATS[1:]]
    rows = [["hundred turns", "emitted us", *OVER_FLOATS]]
    notes = {}
    for program in LOOPS.values():
        ready, missing = peers.prepared(names, program)
        found, _ = peers.medians(ready, seconds)
        found["through the decorator"], bare = found[peers.FIRST], found["bare"]
        ratios = [f"{found[name] / bare:.2f}" if name in found else "-" for name in OVER_FLOATS]
        rows.append([program.name, f"{bare:.1f}", *ratios])
        notes |= {f"{name} ({program.name})": why for name, why in missing.items()}
    return rows, notes


def elements_table(seconds):
    """Return rows: the time for each element of a sum that reads them one by one."""
    from contenders.loops import total_of

    rows = [["x[i], elements", "primal ns each", "gradient ns each", "ratio"]]
    for count in ELEMENTS:
        ours, primal = gradient_and_primal(total_of(count), seconds)
        rows.append([str(count), f"{1e3 * primal / count:.0f}", f"{1e3 * ours / count:.0f}", f"{ours / primal:.2f}"])
    return rows, {}


def length_table(seconds):
    """Return rows: the lines of the emitted source for few turns and for many."""
    from contenders.loops import rnn_of, total_of

    rows = [["lines for turns", *map(str, (TURNS[0], TURNS[-1]))]]
    for name, make in (("rnn", rnn_of), ("total", total_of)):
        for style in STYLES:
            lengths = [len(compiled(make(turns), style)[1].splitlines()) for turns in (TURNS[0], TURNS[-1])]
            rows.append([f"{name}, {style}", *map(str, lengths)])
    return rows, {}


TABLES = {"rnn": rnn_table, "scalars": scalars_table, "elements": elements_table, "length": length_table}


def main():
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement")
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    chosen = parser.parse_args()
    print(peers.setting([name for name in OVER_FLOATS if name in peers.CONTENDERS]))
    for name in chosen.tables:
        rows, notes = TABLES[name](chosen.seconds)
        peers.show(rows)
        for who, why in notes.items():
            print(f"- {who}: {why}")
        print()


if __name__ == "__main__":
    if any(os.environ.get(name) != number for name, number in peers.ONE_THREAD.items()):
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **peers.ONE_THREAD})
    main()
