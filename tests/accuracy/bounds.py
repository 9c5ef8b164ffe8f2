"""Upper bounds of the errors in ulp, slightly above the measured ones, and the reason for each bound over 4.

Columns are those of `running.CELLS`: scalar; NumPy, Numba and CuPy's kernels in float32 and float64.
"""

BOUNDS: dict[str, tuple[float, float, float, float, float, float, float]] = {
    "relu": (0, 0, 0, 0, 0, 0, 0),
    "leaky_relu": (0.8, 1, 0.8, 1, 0.8, 1, 0.8),
    "sigmoid": (2, 2.5, 2, 0.51, 2, 3, 2.5),
    "tanh": (1.5, 1.5, 1.5, 0.51, 2.5, 1.5, 1.5),
    "gelu": (900, 100, 900, 0.51, 900, 100, 900),
    "gelu, |z| ≤ 4": (14, 14, 14, 0.51, 14, 14, 14),
    "silu": (2.5, 2.5, 2.5, 0.51, 2.5, 3.5, 3),
    "softplus": (1.2, 2.5, 1.2, 0.51, 2.5, 2.5, 1.5),
    "elu": (1, 1.5, 1, 0.51, 1.2, 1.5, 1),
    "relu′": (0, 0, 0, 0, 0, 0, 0),
    "leaky_relu′": (0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5),
    "sigmoid′": (3, 3, 3, 2, 3, 3.5, 3),
    "tanh′": (1.2, 1.5, 1.5, 0.51, 2.5, 1.5, 1.5),
    "gelu′": (1200, 100, 900, 0.51, 1200, 100, 1200),
    "gelu′, |z| ≤ 4": (16, 16, 16, 0.51, 16, 16, 16),
    "silu′": (4, 10, 18, 0.51, 4, 7, 4),
    "softplus′": (2, 2.5, 2, 0.51, 2, 3, 2.5),
    "elu′": (0.6, 2.5, 1, 0.51, 1, 2.5, 1),
    "mse": (2, 2, 2, 2, 2, 2, 2),
    "mse gradient": (1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5),
    "cross_entropy": (1.2, 1.8, 1.2, 1.2, 2, 1.8, 1.2),
    "cross_entropy gradient": (3, 3, 3, 2.5, 3, 4, 3.5),
    "binary_cross_entropy": (1.2, 2, 1.2, 0.51, 2, 2, 1.2),
    "binary_cross_entropy gradient": (2, 2.5, 2, 0.51, 2, 2.5, 2),
    "sgd": (1.2, 1.2, 1.2, 1.2, 0.6, 1.2, 1.2),
    "momentum": (1.5, 1.5, 1.5, 1.5, 1, 1.5, 1.5),
    "nesterov": (3, 3, 3, 3, 3, 3, 3),
    "rmsprop": (3, 3, 3, 3, 3, 3, 3),
    "adam": (3.5, 3.5, 3.5, 3.5, 3.5, 3.5, 3.5),
    "adamw": (3.5, 3.5, 3.5, 3.5, 3.5, 3.5, 3.5),
}

_EXPONENT = (
    "gelu is computed as z·σ(2u). The relative error of exp is the rounding error of 2u multiplied by 2u, so it grows "
    "as the value approaches 0, up to these figures at 1e-37 and 1e-305. The form ½z(1 + tanh u) has no correct digit "
    "below z = −5.5 in float32 and −7.2 in float64"
)
REASONS = {
    "gelu": _EXPONENT,
    "gelu, |z| ≤ 4": _EXPONENT,
    "gelu′": _EXPONENT,
    "gelu′, |z| ≤ 4": _EXPONENT,
    "silu′": (
        "NumPy rounds 1 − σ(z) to a multiple of the ulp of 1 and multiplies it by z, until σ(z) rounds to 1, at 17 in "
        "float32 and 37 in float64; CuPy's kernel rounds eight times"
    ),
}
NOTES = (
    "Errors are in units in the last place (ulp) of the exact result, with two exceptions. Where a sum can cancel "
    "(derivatives of gelu and silu, updates, gradients σ − t, and z·t with targets between 0 and 1) they are in ulp "
    "of its largest term. The derivatives a(1 − a) of sigmoid and 1 − a² of tanh are computed from the activation a, "
    "as in PyTorch; their errors are in ulp of a and of 1.",
    "A result below the smallest normal number (gelu and silu: below 4,096 times that; a step of rmsprop, adam and "
    "adamw: below 2²⁷ times that) can lose all its digits. With `--subnormals flush`, the default, subnormal numbers "
    "become 0 wherever they are read or written; the table was measured with `--subnormals keep`.",
    "The scalar backend computes in float64. CuPy's kernels were run on the CPU with NumPy's elementary functions; a "
    "GPU uses those of CUDA, and its float32 kernels flush subnormal numbers to 0.",
)
