import numpy as np
from jaxtyping import Float


def power(A, n):
    if n == 1:
        return A
    half = power(A, n // 2)
    squared = half @ half
    return squared @ A if n % 2 else squared


def trace_of_power(A: Float[np.ndarray, "n n"]):
    """The trace of a matrix's fifth power."""
    return np.sum(np.eye(len(A)) * power(A, 5))
