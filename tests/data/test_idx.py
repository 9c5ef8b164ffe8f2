"""IDX files with their labels beside them, plain and packed, and broken ones refused in one line."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.support.table_files import PICTURES, Y, idx_bytes, load, refused, standardized, write


@pytest.mark.parametrize(
    "names", [("t-images-idx3-ubyte", "t-labels-idx1-ubyte"), ("t-images.idx3-ubyte", "t-labels.idx1-ubyte")]
)
@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize(("code", "dtype"), [(8, ">u1"), (0x0B, ">i2"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_idx_with_labels_beside_it(tmp_path: Path, names: tuple[str, str], packed: str, code: int, dtype: str) -> None:
    pack = gzip.compress if packed else bytes
    images = write(tmp_path / (names[0] + packed), pack(idx_bytes(PICTURES, code, dtype)))
    write(tmp_path / (names[1] + packed), pack(idx_bytes(Y)))
    dataset = load(images, (4, 3), validation=0, shuffle=False)
    rows = PICTURES.reshape(60, 4)
    assert np.allclose(dataset.batch_sampler(60).next_block().X, rows / 255 if code == 8 else standardized(rows))
    assert dataset.batch_sampler(60).next_block().Y.tolist() == Y.tolist()


def test_broken_idx_is_refused(tmp_path: Path) -> None:
    images, labels = tmp_path / "t-images-idx3-ubyte", tmp_path / "t-labels-idx1-ubyte"
    good = idx_bytes(PICTURES)
    write(images, good)
    assert "no labels beside it" in refused(images, (4, 3))
    write(labels, idx_bytes(Y))
    assert "no labels beside it" in refused(labels, (4, 3))
    assert "leave it out" in refused(images, (4, 3), target="y")
    lying = bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1) + good[16:]
    bomb = gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", 400_000, 20, 20) + b"\0" * 1_000_000)
    cases = {
        good[:-1]: "ends too early",
        good + b"\0": "continues after its end",
        good[:10]: "ends too early",
        lying: "claims",
        gzip.compress(lying): "claims",
        bomb: "claims 153 MiB",
        gzip.compress(good)[:-20]: "is broken or incomplete",
        gzip.compress(b"\0\0\7\3" + good[4:]): "zero byte and is not text",
        bytes([0, 0, 8, 3]) + struct.pack(">3I", 0, 2, 2): "has no values",
    }
    tracemalloc.start()
    for content, says in cases.items():
        assert says in refused(write(images, content), (4, 3))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23
    write(images, good)
    for content, reason in {
        idx_bytes(Y[:-1]): "give one target per row",
        idx_bytes(PICTURES): "has no list of class numbers",
        good[:7]: "ends too early",
    }.items():
        write(labels, content)
        assert reason in refused(images, (4, 3))
