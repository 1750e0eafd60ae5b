from flatgrad import checkpointed, flatgrad


@flatgrad(wrt=("x", "r"))
def logistic_map(x: float, r: float, steps: int):
    for _ in checkpointed(range(steps)):
        x = r * x * (1 - x)
    return x
