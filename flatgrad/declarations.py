"""Who is told when a user declares a rule: what was written before may be different now.

Layer: bottom; imports nothing of flatgrad, so that what runs emitted code need not import what writes it.
"""

from __future__ import annotations

from collections.abc import Callable

listeners: list[Callable[[], object]] = []
