"""The functions of neural networks as plain NumPy functions.

In: numbers or arrays. Out: arrays of the same dtype. They use nothing but NumPy and one another: the source of those that
have a rule is copied into the modules that need it, the others are read where they are called. Layer: imports nothing of
flatgrad outside of this folder.
"""

from flatgrad.nn.activations import elu, gelu, hardtanh, leaky_relu, log_sigmoid, mish, normal_cdf, selu, silu, softsign
from flatgrad.nn.convolutions import conv1d, conv2d
from flatgrad.nn.gates import log_softmax, logsumexp, relu, sigmoid, softmax, softmax_cross_entropy, softplus
from flatgrad.nn.layers import (
    attention,
    batch_norm,
    dropout,
    embedding,
    group_norm,
    layer_norm,
    linear,
    rms_norm,
)
from flatgrad.nn.losses import binary_cross_entropy_with_logits, cross_entropy, huber, mse
from flatgrad.nn.pooling import avg_pool2d, max_pool2d

__all__ = [
    "attention",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "group_norm",
    "hardtanh",
    "huber",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "max_pool2d",
    "mish",
    "mse",
    "normal_cdf",
    "relu",
    "rms_norm",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "softsign",
]
