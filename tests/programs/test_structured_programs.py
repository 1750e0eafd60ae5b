"""Programs with containers, classes and arrays that are written to: their values to the last bit, and their derivatives.

The derivatives are held against complex steps through the program itself, against JAX, and for the models that PyTorch
has, against PyTorch's own.
"""

import importlib
import inspect
import sys
import types
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import argument_trees  # noqa: E402
import structured_programs as programs  # noqa: E402

from flatgrad import api  # noqa: E402

SIZES = (1, 3)
STYLES = ("flat", "compact")
every_program = pytest.mark.parametrize("name", programs.BY_NAME)
every_size = pytest.mark.parametrize("size", SIZES)
every_style = pytest.mark.parametrize("style", STYLES)


def assert_close(found, expected, rtol):
    """Hold derivatives by place to others."""
    assert found.keys() == expected.keys()
    for place, wanted in expected.items():
        assert np.shape(found[place]) == np.shape(wanted)
        scale = 1 + np.max(np.abs(wanted), initial=0.0)
        np.testing.assert_allclose(found[place], wanted, rtol=rtol, atol=rtol * scale, err_msg=f"leaf {place}")


def assert_same(found, expected):
    """Hold numbers to others to the last bit."""
    for mine, other in zip(argument_trees.leaves(found), argument_trees.leaves(expected), strict=True):
        assert type(mine) is type(other)
        assert np.asarray(mine).tobytes() == np.asarray(other).tobytes()


def gradients_of(result, name, arguments):
    """Return the gradients by the places of the leaves that they are for."""
    given = programs.parameters_of(name)[: len(arguments)]
    return argument_trees.matched([getattr(result, parameter, None) for parameter in given], arguments)


@every_program
@every_size
def test_references_agree(name, size):
    """Complex steps and central differences find the same derivatives: the programs are fit to test with."""
    by_steps = argument_trees.differences(programs.BY_NAME[name], programs.arguments_for(name, size))
    assert_close(by_steps, programs.complex_steps(name, size), 1e-6)


@every_program
@every_size
@every_style
def test_value_and_gradients(name, size, style):
    """The value is the program's own to the last bit, gradients are the derivatives, arguments are left as it leaves them."""
    arguments = programs.arguments_for(name, size)
    value, gradients = api.value_and_grad(programs.BY_NAME[name], style=style)(*arguments)
    expected, left = programs.value_and_left(name, size)
    assert type(value) is type(expected)
    assert np.asarray(value).tobytes() == np.asarray(expected).tobytes()
    assert_same(arguments, left)
    assert_close(gradients_of(gradients, name, arguments), programs.complex_steps(name, size), 1e-10)


@every_program
@every_style
def test_the_module_by_itself(name, style):
    """What is emitted runs without flatgrad, and returns the value of the program."""
    text = str(api.emit(programs.BY_NAME[name], *programs.arguments_for(name, 3), style=style))
    names = {"__name__": "emitted"}
    exec(compile(text, "emitted.py", "exec"), names)
    assert "flatgrad" not in {line.split()[1].partition(".")[0] for line in text.splitlines() if "import " in line[:7]}
    (function,) = (found for own, found in names.items() if own.endswith("_value_and_grad"))
    given = dict(zip(programs.parameters_of(name), programs.arguments_for(name, 3), strict=False))
    value, _ = function(*(given[own] for own in inspect.signature(function).parameters if own in given))
    expected, left = programs.value_and_left(name, 3)
    assert np.asarray(value).tobytes() == np.asarray(expected).tobytes()
    assert_same(list(given.values()), left)


# those that write into no array
IN_JAX = (
    "char_rnn_lists", "lstm_with_dict", "gru_with_dict", "bidirectional_rnn", "encoder_decoder", "kalman_with_dataclass",
    "holt", "residual_network", "init_free_mlp", "mlp_after_a_step", "adam_trajectory", "vae_loss", "small_convnet",
    "mixture_of_experts", "siamese", "network_of_layers", "network_given", "fit_loss", "attention_in_a_class",
    "slope_of_a_dual", "orbit", "swing", "greedy_decoding", "trained_by_momentum", "savings",
    "newton_step_of_a_product", "neural_ode", "leapfrog_into_caller", "log_posterior", "kernel_density", "welford",
    "grouped_by_dict", "soft_histogram", "embedding_bag",
)  # fmt: skip


@pytest.mark.parametrize("name", IN_JAX)
def test_against_jax(name):
    """The gradients are those of JAX for the same program."""
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    math = types.SimpleNamespace(**{own: getattr(jax.numpy, own) for own in ("sin", "cos", "exp", "log", "sqrt", "pi")})
    module = programs.loaded(programs.FILE_OF[name], {"numpy": jax.numpy, "math": math})
    in_jax = programs.in_module(name, module)
    given, chosen = programs.real_arguments(name, 3, jax.numpy.asarray)
    expected = jax.grad(lambda leaves: in_jax(*programs.with_leaves(given, leaves)))(chosen)
    arguments = programs.arguments_for(name, 3)
    gradients = api.grad(programs.BY_NAME[name])(*arguments)
    found = gradients_of(gradients, name, programs.arguments_for(name, 3))
    assert_close(found, {place: np.asarray(gradient) for place, gradient in expected.items()}, 1e-8)


IN_TORCH = (
    "char_rnn", "char_rnn_lists", "lstm_with_dict", "gru_with_dict", "residual_network", "gpt_loss", "batch_normalised",
    "conv1d", "max_pool", "network_of_layers", "fit_loss", "gaussian_process", "kalman_with_dataclass",
    "hmm_filling_alpha", "heat_equation", "heat_in_the_plane", "lotka_volterra", "lotka_volterra_rk4", "particles",
    "soft_dtw", "gram_schmidt", "householder", "lu_decomposition", "lu_by_outer_products", "cholesky_in_place",
    "thomas", "back_substitution", "gaussian_elimination", "gauss_jordan", "triangular", "jacobi_rotations",
    "block_matrix", "gaussian_mixture", "ctc_in_a_table", "de_casteljau", "divided_differences", "polynomial_product",
    "trimmed_mean", "soft_edit_distance",
)  # fmt: skip


@pytest.mark.parametrize("name", IN_TORCH)
def test_against_torch(name):
    """Models that PyTorch has, or that have a closed form there, have its values and gradients."""
    torch = pytest.importorskip("torch")
    in_torch = importlib.import_module("structured_in_torch")
    given, chosen = programs.real_arguments(
        name, 3, lambda leaf: torch.tensor(leaf, dtype=torch.float64, requires_grad=True)
    )
    expected = getattr(in_torch, name)(*given)
    by_torch = torch.autograd.grad(expected, list(chosen.values()), allow_unused=True)
    arguments = programs.arguments_for(name, 3)
    value, gradients = api.value_and_grad(programs.BY_NAME[name])(*arguments)
    assert float(value) == pytest.approx(expected.item(), rel=1e-8)
    found = gradients_of(gradients, name, programs.arguments_for(name, 3))
    wanted = {
        place: np.zeros(leaf.shape) if gradient is None else gradient.numpy()
        for (place, leaf), gradient in zip(chosen.items(), by_torch, strict=True)
    }
    told = found.keys() - set(in_torch.OPEN.get(name, ()))
    assert_close({place: found[place] for place in told}, {place: wanted[place] for place in told}, 1e-8)
