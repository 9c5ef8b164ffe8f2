"""The names and limits that a configuration may have, and the learning rate and the fields of each optimizer."""

ACTIVATIONS = ("identity", "relu", "leaky_relu", "sigmoid", "tanh", "gelu", "silu", "softplus", "elu")
LOSSES = ("cross_entropy", "mse", "binary_cross_entropy")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")
INITIALIZERS = (
    "he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal", "lecun_uniform", "normal", "zeros",
)  # fmt: skip
EARLY_STOPPING = ("auto", "yes", "no")
SCHEDULES = ("constant", "step", "cosine")
DATASETS = ("auto", "digits", "fashion_mnist", "moons", "spirals", "xor", "blobs", "sine", "teacher")
MISSING = ("drop", "mean", "error")
SCALINGS = ("auto", "standard", "minmax", "none")
TASKS = ("auto", "classes", "regression")
DTYPES = ("float32", "float64")
SUBNORMALS = ("flush", "keep")

LEARNING_RATES = {"sgd": 0.1, "momentum": 0.01, "nesterov": 0.01, "rmsprop": 0.01, "adam": 0.001, "adamw": 0.001}

HYPERPARAMETERS: dict[str, tuple[str, ...]] = {
    "sgd": (),
    "momentum": ("momentum",),
    "nesterov": ("momentum",),
    "rmsprop": ("rmsprop_decay", "epsilon"),
    "adam": ("beta1", "beta2", "epsilon"),
    "adamw": ("beta1", "beta2", "epsilon"),
}
"""The fields of a run that each optimizer reads besides the learning rate and the weight decay."""

SMALLEST_NORMAL = {"float32": 2.0**-126, "float64": 2.0**-1022}
"""Smaller nonzero numbers are subnormal: they have fewer digits, and many processors compute with them many times slower."""

MAX_WEIGHT_LAYERS = 64
MAX_THREADS = 1_024
FLOAT32_MAX = 3.4028234663852886e38
