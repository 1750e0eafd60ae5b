"""The examples run, print what they promise, and their backward passes are emitted from the command line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
# the others hold functions that are differentiated
WRITTEN_BY_FLATGRAD = {EXAMPLES / name for name in ("recurrent_grad.py", "heat_grad.py")}
PROGRAMS = sorted(set(EXAMPLES.glob("*.py")) - WRITTEN_BY_FLATGRAD)


def run(*arguments):
    """Return what Python prints, with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_neuron_prints_the_numbers_of_the_lecture():
    assert run(EXAMPLES / "neuron.py").splitlines() == [
        "L = 0.7311",
        "grad_w0 = -0.1966",
        "grad_x0 = 0.3932",
        "grad_w1 = -0.3932",
        "grad_x1 = -0.5898",
        "grad_w2 = 0.1966",
    ]


def test_squared_norm_prints_the_numbers_of_the_lecture():
    assert run(EXAMPLES / "squared_norm.py").splitlines() == [
        "q = [0.22, 0.26]",
        "f = 0.116",
        "grad_W = [[0.088, 0.176], [0.104, 0.208]]",
        "grad_x = [-0.112, 0.636]",
    ]


def test_two_layer_learns():
    losses = [float(loss) for loss in re.findall(r"loss (\S+)", run(EXAMPLES / "two_layer.py"))]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.05 * losses[0]


def test_regression_fits_with_a_right_gradient():
    printed = run(EXAMPLES / "regression.py")
    assert float(re.search(r"central differences: (\S+)", printed)[1]) < 1e-6
    assert "442 patients" in printed
    start, end = map(float, re.search(r"loss (\S+) -> (\S+)", printed).groups())
    assert end < 0.2 * start
    assert "def pseudo_huber_value_and_grad(w, X, y, *, grad_loss=1.0):" in printed


def test_digits_are_learned():
    """The decorator's gradients train a network on real data, and images that it never saw are read right."""
    printed = run(EXAMPLES / "digits.py")
    assert "def two_layer_value_and_grad(X, labels, W1, b1, W2, b2, *, grad_loss=1.0):" in printed
    correct, held_out, trained_on = re.search(r"(\S+)% of (\d+) held-out .* (\d+) others", printed).groups()
    assert float(correct) >= 96
    # every image is on one side
    assert int(held_out) + int(trained_on) == 1797


def test_logistic_regression_agrees_with_scikit_learn():
    """SciPy takes `value_and_grad` as it is, and finds the minimum that another implementation finds."""
    printed = run(EXAMPLES / "logistic_scipy.py")
    assert "30 coefficients and the intercept against scikit-learn" in printed
    assert float(re.search(r"largest difference: (\S+) relative", printed)[1]) < 1e-5
    before, after = map(float, re.search(r"loss (\S+) -> (\S+)", printed).groups())
    assert after < 0.3 * before
    assert "def logistic_loss_value_and_grad(theta, X, signs, *, grad_loss=1.0):" in printed


def test_bouncing_ball_finds_its_mark():
    """Gradients lead through the bounces, past the throws that bounce less often."""
    printed = run(EXAMPLES / "bouncing_ball.py")
    misses = [float(miss) for miss in re.findall(r"misses the mark by (\S+) m", printed)]
    assert misses == sorted(misses, reverse=True)
    assert misses[-1] < 1e-3 * misses[0]
    assert "if y < 0 and vy < 0:" in printed


def test_recurrent_network_learns_with_the_committed_gradient():
    """A file that flatgrad wrote is all that training needs."""
    losses = [float(loss) for loss in re.findall(r"loss (\S+)", run(EXAMPLES / "recurrent.py"))]
    assert losses[-1] < 0.01 * losses[0]


def test_heat_finds_what_the_rod_conducts():
    """The gradient leads through an array that is changed in place, and needs to be exact for the fit to get this far."""
    printed = run(EXAMPLES / "heat.py")
    before, after = map(float, re.search(r"misfit (\S+) -> (\S+)", printed).groups())
    assert after < 1e-9 * before
    assert "conductivity: 0.400 0.400 0.400 0.400 0.400 0.400 0.100 0.100 0.100 0.100 0.100" in printed


def test_network_of_named_tuples_learns():
    """Gradients come in the structure of the parameters, which are updated with them."""
    printed = run(EXAMPLES / "mlp.py")
    losses = [float(loss) for loss in re.findall(r"loss (\d\S+)", printed)]
    assert losses[-1] < 0.05 * losses[0]
    assert "dense_forward(layers[0], x)" in printed


@pytest.mark.parametrize("written", sorted(WRITTEN_BY_FLATGRAD), ids=lambda path: path.stem)
def test_committed_gradient_is_up_to_date(written):
    """What is committed is what flatgrad writes, and needs NumPy only."""
    source = written.with_name(written.name.replace("_grad", ""))
    assert run("-m", "flatgrad", "emit", source, "-o", written, "--check") == ""
    assert set(re.findall(r"^(?:import|from) (\w+)", written.read_text(), re.MULTILINE)) == {"numpy"}


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_emitted_module_is_complete(path, tmp_path):
    """Each example emits as a file from the command line, and the file can be loaded without the example."""
    output = tmp_path / "out.py"
    assert run("-m", "flatgrad", "emit", path, "-o", output) == ""
    assert run("-c", f"import runpy; print(*runpy.run_path({str(output)!r}))").count("_value_and_grad") == 1
    assert run("-m", "flatgrad", "emit", path, "-o", output, "--check") == ""
