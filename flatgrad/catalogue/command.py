"""The command ``flatgrad rules``: what is supported, and all about one operation.

In: parsed arguments. Out: text on standard output, and the exit status. Layer: above `pages`, below `cli`.
"""

from __future__ import annotations

import argparse

from flatgrad.standard_output import show

RULES_HELP = "a module of yours that declares rules: it is imported first; may be given more than once"
DESCRIPTION = """Show the operations that have a derivative here, and what it is.

  flatgrad rules               all of them, by module
  flatgrad rules linalg        those with this text in their names
  flatgrad rules np.tanh       one: its rule, the code that is emitted for it, its choices at kinks"""


def add_rules(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "rules",
        help="show the operations that have a derivative, and what it is",
        description=DESCRIPTION,
        epilog="exit status: 0 done, 2 no operation has such a name",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument("name", metavar="NAME", nargs="?", help="an operation, a module, or a part of a name")
    command.add_argument("--kinks", action="store_true", help="show what is chosen where there is no derivative")
    command.add_argument("--rules", metavar="MODULE", action="append", default=[], help=RULES_HELP)
    command.set_defaults(run=_listed)


def _listed(parsed: argparse.Namespace) -> int:
    """Show what was asked for and return the exit status."""
    from flatgrad.catalogue.entries import entries, kinks, matching, named
    from flatgrad.catalogue.modules import import_rules
    from flatgrad.catalogue.pages import kink_table, page, table

    import_rules(parsed.rules)
    found = entries()
    exact = named(parsed.name, found) if parsed.name is not None else []
    if parsed.name is not None:
        found = exact or matching(parsed.name, found)
    if parsed.kinks:
        text = kink_table(kinks(found))
    elif exact:
        text = "\n\n\n".join(map(page, exact))
    else:
        text = table(found)
    show(text + "\n", kind="page")
    return 0
