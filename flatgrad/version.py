"""The version of flatgrad. Layer: bottom."""

__version__ = "0.1.0"
