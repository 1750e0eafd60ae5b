"""Robust regression on the data of 442 diabetes patients: a smooth loss, its gradient, and SciPy's optimizer."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes

from flatgrad import emit, flatgrad, value_and_grad

DELTA = 50.0  # residuals far above this count linearly, those far below it squared


@flatgrad(wrt="w", style="compact")
def pseudo_huber(w: Float[np.ndarray, "d"], X: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n"]):
    residual = X @ w - y
    loss = np.mean(DELTA**2 * (np.sqrt(1 + (residual / DELTA) ** 2) - 1))
    return loss


def central_differences(w, X, y, step=1e-4):
    moves = step * np.eye(len(w))
    return np.array([pseudo_huber(w + move, X, y) - pseudo_huber(w - move, X, y) for move in moves]) / (2 * step)


def main():
    data = load_diabetes()
    spread = np.std(data.data, axis=0)
    X = np.column_stack([np.ones(len(data.target)), data.data / spread])
    y = data.target
    loss_and_grad = value_and_grad(pseudo_huber)
    start = np.zeros(X.shape[1])

    _, grad_w = loss_and_grad(start, X, y)
    numeric = central_differences(start, X, y)
    print(f"gradient against central differences: {np.max(np.abs(grad_w - numeric) / np.abs(numeric)):.1e} relative")

    fit = minimize(loss_and_grad, start, args=(X, y), jac=True)
    print(f"{len(y)} patients, {fit.nit} steps, loss {pseudo_huber(start, X, y):.1f} -> {fit.fun:.1f}")
    for name, weight in zip(["mean", *data.feature_names], fit.x, strict=True):
        print(f"{name:5s} {weight:8.2f}")
    print()
    print(emit(pseudo_huber))


if __name__ == "__main__":
    main()
