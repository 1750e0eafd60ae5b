"""Forward and backward pass of `logistic_map`, written by flatgrad from forward.py:5."""


def logistic_map_value_and_grad(x: float, r: float, steps: int, *, grad_x_2: float = 1.0):
    """Return x_2 and (grad_x, grad_r)."""
    # forward
    # the state is kept once in so many turns; the backward pass runs the turns between again
    every = max(1, int(abs(steps) ** 0.5))
    states = []
    for k in range(steps):
        if k % every == 0:
            states.append(x)
        t0 = r * x
        t1 = 1 - x
        x = t0 * t1
    x_2 = x

    # backward
    grad_r = 0.0
    for start in reversed(range(0, steps, every)):
        stop = min(start + every, steps)
        x = states[start // every]
        x_tape = []
        # the turns from here on, again
        for _ in range(start, stop):
            x_tape.append(x)
            t0 = r * x
            t1 = 1 - x
            x = t0 * t1
        for x in reversed(x_tape):
            # x = t0 * t1
            grad_t0 = grad_x_2 * (1 - x)
            grad_t1 = grad_x_2 * (r * x)
            # t0 = r * x
            grad_r += grad_t0 * x
            grad_x_2 = grad_t0 * r - grad_t1
    grad_x = grad_x_2
    return x_2, (grad_x, grad_r)
