"""Files that are missing, no files, too large or damaged: always one line that names the file, never another exception."""

from __future__ import annotations

import gzip
import io
import os
import random
from pathlib import Path

import numpy as np
import pytest

from tests.support.table_files import PICTURES, X, Y, csv_text, idx_bytes, load, refused, write
from tuisim import data
from tuisim.config import RunConfig
from tuisim.errors import ConfigError, DataError, MemoryNeeded


def array_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_missing_files_and_directories_are_refused(tmp_path: Path) -> None:
    assert "absent.csv: no such file" in refused(tmp_path / "absent.csv")
    assert "is a directory" in refused(tmp_path)
    assert "no such file" in refused(tmp_path / "\x1b[31mred\n.csv")
    assert refused(tmp_path / ("long" * 30 + ".csv")).startswith("…")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert "is a device or a pipe" in refused(tmp_path / "pipe.csv")
    assert "is a device or a pipe" in refused(Path("/dev/zero"))


def test_a_file_larger_than_memory_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", np.column_stack([X, Y]))
    monkeypatch.setattr("tuisim.data.memory.available", lambda: 1_000)
    with pytest.raises(MemoryNeeded, match=r"1.9 KiB of memory, 1000 B are free"):
        load(tmp_path / "a.npy")
    with pytest.raises(MemoryNeeded, match="of memory"):
        load(write(tmp_path / "a.csv", csv_text()))


@pytest.mark.parametrize("name", ["iris", "train-images-idx3-ubyte", "my data"])
def test_a_name_that_exists_is_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="unknown; "):
        RunConfig(layers=(3, 3), dataset=name)
    write(tmp_path / name, csv_text())
    assert load(Path(name), validation=0).examples == 60
    config = RunConfig(layers=(3, 3), dataset=name).resolved()
    assert config.dataset == os.path.join(".", name)
    assert data.available(name) is None
    (tmp_path / name).unlink()
    assert config.resolved() == config  # a run that is kept can be read without its file
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match="unknown; "):
        RunConfig(layers=(3, 3), dataset=name)


def test_a_datasets_name_comes_before_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "digits", csv_text())
    assert load(Path("digits"), (64, 10), validation=0).examples == 1_797
    config = RunConfig(layers=(3, 3), dataset="./digits", validation=0)
    assert data.load(config).examples == 60


def test_a_table_with_its_classes_first_and_a_constant_last_column(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 4))
    pixels[:, -1] = 0
    lines = [",".join(map(str, (label, *row))) for label, row in zip(Y.tolist(), pixels.tolist(), strict=True)]
    path = write(tmp_path / "mnist.csv", "\n".join(lines))
    message = refused(path, (4, 3))
    assert "the last column, taken for the targets, is always 0; the first has 3 whole numbers" in message
    assert "use target 1" in message
    assert load(path, (4, 3), target="1", validation=0, shuffle=False).batch_sampler(60).next_block().Y.tolist() == Y.tolist()


@pytest.mark.parametrize("name", ["a.csv", "a.npy", "stored.npz", "packed.npz", "a-images-idx3", "a-images-idx3.gz"])
def test_a_damaged_file_is_read_or_refused_and_nothing_else(tmp_path: Path, name: str) -> None:
    good = {
        "a.csv": csv_text().encode(),
        "a.npy": array_bytes(np.column_stack([X, Y])),
        "a-images-idx3": idx_bytes(PICTURES),
        "a-images-idx3.gz": gzip.compress(idx_bytes(PICTURES)),
    }
    np.savez(tmp_path / "stored.npz", X=X, y=Y)
    np.savez_compressed(tmp_path / "packed.npz", X=X, y=Y)
    write(tmp_path / "a-labels-idx1", idx_bytes(Y))
    content = good.get(name) or (tmp_path / name).read_bytes()
    rng = random.Random(3)
    for _ in range(80):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 1, 4))):
            place = rng.randrange(min(len(damaged), rng.choice((200, 10**6))))
            match rng.randrange(4):
                case 0:
                    damaged[place] ^= 1 << rng.randrange(8)
                case 1:
                    del damaged[place:]
                    damaged += b"\0"
                case 2:
                    damaged[place:place] = rng.randbytes(rng.choice((1, 8)))
                case _:
                    damaged[place : place + 4] = b"\xff" * 4
        try:
            load(write(tmp_path / name, bytes(damaged)), (4, 3) if "idx" in name else (3, 3))
        except (DataError, MemoryNeeded) as error:
            assert str(error).isprintable()  # noqa: PT017
