"""Gradients of functions that write into arrays: `python tests/benchmarks/in_place.py [--seconds S] [--tables T ...]`.

In: the functions of contenders/arrays.py and the contenders of peers.py. Out: tables.

    elements  an array that is filled or updated in a loop: time and memory per element, by the number of elements
    heat      200 steps of a stencil on 10,000 cells: time of the gradient over that of the function, and memory per step
    blocks    a stack of equal blocks of a transformer: lines of the emitted source, by the number of blocks
"""

import argparse
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import loops  # noqa: E402
import peers  # noqa: E402

ELEMENTS = (100, 1_000, 10_000, 100_000)
CELLS, STEPS = 10_000, 200
BLOCKS = (2, 12)


def elements_table(seconds):
    """Return rows: time and memory for each element."""
    from contenders.arrays import filled_of, updated_of

    rows = [["y[i] in a loop, elements", "style", "primal ns each", "gradient ns each", "ratio", "peak bytes each"]]
    for make in (filled_of, updated_of):
        for count in ELEMENTS:
            program = make(count)
            for style in loops.STYLES:
                ours, primal = loops.gradient_and_primal(program, seconds, style)
                memory = loops.peak(loops.compiled(program, style)[0], program.arguments) / count
                cells = [f"{1e3 * primal / count:.0f}", f"{1e3 * ours / count:.0f}", f"{ours / primal:.2f}"]
                rows.append([f"{program.name}, {count}", style, *cells, f"{memory:.0f}"])
    return rows


def heat_table(seconds):
    """Return rows: the gradient of the heat equation over the function, and what each step keeps.

    By the state alone nothing has to be kept. By the factor as well, each step keeps an array, and most of the time goes into
    fresh memory for these.
    """
    from contenders.arrays import heat_of

    rows = [[f"heat, {STEPS} steps on {CELLS} cells", "style", "primal us", "gradient us", "ratio", "peak bytes each"]]
    for wrt in (("u0",), ("u0", "alpha")):
        program = heat_of(CELLS, STEPS, wrt)
        for style in loops.STYLES:
            ours, primal = loops.gradient_and_primal(program, seconds, style)
            memory = loops.peak(loops.compiled(program, style)[0], program.arguments) / (CELLS * STEPS)
            cells = [f"{primal:.0f}", f"{ours:.0f}", f"{ours / primal:.2f}", f"{memory:.2f}"]
            rows.append([f"by {', '.join(wrt)}", style, *cells])
    return rows


def blocks_table(seconds):
    """Return rows: the lines of the emitted source for few blocks and for many."""
    from contenders.arrays import transformer_of

    rows = [["lines for blocks", *map(str, BLOCKS)]]
    for style in loops.STYLES:
        lengths = [len(loops.compiled(transformer_of(count), style)[1].splitlines()) for count in BLOCKS]
        rows.append([f"transformer, {style}", *map(str, lengths)])
    return rows


TABLES = {"elements": elements_table, "heat": heat_table, "blocks": blocks_table}


def main():
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement")
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    chosen = parser.parse_args()
    print(peers.setting([]))
    for name in chosen.tables:
        peers.show(TABLES[name](chosen.seconds))
        print()


if __name__ == "__main__":
    if any(os.environ.get(name) != number for name, number in peers.ONE_THREAD.items()):
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **peers.ONE_THREAD})
    main()
