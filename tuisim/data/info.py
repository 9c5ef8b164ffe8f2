"""Row counts and sizes of datasets by name, known without reading or generating any row and without NumPy's arrays."""

from __future__ import annotations

from dataclasses import dataclass

from tuisim.config import RunConfig
from tuisim.config.known_data import DEFAULT_EXAMPLES, FINITE, SHAPES, SYNTHETIC, validation_rows

__all__ = ["DEFAULT_EXAMPLES", "FINITE", "SHAPES", "SYNTHETIC", "validation_rows"]

MAX_SYNTHETIC_VALIDATION = 10_000
CHUNK = 16_384
"""Rows of a synthetic dataset that one random stream generates; fewer if rows are wide."""
MAX_CHUNK_VALUES = 2**21
"""Maximum inputs and targets in a chunk (16 MiB in float64), so that generating one takes milliseconds."""
MAX_RESIDENT = 100_000
"""Maximum rows of a synthetic dataset that are kept in memory; more are generated again each epoch, chunk by chunk."""
MAX_RESIDENT_VALUES = 2**28
"""Maximum inputs and targets that are kept in memory (1 GiB in float32)."""
TEACHER_HIDDEN = 32


@dataclass(frozen=True, slots=True)
class KeptRows:
    """Rows of a finite dataset that a run keeps in memory."""

    training: int
    """Distinct rows: a larger volume repeats them."""
    validation: int


def _split_off(config: RunConfig, rows: int) -> int:
    """Return the validation rows taken from `rows` rows of a dataset; 0 if they are in a file of their own."""
    return 0 if config.validation_data is not None else validation_rows(rows, config.validation)


def synthetic_validation_rows(examples: int, fraction: float) -> int:
    """Return the number of validation rows of a synthetic dataset with `examples` training rows."""
    return min(MAX_SYNTHETIC_VALIDATION, validation_rows(examples, fraction))


def rows(config: RunConfig) -> int | None:
    """Return the training rows per epoch; None if only reading the file can tell."""
    if config.examples is not None:
        return config.examples
    name = config.resolved_dataset
    if name in SYNTHETIC:
        return DEFAULT_EXAMPLES
    return FINITE[name] - _split_off(config, FINITE[name]) if name in FINITE else None


def kept_rows(config: RunConfig, examples: int) -> KeptRows | None:
    """Return the rows that a run of `examples` per epoch keeps of a named finite dataset; None for any other."""
    size = FINITE.get(config.resolved_dataset)
    if size is None or config.validation_data is not None:
        return None
    validation = _split_off(config, size)
    return KeptRows(min(examples, size - validation), validation)


def is_file(config: RunConfig) -> bool:
    """Return True if the dataset is a path, so that only reading it tells how many rows it has."""
    return config.resolved_dataset not in SYNTHETIC and config.resolved_dataset not in FINITE


def is_resident(config: RunConfig, examples: int) -> bool:
    """Return True if `examples` rows of a synthetic dataset are kept in memory; the same on every machine."""
    return examples <= MAX_RESIDENT and examples * (config.layers[0] + config.layers[-1]) <= MAX_RESIDENT_VALUES


def is_regenerated(config: RunConfig, examples: int) -> bool:
    """Return True if the rows are generated again each epoch: those of a synthetic dataset that are too many to keep."""
    return config.resolved_dataset in SYNTHETIC and not is_resident(config, examples)


def row_bytes(config: RunConfig) -> int:
    """Return the bytes of one row, inputs and target, as the step reads it."""
    size = 8 if config.dtype == "float64" else 4
    return config.layers[0] * size + (8 if config.fitted().loss == "cross_entropy" else config.layers[-1] * size)


def chunk_rows(config: RunConfig) -> int:
    """Return the number of rows of a synthetic dataset that are generated together."""
    width, chunk = config.layers[0] + config.layers[-1], CHUNK
    while chunk > 1 and chunk * width > MAX_CHUNK_VALUES:
        chunk //= 2
    return chunk


def task_bytes(config: RunConfig, name: str) -> int:
    """Return the bytes of what a synthetic task keeps, its centres or weights in float64."""
    inputs, outputs = config.layers[0], config.layers[-1]
    return 8 * {"teacher": (inputs + outputs) * TEACHER_HIDDEN, "blobs": inputs * outputs}.get(name, 0)


def row_workspace(config: RunConfig, name: str) -> int:
    """Return the bytes of workspace per row while rows are generated: the random numbers and what is computed from them."""
    inputs, outputs = config.layers[0], config.layers[-1]
    if name == "teacher":
        return 8 * (inputs + outputs + 2 * TEACHER_HIDDEN + 2 * outputs)
    return 8 * 2 * inputs if name == "blobs" else 8 * 12


def generation_bytes(config: RunConfig, examples: int) -> int:
    """Return the workspace for generating rows: the task and one chunk; 0 if none are generated."""
    name = config.resolved_dataset
    if name not in SYNTHETIC:
        return 0
    return task_bytes(config, name) + min(examples, chunk_rows(config)) * row_workspace(config, name)


def resident_bytes(config: RunConfig, examples: int, rows: KeptRows | None = None) -> tuple[int, int] | None:
    """Return the bytes of training and validation rows while a run of `examples` per epoch trains.

    None if only reading the file can tell and `rows` is None. A synthetic dataset that is not kept takes one block of chunks
    and the next, which is generated while the first is still there.
    """
    name, row = config.resolved_dataset, row_bytes(config)
    if name in SYNTHETIC:
        chunk = chunk_rows(config)
        block = examples if is_resident(config, examples) else 2 * min(examples, -(-config.batch_size // chunk) * chunk)
        return block * row, synthetic_validation_rows(examples, config.validation) * row
    rows = rows or kept_rows(config, examples)
    return None if rows is None else (rows.training * row, rows.validation * row)
