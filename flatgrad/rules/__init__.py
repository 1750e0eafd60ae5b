"""The operations that flatgrad knows, one file per family. Importing the package declares them all.

The packages in it are for libraries beside NumPy: what is in them is imported when a function of theirs is looked up.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)
