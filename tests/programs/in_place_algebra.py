"""Linear algebra in place, as textbooks write it.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a size.
"""

import numpy as np


def gram_schmidt(A, weights):
    """The columns are made orthonormal in place, each against those before it."""
    Q = A.copy()
    for j in range(Q.shape[1]):
        for k in range(j):
            Q[:, j] -= (Q[:, k] @ Q[:, j]) * Q[:, k]
        Q[:, j] /= np.sqrt(Q[:, j] @ Q[:, j])
    return np.sum(Q * weights)


def lu_decomposition(A, weights):
    """Elimination without pivots; the factors stand below and above the diagonal."""
    LU = A.copy()
    n = LU.shape[0]
    for k in range(n - 1):
        for i in range(k + 1, n):
            LU[i, k] /= LU[k, k]
            LU[i, k + 1 :] -= LU[i, k] * LU[k, k + 1 :]
    return np.sum(LU * weights)


def lu_by_outer_products(A, weights):
    LU = np.array(A, copy=True)
    for k in range(len(LU) - 1):
        LU[k + 1 :, k] = LU[k + 1 :, k] / LU[k, k]
        LU[k + 1 :, k + 1 :] -= np.outer(LU[k + 1 :, k], LU[k, k + 1 :])
    return np.sum(LU * weights)


def cholesky_in_place(A, weights):
    L = A.copy()
    n = len(L)
    for j in range(n):
        L[j, j] = np.sqrt(L[j, j] - np.sum(L[j, :j] ** 2))
        for i in range(j + 1, n):
            L[i, j] = (L[i, j] - L[i, :j] @ L[j, :j]) / L[j, j]
        L[j, j + 1 :] = 0.0
    return np.sum(L * weights)


def thomas(lower, diagonal, upper, right):
    """A system with three diagonals: copies of two of them are overwritten."""
    n = len(right)
    c, d = upper.copy(), right.copy()
    c[0] /= diagonal[0]
    d[0] /= diagonal[0]
    for i in range(1, n):
        m = diagonal[i] - lower[i] * c[i - 1]
        c[i] /= m
        d[i] = (d[i] - lower[i] * d[i - 1]) / m
    for i in range(n - 2, -1, -1):
        d[i] -= c[i] * d[i + 1]
    return np.sum(d**2)


def back_substitution(U, b):
    x = np.zeros_like(b)
    for i in range(len(b) - 1, -1, -1):
        x[i] = (b[i] - np.dot(U[i, i + 1 :], x[i + 1 :])) / U[i, i]
    return x @ x


def gaussian_elimination(A, b):
    """Rows change places where that gives the larger pivot."""
    M = np.concatenate((A, b[:, None]), axis=1)
    n = len(M)
    for k in range(n):
        pivot = k + np.argmax(np.abs(M[k:, k]))
        if pivot != k:
            M[[k, pivot]] = M[[pivot, k]]
        for i in range(k + 1, n):
            M[i] -= M[i, k] / M[k, k] * M[k]
    x = np.zeros(n)
    for i in reversed(range(n)):
        x[i] = (M[i, n] - M[i, i + 1 : n] @ x[i + 1 :]) / M[i, i]
    return np.sum(x)


def gauss_jordan(A, weights):
    """The inverse, beside the matrix that becomes the identity."""
    n = A.shape[0]
    M = np.zeros((n, 2 * n))
    M[:, :n] = A
    M[:, n:] = np.eye(n)
    for k in range(n):
        M[k] /= M[k, k]
        for i in range(n):
            if i != k:
                M[i] -= M[i, k] * M[k]
    return np.sum(M[:, n:] * weights)


def triangular(theta, x):
    """A matrix is built entry by entry from a vector of parameters: its diagonal is positive."""
    n = len(x)
    L = np.zeros((n, n))
    k = 0
    for i in range(n):
        for j in range(i + 1):
            if i == j:
                L[i, j] = np.exp(theta[k])
            else:
                L[i, j] = theta[k]
            k += 1
    z = L @ x
    return 0.5 * z @ z - np.sum(np.log(np.diagonal(L)))


def symmetric(theta, x, rows, columns):
    """Both halves at once, by arrays of indices."""
    n = len(x)
    S = np.zeros((n, n))
    S[rows, columns] = theta
    S[columns, rows] = theta
    return x @ S @ x + np.sum((S @ S) ** 2)


def householder(A, weights):
    """The triangular factor by reflections of what is left of the matrix."""
    R = A.copy()
    m, n = R.shape
    for k in range(n):
        v = R[k:, k].copy()
        v[0] += np.sign(v[0]) * np.sqrt(v @ v)
        v /= np.sqrt(v @ v)
        R[k:, k:] -= 2 * np.outer(v, v @ R[k:, k:])
    return np.sum(R * weights)


def givens(A, weights):
    """Rotations of two rows at a time."""
    R = A.copy()
    m, n = R.shape
    for j in range(n):
        for i in range(m - 1, j, -1):
            r = np.sqrt(R[i - 1, j] ** 2 + R[i, j] ** 2)
            c, s = R[i - 1, j] / r, R[i, j] / r
            upper = c * R[i - 1] + s * R[i]
            lower = -s * R[i - 1] + c * R[i]
            R[i - 1], R[i] = upper, lower
    return np.sum(R * weights)


def levinson(r, y):
    """A system with equal diagonals, its solution growing by one element a turn."""
    n = len(y)
    f, x = np.zeros(n), np.zeros(n)
    f[0] = 1 / r[0]
    x[0] = y[0] / r[0]
    for k in range(1, n):
        error = r[1 : k + 1][::-1] @ f[:k]
        g = f[: k + 1][::-1].copy()
        f[: k + 1] = (f[: k + 1] - error * g) / (1 - error**2)
        back = f[: k + 1][::-1]
        x[: k + 1] += (y[k] - r[1 : k + 1][::-1] @ x[:k]) * back
    return x @ x


def successive_over_relaxation(A, b, omega, sweeps: int = 3):
    x = np.zeros(len(b))
    for _ in range(sweeps):
        for i in range(len(b)):
            sigma = A[i] @ x - A[i, i] * x[i]
            x[i] += omega * ((b[i] - sigma) / A[i, i] - x[i])
    return np.sum((A @ x - b) ** 2)


def jacobi_rotations(A, sweeps: int = 4):
    """The largest eigenvalue of a symmetric matrix by rotations in place."""
    S = A + A.T
    n = len(S)
    for _ in range(sweeps):
        for p in range(n - 1):
            for q in range(p + 1, n):
                ratio = (S[q, q] - S[p, p]) / (2 * S[p, q])
                t = 1 / (ratio + np.sqrt(ratio**2 + 1)) if ratio > 0 else 1 / (ratio - np.sqrt(ratio**2 + 1))
                c = 1 / np.sqrt(t**2 + 1)
                s = t * c
                column = S[:, p].copy()
                S[:, p] = c * column - s * S[:, q]
                S[:, q] = s * column + c * S[:, q]
                row = S[p].copy()
                S[p] = c * row - s * S[q]
                S[q] = s * row + c * S[q]
    return np.max(np.diagonal(S))


def block_matrix(A, B, C):
    """Blocks are written into their places, and one of them is scaled through a view."""
    n, m = len(A), len(C)
    M = np.empty((n + m, n + m))
    M[:n, :n] = A
    M[:n, n:] = B
    M[n:, :n] = B.T
    M[n:, n:] = C
    corner = M[n:, n:]
    corner *= 2.0
    M.ravel()[:: n + m + 1] += 3.0
    return np.sum(M @ M * M.T)


def banded(bands, x):
    """Diagonals of a matrix are written one after another."""
    n = len(x)
    M = np.zeros((n, n))
    for offset, band in zip((-1, 0, 1), bands, strict=True):
        for i in range(n):
            j = i + offset
            if 0 <= j < n:
                M[i, j] = band[i]
    return np.sum((M @ M @ x) ** 2)


def polynomial_product(p, q, x):
    product = np.zeros(len(p) + len(q) - 1)
    for i, a in enumerate(p):
        product[i : i + len(q)] += a * q
    value = 0.0
    for c in product[::-1]:
        value = value * x + c
    return value


def positive(normal, n):
    A = normal(n, n)
    return A @ A.T + n * np.eye(n)


def dominant(normal, n):
    return normal(n, n) + 3 * n * np.eye(n)


PROGRAMS = {
    gram_schmidt: lambda normal, n: (normal(n + 2, n + 1), normal(n + 2, n + 1)),
    lu_decomposition: lambda normal, n: (dominant(normal, n + 1), normal(n + 1, n + 1)),
    lu_by_outer_products: lambda normal, n: (dominant(normal, n + 1), normal(n + 1, n + 1)),
    cholesky_in_place: lambda normal, n: (positive(normal, n + 1), normal(n + 1, n + 1)),
    thomas: lambda normal, n: (normal(n + 1), 4 + normal(n + 1), normal(n + 1), normal(n + 1)),
    back_substitution: lambda normal, n: (dominant(normal, n), normal(n)),
    gaussian_elimination: lambda normal, n: (normal(n + 1, n + 1), normal(n + 1)),
    gauss_jordan: lambda normal, n: (dominant(normal, n), normal(n, n)),
    triangular: lambda normal, n: (0.5 * normal(n * (n + 1) // 2), normal(n)),
    symmetric: lambda normal, n: (normal(n * (n + 1) // 2), normal(n), *np.tril_indices(n)),
    householder: lambda normal, n: (normal(n + 1, n), normal(n + 1, n)),
    givens: lambda normal, n: (normal(n + 1, n), normal(n + 1, n)),
    levinson: lambda normal, n: (0.3 * normal(n + 1) + 2.0 * (np.arange(n + 1) == 0), normal(n + 1)),
    successive_over_relaxation: lambda normal, n: (dominant(normal, n), normal(n), 1.1),
    jacobi_rotations: lambda normal, n: (normal(n + 2, n + 2),),
    block_matrix: lambda normal, n: (normal(n, n), normal(n, 2), normal(2, 2)),
    banded: lambda normal, n: (normal(3, n + 1), normal(n + 1)),
    polynomial_product: lambda normal, n: (normal(n), normal(3), 0.8),
}
