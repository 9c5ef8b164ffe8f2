"""The emulator of CUDA C: what it refuses, since a GPU would leave it undefined, and what it does not refuse."""

import numpy as np
import pytest

from tests.standin.faults import CompileError
from tests.standin.simt import Module
from tests.standin.test_emulator import HERE, f32, fails, i32, run


def test_an_error_names_kernel_line_thread_block_array_and_index():
    match = r"^kernel k, line 5, thread \(1, 0, 0\) of block \(2, 0, 0\): write of a\[11\] outside its 11 elements$"
    error = fails(match, f"{HERE}\n\na[i] = 1;", i32(*[0] * 11), grid=3, block=5)
    assert (error.kernel, error.line, error.thread, error.block) == ("k", 5, (1, 0, 0), (2, 0, 0))
    assert (error.array, error.index) == ("a", 11)


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("b[0] = a[t + 1];", r"read of a\[4\] outside"),
        ("b[0] = a[t - 1];", r"read of a\[-1\] outside"),
        ("b[0] = a[threadIdx.x - 1];", r"read of a\[4294967295\] outside"),
        ("__shared__ int s[3]; s[t] = 1;", r"write of s\[3\] outside"),
        ("b[4] = 1;", r"write of b\[4\] outside"),
        ("b[t] = p[t];", "p is null"),
        ("p[t] = 0;", "p is null"),
    ],
)
def test_nothing_is_read_or_written_outside(body, match):
    fails(match, f"int t = threadIdx.x; {body}", i32(*[0] * 4), i32(*[0] * 4), block=4, parameters="int* p", scalars=(0,))


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("int x; if (t < 3) x = 1; a[t] = x;", "reads x, a variable that has no value yet"),
        ("int x; x++;", "reads x"),
        ("__shared__ int s[4]; if (t) s[t] = 1; __syncthreads(); a[t] = s[t];", r"reads s\[0\], shared memory that nobody wrote"),
        ("a[t] = 1 / t;", "divided by zero"),
        ("a[t] = (int)(t * 1e9);", "a floating value that int does not hold"),
        ("while (t < 5) {}", "a loop goes on"),
        ("__shared__ double s[6145]; s[0] = 1;", "more than 49,152 bytes"),
    ],
)
def test_nothing_without_a_value_is_used(body, match, monkeypatch):
    monkeypatch.setattr("tests.standin.statements.MOST_ROUNDS", 100)
    fails(match, f"int t = threadIdx.x; {body}", i32(0, 0, 0, 0), block=4)


def test_a_variable_given_its_value_on_every_path_may_be_read():
    (a,) = run("int t = threadIdx.x, x; if (t < 2) x = 1; else x = 2; a[t] = x;", i32(0, 0, 0, 0), block=4)
    assert a.tolist() == [1, 1, 2, 2]


RACES = [
    ("a[0] = t;", "writes another value than another thread does in the same statement"),
    ("a[t] = 1; a[3 - t] = 1;", "writes what another thread wrote"),
    ("a[0] = 1; if (t == 3) a[0] = 1;", "writes what another thread wrote"),
    ("a[t] = 1; b[t] = a[3 - t];", "reads what another thread wrote"),
    ("b[t] = a[3 - t]; a[t] = 1;", "writes what another thread read"),
    ("b[t] = a[0]; if (t == 1) a[0] = 1;", "writes what another thread read"),
    ("a[0] += 1;", "writes what another thread read"),
    ("b[t] = a[t]; __syncthreads(); b[t] += a[0]; a[t] = 1;", "writes what another thread read"),
    ("__shared__ int s[4]; s[t] = t; b[t] = s[3 - t];", "reads what another thread wrote"),
    ("__shared__ int s[4]; s[t] = t; __syncthreads(); s[t] += s[3 - t];", "writes what another thread read"),
    ("__shared__ int s[4]; s[t / 2] = t / 2; s[0] = 0;", "data race"),
]


@pytest.mark.parametrize(("body", "match"), RACES)
def test_a_data_race_within_a_block_is_found(body, match):
    error = fails(match, f"int t = threadIdx.x; {body}", i32(0, 0, 0, 0), i32(0, 0, 0, 0), block=4)
    assert error.array in ("a", "s")


@pytest.mark.parametrize(
    "body",
    [
        "a[0] = 5;",
        "a[t] = 1; __syncthreads(); b[t] = a[3 - t];",
        "b[t] = a[3 - t]; __syncthreads(); a[t] = 1; a[t] += 1;",
        "__shared__ int s[4]; s[t] = t; __syncthreads(); int x = s[3 - t]; __syncthreads(); s[t] = x;",
        "int x = a[0] + b[0]; __syncthreads(); if (t == 0) a[0] = x;",
    ],
)
def test_what_barriers_order_or_agrees_is_no_race(body):
    run(f"int t = threadIdx.x; {body}", i32(0, 0, 0, 0), i32(0, 0, 0, 0), block=4)


@pytest.mark.parametrize(
    "body",
    [
        "a[0] = 1;",
        "a[b] = 1; __syncthreads(); int x = a[1 - b]; a[b] = x;",
        "int x = a[1 - b]; __syncthreads(); a[b] = x;",
        "int x = a[0]; if (b == 1) a[0] = x;",
        "if (b == 0) a[0] = 1; if (b == 1) a[0] = 1;",
    ],
)
@pytest.mark.parametrize("side_by_side", [1, 65_536])
def test_between_blocks_no_barrier_helps(body, side_by_side, monkeypatch):
    monkeypatch.setattr("tests.standin.simt.SIDE_BY_SIDE", side_by_side)
    fails("data race", f"int b = blockIdx.x; {body}", i32(0, 0), grid=2)


def test_arguments_that_overlap_race_with_each_other():
    whole = f32(*range(8))
    shifted = "b[threadIdx.x] = a[threadIdx.x];"
    run(shifted, whole[:4], whole[4:], block=4)
    run(shifted, whole[:4], whole[:4], block=4)
    fails("data race", shifted, whole[:5], whole[1:5], block=4)
    fails("overlap", "b[0] = a[0];", whole, whole.view(np.int32))


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("if (t < 40) __syncthreads();", r"__syncthreads\(\) is reached by 40 of the 64 threads of its block"),
        ("if (t == 63) return; __syncthreads();", "63 of the 64"),
        ("for (int j = 0; j < t; j++) __syncthreads();", "63 of the 64"),
        ("if (t < 8) t = __shfl_xor_sync(0xffffffffu, t, 1);", "__shfl_xor_sync is reached by 8 of the 32 threads of its warp"),
    ],
)
def test_a_barrier_that_part_of_a_group_reaches_is_refused(body, match):
    fails(match, f"int t = threadIdx.x; {body}", i32(), block=64)


def test_a_barrier_or_shuffle_that_a_whole_group_reaches_is_none_of_the_others_business():
    run("if (blockIdx.x == 1) __syncthreads(); if (threadIdx.x < 32) __shfl_xor_sync(0xffffffffu, 1, 1);", grid=2, block=64)


def test_a_shuffle_from_a_lane_that_is_not_there_is_refused():
    fails("reads a lane that its warp does not have", "__shfl_down_sync(0xffffffffu, (int)threadIdx.x, 16);", block=24)


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ("int", [np.int32(1)], [1, 1.0, np.int64(1), True, np.float32(1), None, "1"]),
        ("unsigned int", [np.uint32(1)], [1, np.int32(1)]),
        ("long long", [1, np.int64(1)], [np.int32(1), 1.0, True, np.zeros(1, np.int64)]),
        ("float", [np.float32(1)], [1.0, 1, np.float64(1)]),
        ("double", [1.0, np.float64(1)], [1, np.float32(1)]),
        ("bool", [True, np.bool_(1)], [1]),
        ("const float*", [f32(1), 0, None], [np.zeros(1), i32(1), 1, 1.0, [1.0], np.zeros((2, 2), np.float32)[:, 0]]),
    ],
)
def test_an_argument_is_of_the_very_bytes_its_parameter_takes(parameter, good, bad):
    for argument in good:
        run("", parameters=f"{parameter} p", scalars=(argument,))
    for argument in bad:
        fails("kernel k: p ", "", parameters=f"{parameter} p", scalars=(argument,))


def test_a_launch_has_the_right_number_of_arguments_and_a_possible_shape():
    fails("takes 1 arguments, was given 2", "", parameters="int p", scalars=(np.int32(1), 0))
    fails("1 to 1024 are possible", "", block=(33, 32))
    fails("is not possible", "", grid=0)
    read_only = f32()
    read_only.flags.writeable = False
    fails("not contiguous and writable", "", read_only)
    run("", parameters="const T* p", scalars=(read_only,))


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("p[0] = 1;", r"line 3: a const float\* is not written to"),
        ("float* q = p;", "does not become float"),
        ("const int n = 1; n = 2;", "n is const"),
        ("int n[3];", "local arrays"),
        ("long n = 0;", "`long` has other widths"),
        ("goto done; done: ;", "Goto"),
        ("x = 1;", "x is not declared"),
        ("int n = 0; int n = 1;", "declared twice"),
        ("nothing(1);", "function nothing is not known"),
        ("later();", "function later is not known"),
        ("exp(1.0, 2.0);", "takes 1 arguments"),
        ("atomicAdd(0, 1);", "atomicAdd is not known"),
        ("int n = 1.5 % 2;", "whole numbers"),
        ("struct S { int a; };", "subset"),
        ("return 1;", "return and the function's type"),
        ("int n = 3; __shared__ T s[n];", "constant size"),
        ("__shfl_sync(0xffu, 1, 0);", "full mask"),
        ("int n = 1 +;", "line 3: not C of the subset"),
        ("T& r = 1;", "not C of the subset"),
        ('asm("");', "subset|not known"),
    ],
)
def test_what_is_outside_the_subset_is_refused_when_compiled(body, match):
    text = f"__global__ void k(const T* p) {{\n\n{body}\n}}\n__device__ void later() {{}}"
    with pytest.raises(CompileError, match=match):
        Module(text, ("-DT=float",))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("#include <math.h>", "line 1: only `#define"),
        ("#define F(x) x", "only `#define"),
        ("#define A B\n#define B A\nconst int n = A;", "names itself"),
        ("void f() {}", "neither __global__ nor __device__"),
        ("__global__ int f() { return 1; }", "a kernel returns void"),
        ("__device__ int f(int n) { return f(n - 1); }", "recursion"),
        ("__device__ int n;", "only constants"),
    ],
)
def test_a_file_outside_the_subset_is_refused(text, match):
    with pytest.raises(CompileError, match=match):
        Module(text)


def test_a_function_that_ends_without_its_value_is_refused():
    fails("half ends without returning", "a[0] = half(0);", i32(), before="__device__ int half(int n) { if (n) return n / 2; }")
