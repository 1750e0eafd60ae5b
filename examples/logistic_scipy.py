"""Logistic regression on the data of 569 tumours by SciPy's optimizer, compared with scikit-learn's own."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

from flatgrad import flatgrad

C = 0.1  # the weight of the data against the penalty, as in scikit-learn


@flatgrad(wrt="theta", style="compact")
def logistic_loss(theta: Float[np.ndarray, "p"], X: Float[np.ndarray, "n d"], signs: Float[np.ndarray, "n"]):
    w, b = theta[:-1], theta[-1]
    margins = signs * (X @ w + b)
    misfit = np.sum(np.logaddexp(0, -margins))  # log(1 + exp(-margin)) without overflow
    penalty = 0.5 * np.sum(w**2)
    loss = C * misfit + penalty
    return loss


def main():
    data = load_breast_cancer()
    X = (data.data - np.mean(data.data, axis=0)) / np.std(data.data, axis=0)
    signs = np.where(data.target == 1, 1.0, -1.0)
    start = np.zeros(X.shape[1] + 1)

    fit = minimize(logistic_loss.value_and_grad, start, args=(X, signs), jac=True, method="L-BFGS-B", tol=1e-15)
    before, after = logistic_loss(start, X, signs), fit.fun
    print(f"{len(X)} tumours, {fit.nit} steps of L-BFGS-B, loss {before:.2f} -> {after:.2f}")

    # another algorithm for the same minimum, with derivatives written by hand
    model = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10).fit(X, data.target)
    theirs = np.append(model.coef_, model.intercept_)
    difference = np.max(np.abs(fit.x - theirs) / np.abs(theirs))
    print(f"{X.shape[1]} coefficients and the intercept against scikit-learn's LogisticRegression(C={C}):")
    print(f"largest difference: {difference:.1e} relative")
    print()
    print(logistic_loss.emit(start, X, signs))


if __name__ == "__main__":
    main()
