"""How to throw a ball so that it is at a mark after its bounces: gradients through a simulation with collisions."""

from flatgrad import flatgrad

TIME_STEP, STEPS = 0.01, 250
GRAVITY, DRAG, BOUNCE = 9.81, 0.05, 0.8
MARK = (6.0, 1.5)


def acceleration(vx, vy):
    drag = DRAG * (vx**2 + vy**2) ** 0.5
    return -drag * vx, -GRAVITY - drag * vy


@flatgrad(style="compact", target="math")
def miss(vx: float, vy: float):
    x, y = 0.0, 1.0
    for _ in range(STEPS):
        ax, ay = acceleration(vx, vy)
        vx += TIME_STEP * ax
        vy += TIME_STEP * ay
        x += TIME_STEP * vx
        y += TIME_STEP * vy
        if y < 0 and vy < 0:  # the ground
            vy = -BOUNCE * vy
    loss = (x - MARK[0]) ** 2 + (y - MARK[1]) ** 2
    return loss


def main():
    vx, vy = 1.0, 6.0
    for step in range(61):
        loss, grads = miss.value_and_grad(vx, vy)
        if step % 20 == 0:
            print(f"step {step:2d}  throw ({vx:.3f}, {vy:.3f}) m/s  misses the mark by {loss**0.5:.5f} m")
        vx -= 0.1 * grads.vx
        vy -= 0.1 * grads.vy
    print(miss.emit(vx, vy))


if __name__ == "__main__":
    main()
