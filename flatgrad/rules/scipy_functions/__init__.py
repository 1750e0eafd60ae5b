"""The operations of SciPy that flatgrad knows, one file per family, named after the module of SciPy's that it is about.

SciPy is optional: importing this package imports no SciPy. The files `signal.py` and `signal_windows.py` are imported when
a function of `scipy.signal` is looked up for the first time. To add a family, write its rules in such a file, as those for
NumPy are written. It imports its module in the way that emitted code does (``from scipy import signal``), and its rules
call functions by that name (``signal.convolve(...)``). A method of an object of SciPy's is a function like others:
``@rule(stats.norm.logpdf, ...)``. A file may import another one for its helpers. Layer: rules.
"""

import importlib
import importlib.util
import pkgutil

from flatgrad.registry import declare_with

_FILES: dict[str, list[str]] = {}
for _file in pkgutil.iter_modules(__path__):
    _FILES.setdefault(f"scipy.{_file.name.partition('_')[0]}", []).append(f"{__name__}.{_file.name}")

for _library, _names in _FILES.items():
    declare_with(_library, *_names)


def declare_installed() -> None:
    """Declare the rules for all of SciPy, where it is installed, whether or not it has been imported."""
    if importlib.util.find_spec("scipy") is not None:
        for names in _FILES.values():
            for name in names:
                importlib.import_module(name)
