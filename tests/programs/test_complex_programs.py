"""Programs with complex numbers between real arguments and a real result: spectra, waves, filters, maps of the plane.

Each is compared with central differences of itself, and with JAX where it is installed.
"""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad import FlatgradError, flatgrad

RNG = np.random.default_rng(5)
SIGNAL, KERNEL, IMAGE = RNG.normal(size=16), RNG.normal(size=5), RNG.normal(size=(4, 6))
RESPONSE = np.exp(1j * RNG.normal(size=9))


def low_pass(x, cutoff):
    spectrum = np.fft.rfft(x)
    frequencies = np.fft.rfftfreq(x.size)
    gain = 1 / (1 + (frequencies / cutoff) ** 2)
    return np.sum(np.fft.irfft(spectrum * gain, n=x.size) ** 2)


def convolution(x, h):
    n = len(x) + len(h) - 1
    y = np.fft.irfft(np.fft.rfft(x, n) * np.fft.rfft(h, n), n)
    return np.sum(y**3)


def power_of_image(image):
    spectrum = np.fft.fftshift(np.fft.fft2(image))
    return np.sum(np.log1p(np.abs(spectrum) ** 2))


def known_response(x):
    filtered = np.fft.ifft(RESPONSE * np.fft.fft(x[:9]))
    return np.sum(filtered.real**2 * np.arange(9)) + np.sum(np.angle(filtered))


def wave(x, k):
    psi = np.exp(1j * k * x) / (1 + x**2)
    density = (np.conj(psi) * psi).real
    return np.sum(density * x) + psi[0].imag


def escape(a, b):
    z = complex(a, b)
    c = z
    for _ in range(4):
        z = z * z + c
    if abs(z) > 1:
        z = z / abs(z) ** 2
    return abs(z) ** 2 + z.imag


def split_step(x, strength):
    psi = x.astype(complex)
    phases = np.exp(-0.1j * np.fft.fftfreq(len(x)) ** 2)
    for _ in range(3):
        psi = psi * np.exp(-1j * strength * np.abs(psi) ** 2)
        psi = np.fft.ifft(phases * np.fft.fft(psi))
    return np.sum(np.abs(psi) ** 4)


def quantum_gate(theta, phi):
    state = np.array([1.0, 0.0]) + 0j
    half = theta / 2
    turn = np.array(
        [[np.cos(half), -np.exp(-1j * phi) * np.sin(half)], [np.exp(1j * phi) * np.sin(half), np.cos(half)]]
    )
    for _ in range(2):
        state = turn @ state
    return np.abs(state[1]) ** 2 + (state[0] * np.conj(state[1])).imag


PROGRAMS = [
    (low_pass, (SIGNAL, 0.2)),
    (convolution, (SIGNAL, KERNEL)),
    (power_of_image, (IMAGE,)),
    (known_response, (SIGNAL,)),
    (wave, (SIGNAL, 0.7)),
    (escape, (0.2, 0.4)),
    (escape, (0.9, 0.8)),
    (split_step, (SIGNAL, 0.3)),
    (quantum_gate, (0.7, 1.9)),
]
CASES = [
    pytest.param(program, arguments, id=f"{program.__name__}{k}") for k, (program, arguments) in enumerate(PROGRAMS)
]


@pytest.mark.parametrize("style", ["flat", "compact"])
@pytest.mark.parametrize(("program", "arguments"), CASES)
def test_gradients(program, arguments, style):
    """The value is the function's bit for bit, and the gradients are real and right."""
    f = flatgrad(style=style)(program)
    assert f.check(*arguments).passed
    for gradient, argument in zip(f.grad(*arguments), arguments, strict=True):
        assert np.asarray(gradient).dtype == np.float64
        assert np.shape(gradient) == np.shape(argument)


@pytest.mark.parametrize(("program", "arguments"), [case for case in CASES if case.values[0] is not escape])
def test_gradients_of_jax(program, arguments):
    """JAX, whose complex numbers have the same gradients, gives the same numbers."""
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    names = dict(program.__globals__) | {"np": jax.numpy}
    twin = type(program)(program.__code__, names)
    expected = jax.grad(twin, argnums=tuple(range(len(arguments))))(*arguments)
    for gradient, other in zip(flatgrad(program).grad(*arguments), expected, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-9, atol=1e-12)


def test_float32_stays_float32():
    """A float32 signal has a float32 gradient, through complex64."""
    x = SIGNAL.astype(np.float32)
    gradients = flatgrad(low_pass).grad(x, 0.2)
    assert gradients.x.dtype == np.float32
    np.testing.assert_allclose(gradients.x, flatgrad(low_pass).grad(SIGNAL, 0.2).x, rtol=1e-4, atol=1e-5)


def test_complex_argument_is_no_variable():
    """A complex array may be given; it has no gradient of its own."""

    def f(x, response):
        return np.sum(np.abs(response * x) ** 2)

    gradients = flatgrad(f).grad(SIGNAL[:9], RESPONSE)
    assert gradients._fields == ("x",)
    np.testing.assert_allclose(gradients.x, 2 * SIGNAL[:9] * np.abs(RESPONSE) ** 2, rtol=1e-12)


def test_complex_result_is_an_error():
    """What is to be differentiated is real; the error says how to make it so."""

    def f(x):
        return np.fft.fft(x)

    with pytest.raises(FlatgradError, match=r"no real number(.|\n)*hint: return \.real"):
        flatgrad(f).vjp(SIGNAL)


def test_rule_for_real_numbers_only_is_an_error():
    """A function whose rule is not right for complex numbers is refused by name, at its place."""

    def f(x):
        return np.sum(np.maximum(x * 1j, 0).real)

    with pytest.raises(FlatgradError, match=r"`np\.maximum` has a rule for real numbers only"):
        flatgrad(f).grad(SIGNAL)
