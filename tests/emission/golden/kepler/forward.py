import math


def kepler_step(E, M, e):
    return (E - e * math.sin(E) - M) / (1 - e * math.cos(E))


def kepler(M: float, e: float):
    # Newton's method for E - e * sin(E) = M
    E = M
    while True:
        step = kepler_step(E, M, e)
        E -= step
        if abs(step) < 1e-12:
            break
    return E
