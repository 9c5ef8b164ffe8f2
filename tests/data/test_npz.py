"""NPY and NPZ files: read as saved, and whatever lies or breaks refused in one line and little memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.table_files import RANDOM, X, Y, load, refused, standardized, write


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2", "<i4", ">i2", "|i1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_takes_the_last_column(tmp_path: Path, dtype: str, order: str) -> None:
    table = np.column_stack([X, Y]).astype(dtype)
    np.save(tmp_path / "a.npy", np.asfortranarray(table) if order == "F" else table)
    dataset = load(tmp_path / "a.npy", validation=0, shuffle=False)
    assert np.allclose(dataset.batch_sampler(60).next_block().X, standardized(table[:, :3].astype(float)))
    assert dataset.batch_sampler(60).next_block().Y.tolist() == Y.tolist()
    np.save(tmp_path / "b.npy", np.roll(table, 1, axis=1))
    assert (
        load(tmp_path / "b.npy", target="1", validation=0, shuffle=False).batch_sampler(60).next_block().Y.tolist() == Y.tolist()
    )
    assert "1 to 4" in refused(tmp_path / "b.npy", target="kind")


def test_a_column_whose_squares_underflow_is_standardized_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=X * 1e-200, y=Y)
    dataset = load(tmp_path / "a.npz", validation=0, shuffle=False)
    assert np.allclose(dataset.batch_sampler(60).next_block().X, standardized(X))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    ("inputs", "targets"),
    [
        ("X", "y"),
        ("x", "y"),
        ("data", "target"),
        ("data", "labels"),
        ("Data", "Labels"),
        ("images", "labels"),
        ("features", "label"),
        ("train_images", "train_labels"),
        ("X_train", "y_train"),
        ("arr_0", "arr_1"),
    ],
)
def test_npz_by_the_usual_names(tmp_path: Path, save: Callable[..., None], inputs: str, targets: str) -> None:
    save(tmp_path / "a.npz", **{inputs: X, targets: Y, "other": np.array([{}], dtype=object)})
    dataset = load(tmp_path / "a.npz", validation=0, shuffle=False)
    assert np.allclose(dataset.batch_sampler(60).next_block().X, standardized(X))
    assert dataset.batch_sampler(60).next_block().Y.tolist() == Y.tolist()


def test_npz_target_words_bytes_and_pictures(tmp_path: Path) -> None:
    words = np.array(["a", "b", "c"])[Y]
    pictures = RANDOM.integers(0, 256, (60, 2, 2)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", X=pictures, words=words, raw=words.astype("S"), columns=np.eye(3)[Y])
    for target in ("words", "raw"):
        dataset = load(tmp_path / "a.npz", (4, 3), target=target, validation=0, shuffle=False)
        assert dataset.batch_sampler(60).next_block().Y.tolist() == Y.tolist()
        assert (pictures.reshape(60, 4) / 255 == dataset.batch_sampler(60).next_block().X).all()
        assert dataset.notes == (
            "images of 2 × 2 flattened to 4 inputs", f"arrays not used: {'raw' if target == 'words' else 'words'}, columns",
            "bytes divided by 255", "classes: a = 0, b = 1, c = 2",
        )  # fmt: skip
        assert dataset.names == ("a", "b", "c")
    assert "it has X, words, raw, columns" in refused(tmp_path / "a.npz", (4, 3))
    one_hot = load(tmp_path / "a.npz", (4, 3), target="columns", validation=0, shuffle=False)
    assert one_hot.batch_sampler(60).next_block().Y.tolist() == Y.tolist()
    assert "has 3 classes, the output layer has 4" in refused(tmp_path / "a.npz", (4, 4), target="columns")
    for loss in ("mse", "binary_cross_entropy"):
        dataset = load(tmp_path / "a.npz", (4, 3), target="columns", loss=loss, validation=0, shuffle=False)
        assert (np.eye(3)[Y] == dataset.batch_sampler(60).next_block().Y).all()
        assert dataset.kind == "classes"


def test_npz_targets_of_several_columns(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=X, y=X[:, :2] * 3)
    dataset = load(tmp_path / "a.npz", (3, 2), loss="mse", validation=0, shuffle=False)
    assert np.allclose(dataset.batch_sampler(60).next_block().Y, standardized(X[:, :2]))
    assert "end the layers with 2" in refused(tmp_path / "a.npz", (3, 3), loss="mse")
    assert "0 or 1" in refused(tmp_path / "a.npz", (3, 2), loss="binary_cross_entropy")


def npy_bytes(header: str, body: bytes = b"", version: tuple[int, int] = (1, 0), length: int | None = None) -> bytes:
    form = "<H" if version[0] == 1 else "<I"
    return b"\x93NUMPY" + bytes(version) + struct.pack(form, len(header) if length is None else length) + header.encode() + body


def header(shape: str, descr: str = "'<f8'", fortran: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


BAD_NPY = {
    "more rows than bytes": (npy_bytes(header("(9, 4)"), b"\0" * 80), "says shape 9 × 4, 288 bytes, and holds 80"),
    "more bytes than rows": (npy_bytes(header("(2, 4)"), b"\0" * 80), "and holds 80"),
    "1e11 rows": (npy_bytes(header("(100000000000, 4)"), b"\0" * 80), "and holds 80"),
    "1e22 rows": (npy_bytes(header("(10000000000000000000000, 4)"), b"\0" * 80), "and holds 80"),
    "no rows": (npy_bytes(header("(0, 4)")), "has no values"),
    "many rows of nothing": (npy_bytes(header("(10000000000000000000000, 0)")), "has no values"),
    "a header of 300 MB": (npy_bytes("{", version=(2, 0), length=300_000_000), "claims a header of 300,000,000 bytes"),
    "a header cut short": (npy_bytes("{'descr':", length=100), "ends too early"),
    "version 9": (npy_bytes(header("(1, 4)"), version=(9, 0)), "version 9.0"),
    "objects": (npy_bytes(header("(2, 4)", "'|O'"), b"\0" * 64), "Python objects, which are never read"),
    "records": (npy_bytes(header("(2,)", "[('a', '<f8')]"), b"\0" * 16), "holds records"),
    "complex": (npy_bytes(header("(2, 4)", "'<c16'"), b"\0" * 128), "values of type <c16"),
    "truth as a size": (npy_bytes(header("(True, 4)"), b"\0" * 32), "its header is broken"),
    "five dimensions": (npy_bytes(header("(1, 1, 1, 1, 4)"), b"\0" * 32), "5 dimensions"),
    "one dimension": (npy_bytes(header("(4,)"), b"\0" * 32), "give inputs and a target per row"),
    "text": (npy_bytes(header("(1, 4)", "'<U1'"), b"\0" * 16), "holds text"),
    "deep nesting": (npy_bytes("{'shape': " + "(" * 4000), "its header is broken"),
    "not a number": (npy_bytes(header("(2, 2)"), np.array([[1, 2], [np.nan, 0]]).tobytes()), "row 2, column 1 is nan"),
}


@pytest.mark.parametrize("case", BAD_NPY)
@pytest.mark.parametrize("packed", [None, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_lying_arrays_are_refused_in_little_memory(tmp_path: Path, case: str, packed: int | None) -> None:
    content, says = BAD_NPY[case]
    path = tmp_path / ("a.npy" if packed is None else "a.npz")
    if packed is None:
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w", packed) as file:
            file.writestr("X.npy", content)
            file.writestr("y.npy", npy_bytes(header("(1,)"), b"\0" * 8))
    tracemalloc.start()
    message = refused(path, validation=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22
    if packed is None or case not in ("one dimension", "text", "not a number"):
        assert says in message


def zipped(path: Path, members: dict[str, bytes], packed: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packed) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def array_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def test_hostile_archives_are_refused_in_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuisim.data.reading.PACKED_LIMIT", 2**20)
    good = {"X.npy": array_bytes(X), "y.npy": array_bytes(Y)}
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("y.npy", good["y.npy"])
        with file.open("X.npy", "w") as member:
            member.write(npy_bytes(header("(1000000, 3)", "'<f4'")))
            member.write(b"\0" * 12_000_000)
    many = zipped(tmp_path / "many.npz", {**good, **{f"a{number}.npy": b"" for number in range(1_025)}})
    listed = zipped(tmp_path / "listed.npz", {**good, **{f"{number:05}{'n' * 200}": b"" for number in range(6_000)}})
    double = tmp_path / "double.npz"
    with zipfile.ZipFile(double, "w") as file:
        file.writestr("X.npy", good["X.npy"])
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("X.npy", good["X.npy"])
    cases = {
        write(tmp_path / "bomb.npz", bomb.getvalue()): "claims 11.4 MiB in",
        many: "more than 1,024 members",
        listed: "claims a list of members",
        double: "two members named X",
        zipped(tmp_path / "lzma.npz", good, zipfile.ZIP_LZMA): "unsupported compression",
        zipped(tmp_path / "empty.npz", {}): "it has no arrays",
        zipped(tmp_path / "other.npz", {"a.npy": good["X.npy"]}): "it has a; save them as X and y",
        zipped(tmp_path / "objects.npz", {**good, "y.npy": array_bytes(np.array([{}] * 60))}): "Python objects",
        zipped(tmp_path / "short.npz", {**good, "y.npy": array_bytes(Y[:-1])}): "give one target per row",
        zipped(tmp_path / "inputs.npz", {**good, "X.npy": array_bytes(np.array([["a"] * 3] * 60))}): "has text as inputs",
    }
    whole = zipped(tmp_path / "whole.npz", good).read_bytes()
    cases[write(tmp_path / "cut.npz", whole[:-30])] = "ends too early"
    cases[write(tmp_path / "flipped.npz", whole.replace(good["X.npy"][200:208], b"\1" * 8))] = "is broken or incomplete"
    cases[write(tmp_path / "text.npz", "1,2,3,0\n")] = "does not begin as an NPZ file"
    tracemalloc.start()
    for path, says in cases.items():
        assert says in refused(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**24


def test_encrypted_member_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped(tmp_path / "a.npz", {"X.npy": array_bytes(X), "y.npy": array_bytes(Y)}).read_bytes())
    for place in (content.find(b"PK\1\2") + 8, content.find(b"PK\3\4") + 6):
        content[place] |= 1
    assert "encrypted" in refused(write(tmp_path / "a.npz", bytes(content)))


@pytest.mark.parametrize(
    ("inputs", "targets"),
    [
        ("X_train.npy", "y_train.npy"),
        ("X.npy", "y.npy"),
        ("x.npy", "y.npy"),
        ("train-images.npy", "train-labels.npy"),
        ("images.npy", "labels.npy"),
        ("TRAIN_IMAGES.npy", "TRAIN_LABELS.npy"),
        ("iris_data.npy", "iris_target.npy"),
    ],
)
def test_npy_inputs_find_the_targets_beside_them(tmp_path: Path, inputs: str, targets: str) -> None:
    np.save(tmp_path / inputs, X)
    np.save(tmp_path / targets, np.eye(3, dtype=int)[Y])
    dataset = load(tmp_path / inputs, validation=0, shuffle=False)
    block = dataset.batch_sampler(60).next_block()
    assert np.allclose(block.X, standardized(X))
    assert block.Y.tolist() == Y.tolist()
    assert dataset.notes == (f"targets from {targets}", "inputs standardized with training statistics")
    # A column that is asked for is one of this array.
    np.save(tmp_path / inputs, np.column_stack([X, Y]))
    assert (
        load(tmp_path / inputs, target="4", validation=0, shuffle=False).batch_sampler(60).next_block().Y.tolist() == Y.tolist()
    )


@pytest.mark.parametrize("shape", [(60, 2, 2), (60, 2, 2, 1), (60, 1, 2, 2)])
def test_images_are_flattened_and_it_is_said(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = RANDOM.normal(size=shape)
    np.save(tmp_path / "images.npy", images)
    assert "targets in a second file" in refused(tmp_path / "images.npy", (4, 3))
    np.save(tmp_path / "labels.npy", Y)
    dataset = load(tmp_path / "images.npy", (4, 3), validation=0, shuffle=False)
    assert np.allclose(dataset.batch_sampler(60).next_block().X, standardized(images.reshape(60, 4)))
    assert f"images of {' × '.join(map(str, shape[1:]))} flattened to 4 inputs" in dataset.notes


def test_targets_beside_inputs_are_checked(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", Y[:-1])
    assert "give one target per row" in refused(tmp_path / "X.npy")
    assert "X.npy with y.npy beside it" in refused(tmp_path / "y.npy")
