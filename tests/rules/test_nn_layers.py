"""The functions of flatgrad.nn, as users call them: against central differences in both styles, and against PyTorch.

Each case is the text of a call and its arguments; those of whole numbers and truth values are not differentiated.
"""

import itertools
import linecache

import numpy as np
import pytest

from flatgrad import flatgrad as decorate
from flatgrad import nn
from flatgrad.errors import FlatgradError
from flatgrad.registry import positive, real, within_one

numbers = itertools.count()
LABELS = np.array([2, 0, 1, 1])
SEEN = np.array([[True, True, False], [True, False, True], [False, True, True], [True, True, True]])

CASES = {
    "nn.gelu(x)": [real(2, 3)],
    "nn.gelu(x, approximate='tanh')": [real(2, 3)],
    "nn.silu(x)": [real(2, 3)],
    "x * nn.sigmoid(x)": [real(2, 3)],
    "nn.mish(x)": [real(2, 3)],
    "nn.log_sigmoid(x)": [real(2, 3)],
    "nn.elu(x, 0.5)": [real(2, 3)],
    "nn.selu(x)": [real(2, 3)],
    "nn.leaky_relu(x, slope=0.2)": [real(2, 3)],
    "nn.hardtanh(x)": [real(2, 3)],
    "nn.softsign(x)": [real(2, 3)],
    "nn.linear(x, a, b)": [real(2, 3), real(3, 2), real(2)],
    "nn.layer_norm(x)": [real(3, 4)],
    "nn.layer_norm(x, a, b)": [real(3, 4), real(4), real(4)],
    "nn.layer_norm(x, a, b, eps=0.1, axis=(-2, -1))": [real(2, 3, 4), real(3, 4), real(3, 4)],
    "nn.layer_norm(x, eps=a)": [real(3, 4), 0.5],
    "nn.rms_norm(x, a)": [real(2, 3, 4), real(4)],
    "nn.rms_norm(x)": [real(4)],
    "nn.batch_norm(x, a, b)": [real(5, 3), real(3), real(3)],
    "nn.batch_norm(x, a, b, eps=0.01)": [real(2, 3, 4), real(3), real(3)],
    "nn.batch_norm(x)": [real(2, 3, 2, 2)],
    "nn.batch_norm(x, a, b, c, d)": [real(2, 3, 2, 2), real(3), real(3), real(3), positive(3)],
    "nn.batch_norm(x, mean=a, var=b)": [real(2, 3), real(3), positive(3)],
    "nn.group_norm(x, 2, a, b)": [real(2, 4, 3, 2), real(4), real(4)],
    "nn.group_norm(x, 4)": [real(2, 4, 3)],
    "nn.dropout(x, a, 0.25)": [real(2, 3), np.array([[True, False, True], [False, True, True]])],
    "nn.dropout(x, a, b)": [real(3), np.array([1, 0, 1]), 0.25],
    "nn.embedding(x, a)": [real(4, 3), LABELS.reshape(2, 2)],
    "nn.attention(x, a, b)": [real(4, 2), real(3, 2), real(3, 5)],
    "nn.attention(x, a, b, causal=True)": [real(2, 4, 3), real(2, 4, 3) + 0.3, real(2, 4, 2)],
    "nn.attention(x, a, b, mask=c, scale=0.5)": [real(2, 2, 4, 3), real(2, 2, 3, 3), real(2, 2, 3, 2), SEEN],
    "nn.attention(x, a, b, mask=c)": [real(4, 2), real(3, 2), real(3, 2), real(4, 3)],
    "nn.mse(x, a)": [real(2, 3), real(2, 3) + 0.3],
    "nn.huber(x, a)": [2 * real(2, 3), real(2, 3) + 0.1],
    "nn.cross_entropy(x, a)": [real(4, 3), LABELS],
    "nn.cross_entropy(x, a, axis=1, reduction='sum')": [real(2, 3, 2), LABELS.reshape(2, 2)],
    "nn.binary_cross_entropy_with_logits(x, a)": [real(4), within_one(4) / 2 + 0.5],
    "nn.conv1d(x, a, b, padding=1)": [real(2, 3, 5), real(4, 3, 3), real(4)],
    "nn.conv2d(x, a, b, stride=2, padding=1)": [real(2, 2, 5, 5), real(3, 2, 3, 3), real(3)],
    "nn.conv2d(x, a, groups=2, dilation=2)": [real(1, 4, 6, 5), real(2, 2, 2, 2)],
    "nn.max_pool2d(x, 2)": [real(2, 1, 4, 6)],
    "nn.avg_pool2d(x, (2, 3), stride=1, padding=1)": [real(2, 1, 4, 6)],
}


def function_of(text, arguments):
    """Return the function that makes a call, with its source where flatgrad looks for it."""
    file = f"<layer {next(numbers)}>"
    text = f"import numpy as np\nfrom flatgrad import nn\n\n\ndef f({', '.join('xabcd'[: len(arguments)])}):\n    return {text}\n"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace = {"__name__": "layer"}
    exec(compile(text, file, "exec"), namespace)
    return namespace["f"]


def is_floating(argument):
    return np.asarray(argument).dtype.kind == "f"


def slopes(f, arguments, place, upstream):
    """Return the gradient of one argument by central differences."""
    centre = np.asarray(arguments[place])
    found = np.zeros(centre.shape)
    for element in np.ndindex(centre.shape):
        sides = []
        for step in (1e-6, -1e-6):
            moved = centre.copy()
            moved[element] += step
            moved = moved if isinstance(arguments[place], np.ndarray) else float(moved)
            sides.append(np.sum(upstream * f(*arguments[:place], moved, *arguments[place + 1 :])))
        found[element] = (sides[0] - sides[1]) / 2e-6
    return found


@pytest.mark.parametrize("style", ["flat", "compact"])
@pytest.mark.parametrize(("text", "arguments"), CASES.items(), ids=CASES)
def test_gradient_is_that_of_central_differences(text, arguments, style):
    """In what is written, the value is that of the function to the last bit, and the gradients are its derivatives."""
    f = function_of(text, arguments)
    y, pullback = decorate(style=style)(f).vjp(*arguments)
    assert np.asarray(y).tobytes() == np.asarray(f(*arguments)).tobytes()
    upstream = positive(*np.shape(y))
    places = [place for place, argument in enumerate(arguments) if is_floating(argument)]
    for place, gradient in zip(places, pullback(upstream), strict=True):
        expected = slopes(f, arguments, place, upstream)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7, err_msg="xabcd"[place])


@pytest.mark.parametrize(("text", "arguments"), CASES.items(), ids=CASES)
def test_float32_stays_float32(text, arguments):
    """No constant in a layer makes float64 of float32, there or in its gradients."""
    f = function_of(text, arguments)
    narrow = [np.float32(each) if isinstance(each, np.ndarray) and is_floating(each) else each for each in arguments]
    y, pullback = decorate()(f).vjp(*narrow)
    assert y.dtype == np.float32
    for argument, gradient in zip(filter(is_floating, narrow), pullback(np.ones_like(y)), strict=True):
        assert np.asarray(gradient).dtype == np.asarray(argument).dtype


# PyTorch


# the parameters behind the first of functions that have others between them
NAMED = {
    "layer_norm": ("weight", "bias"),
    "rms_norm": ("weight",),
    "batch_norm": ("weight", "bias"),
    "group_norm": ("weight", "bias"),
    "scaled_dot_product_attention": ("key", "value", "attn_mask"),
}


def in_torch(name, arguments, options):
    """Return what a function of torch.nn.functional gives for arrays, and its gradients for an upstream gradient."""
    torch = pytest.importorskip("torch")
    tensors = [torch.tensor(each, requires_grad=is_floating(each)) for each in arguments]
    by_name = dict(zip(NAMED.get(name, ()), tensors[1:], strict=False))
    by_place = tensors[1 + len(by_name) :]
    y = getattr(torch.nn.functional, name)(tensors[0], *by_place, **by_name, **options)
    y.backward(torch.tensor(positive(*y.shape), dtype=y.dtype))
    return y.detach().numpy(), [each.grad.numpy() for each in tensors if each.requires_grad]


CONVOLVED = [
    dict(),
    dict(stride=2, padding=1),
    dict(stride=(1, 2), padding=(2, 0), dilation=(2, 1), groups=2),
    dict(padding="same", dilation=2),
    dict(padding="valid"),
]
ABOUT_ONE = [real(4) + 1, real(4)]
BATCH = {"training": True, "running_mean": None, "running_var": None}
TWINS = [
    ("nn.gelu(x)", "gelu", [3 * real(4, 5)], {}),
    ("nn.gelu(x, approximate='tanh')", "gelu", [real(4, 5)], {"approximate": "tanh"}),
    ("nn.silu(x)", "silu", [3 * real(4, 5)], {}),
    ("nn.mish(x)", "mish", [3 * real(4, 5)], {}),
    ("nn.elu(x)", "elu", [real(4, 5)], {}),
    ("nn.selu(x)", "selu", [real(4, 5)], {}),
    ("nn.leaky_relu(x)", "leaky_relu", [real(4, 5)], {}),
    ("nn.hardtanh(x)", "hardtanh", [real(4, 5)], {}),
    ("nn.softsign(x)", "softsign", [real(4, 5)], {}),
    ("nn.log_sigmoid(x)", "logsigmoid", [20 * real(4, 5)], {}),
    ("nn.softplus(x)", "softplus", [20 * real(4, 5)], {"threshold": 1000}),
    ("nn.layer_norm(x, a, b)", "layer_norm", [real(3, 4), *ABOUT_ONE], {"normalized_shape": (4,)}),
    ("nn.rms_norm(x, a, eps=1e-3)", "rms_norm", [real(3, 4), ABOUT_ONE[0]], {"normalized_shape": (4,), "eps": 1e-3}),
    ("nn.batch_norm(x, a, b)", "batch_norm", [real(3, 4, 2, 2), *ABOUT_ONE], BATCH),
    ("nn.batch_norm(x, a, b)", "batch_norm", [real(3, 4), *ABOUT_ONE], BATCH),
    ("nn.group_norm(x, 2, a, b)", "group_norm", [real(3, 4, 5), *ABOUT_ONE], {"num_groups": 2}),
    ("nn.mse(x, a)", "mse_loss", [real(3, 4), real(3, 4) + 0.2], {}),
    ("nn.huber(x, a)", "huber_loss", [2 * real(3, 4), real(3, 4) + 0.2], {}),
    ("nn.cross_entropy(x, a)", "cross_entropy", [30 * real(4, 3), LABELS], {}),
    ("nn.cross_entropy(x, a, axis=1)", "cross_entropy", [real(2, 3, 2), LABELS.reshape(2, 2)], {}),
    (
        "nn.binary_cross_entropy_with_logits(x, a)",
        "binary_cross_entropy_with_logits",
        [30 * real(4), within_one(4) / 2 + 0.5],
        {},
    ),
    ("nn.attention(x, a, b)", "scaled_dot_product_attention", [real(1, 2, 4, 3), real(1, 2, 5, 3), real(1, 2, 5, 2)], {}),
    (
        "nn.attention(x, a, b, causal=True)",
        "scaled_dot_product_attention",
        [real(1, 2, 4, 3), real(1, 2, 4, 3) + 0.3, real(1, 2, 4, 2)],
        {"is_causal": True},
    ),
    (
        "nn.attention(x, a, b, mask=c)",
        "scaled_dot_product_attention",
        [real(1, 2, 4, 3), real(1, 2, 3, 3), real(1, 2, 3, 2), SEEN],
        {},
    ),
    ("nn.max_pool2d(x, 2)", "max_pool2d", [real(2, 3, 5, 6)], {"kernel_size": 2}),
    (
        "nn.max_pool2d(x, 3, stride=2, padding=1)",
        "max_pool2d",
        [real(2, 3, 5, 6)],
        {"kernel_size": 3, "stride": 2, "padding": 1},
    ),
    ("nn.avg_pool2d(x, (2, 3), padding=1)", "avg_pool2d", [real(2, 3, 5, 6)], {"kernel_size": (2, 3), "padding": 1}),
    *[
        (
            f"nn.conv2d(x, a, b{''.join(f', {name}={value!r}' for name, value in options.items())})",
            "conv2d",
            [real(2, 4, 7, 8), real(6, 4 // options.get("groups", 1), 3, 2), real(6)],
            options,
        )
        for options in CONVOLVED
    ],
    ("nn.conv1d(x, a, b, stride=2, padding=2)", "conv1d", [real(2, 3, 9), real(4, 3, 3), real(4)], {"stride": 2, "padding": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "arguments", "options"), TWINS, ids=[twin[0] for twin in TWINS])
def test_torch_computes_the_same(text, name, arguments, options):
    """Values and gradients are those of PyTorch."""
    expected, gradients = in_torch(name, arguments, options)
    y, pullback = decorate()(function_of(text, arguments)).vjp(*arguments)
    np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-12)
    for gradient, other in zip(pullback(positive(*np.shape(y))), gradients, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-9, atol=1e-12)


# Extremes


def test_normal_distribution_has_all_digits():
    """Against values of the error function to 17 digits, also far out."""
    x = np.array([-37.0, -20.0, -5.0, -1.0, -1e-300, 0.0, 1.0, 8.0])
    expected = [
        *[5.725571222524577e-300, 2.7536241186062337e-89, 2.866515718791939e-07, 0.15865525393145705],
        *[0.5, 0.5, 0.8413447460685429, 0.9999999999999994],
    ]
    np.testing.assert_allclose(nn.normal_cdf(x), expected, rtol=2e-15)
    np.testing.assert_array_equal(nn.normal_cdf(np.array([-np.inf, np.inf, np.nan])), [0, 1, np.nan])


def test_losses_are_safe_from_overflow():
    """Logits far from 0 give numbers, and gradients between -1 and 1."""
    logits, labels = np.array([[1e4, 0.0, -1e4], [-1e300, 0.0, 1e300]]), np.array([2, 2])
    value, (gradient, *_) = decorate(function_of("nn.cross_entropy(x, a)", "xa")).value_and_grad(logits, labels)
    assert value == 1e4
    np.testing.assert_array_equal(gradient, [[0.5, 0, -0.5], [0, 0, 0]])
    f = decorate(function_of("nn.binary_cross_entropy_with_logits(x, a, reduction='sum')", "xa"))
    value, (gradient, *_) = f.value_and_grad(np.array([-1e4, 1e4, 1e4]), np.array([0.0, 1.0, 0.0]))
    assert value == 1e4
    np.testing.assert_array_equal(gradient, [0, 0, 1])


@pytest.mark.parametrize("text", ["nn.layer_norm(x)", "nn.batch_norm(x)", "nn.rms_norm(x, eps=1e-5)"])
@pytest.mark.parametrize("x", [np.zeros((3, 4)), np.ones((1, 4)), np.full((3, 1), 2.0)], ids=str)
def test_norms_of_equal_numbers_have_finite_gradients(text, x):
    """No variance, a batch of one, one feature: what is divided by is the root of eps."""
    y, pullback = decorate()(function_of(text, "x")).vjp(x)
    (gradient,) = pullback(positive(*x.shape))
    assert np.all(np.isfinite(y)) and np.all(np.isfinite(gradient))


def test_windows_that_do_not_fit_are_refused():
    """The same words when it is called and when code is written for it."""
    image, kernel = real(1, 1, 2, 5), real(1, 1, 3, 3)
    f = function_of("nn.conv2d(x, a)", "xa")
    with pytest.raises(ValueError, match="windows that span"):
        f(image, kernel)
    with pytest.raises((FlatgradError, ValueError)):
        decorate()(f).vjp(image, kernel)


REFUSED = {
    "nn.conv2d(x, a, padding='full')": "padding='full'",
    "nn.conv2d(x, a, stride=2, padding='same')": "goes with a stride of 1",
    "nn.conv2d(x, a, stride=(1, 1, 1))": "for 2 axes",
    "nn.conv2d(x, a, stride=0)": "stride",
    "nn.conv1d(x, a)": "rank 4 and 4, not 3",
    "nn.max_pool2d(x, 2, ceil_mode=True)": "ceil_mode",
    "nn.binary_cross_entropy_with_logits(x, x, reduction='average')": "reduction='average'",
}


@pytest.mark.parametrize(("text", "words"), REFUSED.items(), ids=REFUSED)
def test_options_that_mean_nothing_are_refused(text, words):
    """By name, when the code is written."""
    with pytest.raises((FlatgradError, ValueError, TypeError), match=words):
        decorate()(function_of(text, "xa")).vjp(real(1, 1, 5, 5), real(1, 1, 3, 3))


def test_tied_elements_of_a_window_share_its_gradient():
    """In the gradient of the gradient as well."""
    x = np.array([[[[1.0, 1.0, 3.0], [0.0, 1.0, 2.0]]]])
    _, pullback = decorate()(function_of("nn.max_pool2d(x, 2, stride=1)", "x")).vjp(x)
    np.testing.assert_allclose(pullback(np.full((1, 1, 1, 2), 3.0))[0], [[[[1, 1, 3], [0, 1, 0]]]])


NAMES = """
def windows(x):
    return np.sum(x**2)


def f(padded, inner, x):
    return windows(nn.conv2d(padded, inner, padding=1)) + np.sum(nn.max_pool2d(x, 2))
"""


def test_names_of_the_user_stay_where_functions_are_copied():
    """What is copied gives way to the user's parameters and functions of the same names."""
    file = "<names>"
    text = f"import numpy as np\nfrom flatgrad import nn\n\n{NAMES}"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace = {"__name__": "layer"}
    exec(compile(text, file, "exec"), namespace)
    f, arguments = namespace["f"], (real(1, 1, 4, 4), real(1, 1, 3, 3), real(4, 4))
    for style in ("flat", "compact"):
        _, gradients = decorate(style=style)(f).value_and_grad(*arguments)
        for place, gradient in enumerate(gradients):
            np.testing.assert_allclose(gradient, slopes(f, arguments, place, 1.0), rtol=1e-6, atol=1e-7)


def test_layer_norm_of_a_batch_of_images_reads_as_by_hand():
    """The three terms, and sums over all axes but the channels'."""
    f = decorate(style="compact")(function_of("nn.batch_norm(x, a, b)", "xab"))
    text = str(f.emit(real(2, 3, 2, 2), real(3), real(3)))
    assert "grad_bias = np.sum(grad_y_3, axis=(0, 2, 3))" in text
    assert "y * np.mean(grad_y * y, axis=(0, 2, 3), keepdims=True)" in text


def test_sizes_that_windows_leave_are_told():
    """The docstring tells how large the weights behind a convolution are."""
    text = "(nn.conv2d(x, a).reshape(len(x), -1) @ b).sum()"
    source = str(decorate()(function_of(text, "xab")).emit(real(2, 1, 3, 3), real(4, 1, 3, 3), real(4, 5)))
    assert "x: (n, 1, m, k), " in source and "?" not in source.split('"""')[-2]
