"""CUDA C in the emulator: it means what it means on a GPU, and everything that a GPU leaves undefined is an error."""

import numpy as np
import pytest

from tests.support.cuda_emulator.errors import CompileError, KernelError
from tests.support.cuda_emulator.kernel import Kernel, compiled
from tests.support.cuda_emulator.translate import Module

TYPES = {"float32": "float", "float64": "double", "int32": "int", "int64": "long long", "uint32": "unsigned int"}


def run(body, *arrays, grid=1, block=1, parameters="", scalars=(), before="", options=("-DT=float",)):
    """Run a kernel of that body with the arrays as a, b, c, ...; return the arrays."""
    pointers = [f"{TYPES[str(array.dtype)]}* {name}" for name, array in zip("abcd", arrays, strict=False)]
    text = f"{before}\n__global__ void k({', '.join(filter(None, [*pointers, parameters]))}) {{\n{body}\n}}\n"
    grid, block = (grid if isinstance(grid, tuple) else (grid,)), (block if isinstance(block, tuple) else (block,))
    Kernel(compiled(text, options), "k").prepared(grid, block, (*arrays, *scalars))()
    return arrays


def fails(match, body, *arrays, **more):
    with pytest.raises(KernelError, match=match) as caught:
        run(body, *arrays, **more)
    return caught.value


def f32(*values):
    return np.array(values or [0.0], np.float32)


def i32(*values):
    return np.array(values or [0], np.int32)


# ── what the language means ──


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7 / 2 - 7 % 4", 0),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("1 / 3.0", 1 / 3),
        ("1 / 3.0f", float(np.float32(1) / np.float32(3))),
        ("0.1f + 0.2", float(np.float32(0.1)) + 0.2),
        ("0.1f + 0.2f", float(np.float32(0.1) + np.float32(0.2))),
        ("2147483648 + 1", 2**31 + 1),
        ("2147483647 + 1LL", 2**31),
        ("0u - 1", 2**32 - 1),
        ("-1 < 1u", 0),
        ("-1 < 1LL", 1),
        ("0xffffffffu >> 28", 15),
        ("(-8 >> 1) + (1 << 4)", 12),
        ("(5 & 6) + (5 | 6) + (5 ^ 6) + ~5", 4 + 7 + 3 - 6),
        ("(3 > 2) + (3 > 2 && 2 > 3) + (1 || 0) + !4", 2),
        ("(int)2.9 + (int)-2.9", 0),
        ("(float)0.1", float(np.float32(0.1))),
        ("(T)7 / 2", 3.5),
        ("(bool)0.5 + 1", 2),
        ("2 > 1 ? 10 : 20.5", 10),
        ("1.5e2 + .5", 150.5),
        ("SIZE * 2", 12),
        ("1.0 / 0 - 1 / 0.0f", np.nan),
        ("fmax(0.0 / 0.0, 2.0) + fmin(1.0, 0.0 / 0.0)", 3),
        ("exp(1000.0f)", np.inf),
        *[
            (f"{name}({argument})", float(getattr(np, name)(value)))
            for name in ("exp", "log", "log1p", "expm1", "tanh", "sqrt", "fabs")
            for argument, value in (("0.3f", np.float32(0.3)), ("0.3", 0.3), ("1", 1.0))
        ],
    ],
)
def test_an_expression_has_its_value_in_c(text, expected):
    (found,) = run(f"a[0] = {text};", np.zeros(1), before="#define SIZE (4 + 2) // six\n/* of\nlines */")
    np.testing.assert_equal(found[0], expected)


SUM = """__shared__ double s[64];
    s[t] = a[blockIdx.x * 64 + t];
    __syncthreads();
    for (int half = 32; half > 0; half /= 2) {
        if (t < half) s[t] += s[t + half];
        __syncthreads();
    }
    if (t == 0) b[blockIdx.x] = s[0];"""
LOOPS = """int sum = 0, n = 0;
    for (int j = 0, k = 1; j < t; j++, ++k) { if (j == 5) break; sum += k; }
    while (1) { if (n >= t) break; n += 2; }
    if (t == 5) return;
    a[t] = sum; b[t] = n;"""
SWITCH = """int r = 0;
    switch (t) { case 0: case 1: r = 1; case 2: { r += 10; break; } case 4: if (t >= 0) return; default: r = 5; break; }
    a[t] = r;"""
FUNCTIONS = """
    __device__ T clipped(T x) { if (x < 0) return 0; if (x > 2) { return 2; } return x; }
    __device__ T twice(const T* x, int i) { return 2 * clipped(x[i]); }
    __device__ T total(T x) { for (int j = 1; j < 4; j *= 2) x += __shfl_xor_sync(0xffffffffu, x, j); return x; }"""
PLACES = """long long i = ((blockIdx.z * gridDim.y + blockIdx.y) * (long long)gridDim.x + blockIdx.x)
    * (blockDim.x * blockDim.y * blockDim.z) + (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x; a[i] = i;"""
SHUFFLES = """t += 16 * threadIdx.y; a[t] = __shfl_xor_sync(0xffffffffu, t, 1);
    b[t] = __shfl_down_sync(0xffffffff, (T)t, 16); c[t] = __shfl_sync(0xffffffffu, (double)t, 3);"""
CONDITIONS = "b[t] = t < 3 && a[t] > 0; c[t] = t >= 3 || a[t] > 0; d[t] = t < 3 ? a[t] : (T)9;"
POINTERS = """const T* row = a + blockIdx.x * 2; row += 1;
    b[blockIdx.x] = (p != 0 ? 100 : 0) + row[-1] * 10 + row[0]; if (p) p[0] = 1;"""
ASSIGNED = (
    "int x = 7, y = 1; x += 2; x <<= 1; x |= 1; x %= 8; x -= 10; y *= x; y = y / 2 - x; a[0] = y; a[1] = x; a[1]++; ++a[1];"
)
ZEROS, T64 = i32(*[0] * 6), np.arange(64)


@pytest.mark.parametrize(
    ("body", "arrays", "more", "expected"),
    [
        (SUM, (np.arange(192, dtype=np.float32), np.zeros(3)), {"grid": 3, "block": 64}, {1: [2016, 6112, 10208]}),
        (LOOPS, (i32(*[-1] * 8), ZEROS + i32(0)), {"block": 6}, {0: [0, 1, 3, 6, 10, -1, -1, -1], 1: [0, 2, 2, 4, 4, 0]}),
        (SWITCH, (i32(*[-1] * 6),), {"block": 6}, {0: [11, 11, 10, 5, -1, 5]}),
        ("b[t] = total(twice(a, t));", (f32(-1, 1, 3, 1), f32(0, 0, 0, 0)), {"block": 4}, {1: [8, 8, 8, 8]}),
        (PLACES, (np.full(288, -1),), {"grid": (2, 3, 2), "block": (4, 2, 3)}, {0: list(range(288))}),
        (SHUFFLES, (np.zeros(64, np.int32), np.zeros(64, np.float32), np.zeros(64)), {"block": (16, 4)},
         {0: list(T64 ^ 1), 1: list(np.where(T64 % 32 < 16, T64 + 16, T64)), 2: list(T64 // 32 * 32 + 3)}),
        (CONDITIONS, (f32(1, -1, 2), ZEROS + i32(0), ZEROS + i32(0), f32(*ZEROS)), {"block": 5},
         {1: [1, 0, 1, 0, 0, 0], 2: [1, 0, 1, 1, 1, 0], 3: [1, -1, 2, 9, 9, 0]}),
        ("T x = a[t]; b[t] = isfinite(x) + 2 * isnan(x) + 4 * isinf(x);", (f32(np.nan, np.inf, 1, -0.0), i32(0, 0, 0, 0)),
         {"block": 4}, {1: [2, 4, 1, 1]}),
        (POINTERS, (f32(1, 2, 3, 4), f32(0, 0)), {"grid": 2, "parameters": "T* p", "scalars": (None,)}, {1: [12, 34]}),
        (POINTERS, (f32(1, 2), f32(0)), {"parameters": "T* p", "scalars": (f32(),)}, {1: [112]}),
        (ASSIGNED, (i32(0, 0),), {}, {0: [4, -5]}),
        ("int x; if (t < 2) x = 1; else x = 2; a[t] = x;", (i32(0, 0, 0, 0),), {"block": 4}, {0: [1, 1, 2, 2]}),
        ("{ int x = 1; a[0] = x; } int x = 2; a[1] = x;", (i32(0, 0),), {}, {0: [1, 2]}),
        # accesses that barriers order or that agree are no race
        ("a[0] = 5;", (i32(0),), {"block": 4}, {0: [5]}),
        ("a[t] = t; __syncthreads(); b[t] = a[3 - t];", (i32(0, 0, 0, 0), i32(0, 0, 0, 0)), {"block": 4}, {1: [3, 2, 1, 0]}),
        ("b[t] = a[1 - t]; __syncthreads(); a[t] = 1; a[t] += 1;", (i32(0, 0), i32(0, 0)), {"block": 2}, {0: [2, 2]}),
        ("__shared__ int s[4]; s[t] = t; __syncthreads(); int x = s[3 - t]; __syncthreads(); s[t] = x; a[t] = s[t];",
         (i32(0, 0, 0, 0),), {"block": 4}, {0: [3, 2, 1, 0]}),
        ("int x = a[0] + b[0]; __syncthreads(); if (t == 0) a[0] = x;", (i32(1), i32(2)), {"block": 4}, {0: [3]}),
        ("if (blockIdx.x == 1) __syncthreads(); if (t < 32) __shfl_xor_sync(0xffffffffu, 1, 1);", (),
         {"grid": 2, "block": 64}, {}),
    ],
)  # fmt: skip
def test_a_kernel_computes_what_it_does_in_c(body, arrays, more, expected):
    run(f"int t = threadIdx.x; {body}", *arrays, before=FUNCTIONS, **more)
    assert {number: arrays[number].tolist() for number in expected} == expected


def test_a_type_is_given_by_the_options_and_kernels_without_c_linkage_are_mangled():
    text = 'extern "C" __global__ void f(T* x) { x[0] = x[0] / 3; } __global__ void g() {}'
    for kind, dtype in (("float", np.float32), ("double", np.float64)):
        x = np.ones(1, dtype)
        module = Module(text, (f"-DT={kind}", "-std=c++17"))
        Kernel(module, "f").prepared((1,), (1,), (x,))()
        assert x[0] == dtype(1) / dtype(3)
        assert [module.functions[name].c_linkage for name in "fg"] == [True, False]


# ── what a GPU leaves undefined ──


def test_an_error_names_kernel_line_thread_block_array_and_index():
    match = r"^kernel k, line 5, thread \(1, 0, 0\) of block \(2, 0, 0\): write of a\[11\] outside its 11 elements$"
    error = fails(match, "int i = blockIdx.x * blockDim.x + threadIdx.x;\n\na[i] = 1;", i32(*[0] * 11), grid=3, block=5)
    assert (error.kernel, error.line, error.thread, error.block) == ("k", 5, (1, 0, 0), (2, 0, 0))
    assert (error.array, error.index) == ("a", 11)


XOR = "__shfl_xor_sync(0xffffffffu, t, 1)"
FAULTS = {
    "out of bounds": [
        ("b[0] = a[t + 1];", r"read of a\[4\] outside"),
        ("b[0] = a[t - 1];", r"read of a\[-1\] outside"),
        ("b[0] = a[threadIdx.x - 1];", r"read of a\[4294967295\] outside"),
        ("__shared__ int s[3]; s[t] = 1;", r"write of s\[3\] outside"),
        ("b[4] = 1;", r"write of b\[4\] outside"),
        ("b[t] = p[t];", "p is null"),
        ("p[t] = 0;", "p is null"),
    ],
    "no value": [
        ("int x; if (t < 3) x = 1; a[t] = x;", "reads x, a variable that has no value yet"),
        ("int x; x++;", "reads x"),
        ("for (int j = 0; j < 2; j++) { int x; if (j == 0) x = 1; a[t] = x; }", "reads x"),
        ("__shared__ int s[4]; if (t) s[t] = 1; __syncthreads(); a[t] = s[t];", r"reads s\[0\], shared memory that nobody wrote"),
        ("a[t] = 1 / t;", "divided by zero"),
        ("a[t] = 1 % t;", "divided by zero"),
        ("a[t] = (int)(t * 1e9);", "does not fit int"),
        ("a[t] = 2147483645 + t;", "does not fit int"),
        ("while (t < 5) {}", "a loop goes on"),
        ("__shared__ double s[6145]; s[0] = 1;", "more than 49,152 bytes"),
        ("a[t] = half(t);", "half ends without returning"),
    ],
    "race within a block": [
        ("a[0] = t;", "writes another value than another thread does in the same statement"),
        ("a[t] = 1; a[3 - t] = 1;", "writes what another thread wrote"),
        ("a[0] = 1; if (t == 3) a[0] = 1;", "writes what another thread wrote"),
        ("a[t] = 1; b[t] = a[3 - t];", "writes what another thread read"),
        ("a[t] = 1; b[t] = a[(t + 3) % 4];", "reads what another thread wrote"),
        ("b[t] = a[3 - t]; a[t] = 1;", "reads what another thread wrote"),
        ("b[t] = a[3]; if (t == 3) a[3] = 1;", "writes what another thread read"),
        ("a[0] += 1;", "reads what another thread wrote"),
        ("a[0] = 5; b[t] = a[0];", "writes what another thread read"),
        ("b[t] = a[t]; __syncthreads(); b[t] += a[0]; a[t] = 1;", "reads what another thread wrote"),
        ("b[t] = a[t]; __syncthreads(); b[t] += a[3]; a[t] = 1;", "writes what another thread read"),
        ("__shared__ int s[4]; s[t] = t; b[t] = s[(t + 3) % 4];", r"reads (what another|s\[3\], shared memory)"),
        ("__shared__ int s[4]; s[t] = t; __syncthreads(); s[t] += s[3 - t];", "reads what another thread wrote"),
        ("__shared__ int s[4]; s[t / 2] = t / 2; s[0] = 0;", "writes what another thread wrote"),
    ],
    "race between blocks": [
        ("a[0] = 1;", "writes what another thread wrote"),
        ("a[n] = 1; __syncthreads(); int x = a[1 - n]; a[n] = x;", "writes what another thread read"),
        ("int x = a[1 - n]; __syncthreads(); a[n] = x;", "reads what another thread wrote"),
        ("int x = a[0]; if (n == 1) a[0] = x;", "writes what another thread read"),
        ("if (n == 0) a[0] = 1; if (n == 1) a[0] = 1;", "writes what another thread wrote"),
    ],
    "barrier": [
        ("if (t < 40) __syncthreads();", r"__syncthreads\(\) is reached by 40 of the 64 threads of its block"),
        ("if (t == 63) return; __syncthreads();", "63 of the 64"),
        ("for (int j = 0; j < t; j++) __syncthreads();", "63 of the 64"),
        ("if (t < 32) __syncthreads();\nelse __syncthreads();", "32 of the 64"),
        (f"if (t < 8) t = {XOR};", "__shfl_xor_sync is reached by 8 of the 32 threads of its warp"),
        (f"if (t < 8) t = {XOR};\nelse t = {XOR};", "reached by 8 of the 32 threads of its warp"),
        (f"if (t < 8) t = {XOR}; else __syncthreads();", "__shfl_xor_sync is reached by 8 of the 32"),
        ("if (t < 48) __shfl_down_sync(0xffffffffu, t, 40);", "__shfl_down_sync is reached by 16 of the 32"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "body", "match"), [(kind, *fault) for kind, faults in FAULTS.items() for fault in faults])
def test_undefined_behaviour_is_an_error(kind, body, match):
    shape = {"barrier": {"block": 64}, "race between blocks": {"grid": 2}}.get(kind, {"block": 4})
    more = {"parameters": "int* p", "scalars": (0,), "before": "__device__ int half(int n) { if (n) return n / 2; }"}
    fails(match, f"int t = threadIdx.x, n = blockIdx.x; {body}", i32(0, 0, 0, 0), i32(0, 0, 0, 0), **shape, **more)


def test_arguments_that_overlap_race_with_each_other():
    whole, shifted = f32(*range(8)), "b[threadIdx.x] = a[threadIdx.x];"
    run(shifted, whole[:4], whole[4:], block=4)
    run(shifted, whole[:4], whole[:4], block=4)
    fails("data race", shifted, whole[1:5], whole[:5], block=4)
    fails("overlap", "b[0] = a[0];", whole, whole.view(np.int32))


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
        ("float*", [f32(1)], [np.zeros(5, np.int8)[1:].view(np.float32), np.broadcast_to(f32(1), 2)]),
    ],
)
def test_an_argument_has_the_very_type_of_its_parameter_and_is_aligned(parameter, good, bad):
    for argument in good:
        run("", parameters=f"{parameter} p", scalars=(argument,))
    for argument in bad:
        fails("kernel k: p ", "", parameters=f"{parameter} p", scalars=(argument,))


def test_a_launch_has_a_possible_shape_and_the_arguments_of_the_kernel():
    fails("reads a lane that its warp does not have", "__shfl_down_sync(0xffffffffu, (int)threadIdx.x, 16);", block=24)
    fails("takes 1 arguments, was given 2", "", parameters="int p", scalars=(np.int32(1), 0))
    fails("1 to 1024 are possible", "", block=(33, 32))
    fails("is not possible", "", grid=0)


STATEMENTS = [
    ("p[0] = 1;", r"line 3: a const float\* is not written to"),
    ("float* q = p;", "does not become float"),
    ("const int n = 1; n = 2;", "n is const"),
    ("int n[3];", "only arrays are __shared__"),
    ("long n = 0;", "type long"),
    ("goto done; done: ;", "Goto"),
    ("x = 1;", "x is not declared"),
    ("int n = 0; int n = 1;", "declared twice"),
    ("later();", "function later is not known"),
    ("exp(1.0, 2.0);", "takes 1 arguments"),
    ("int n = 1.5 % 2;", "an integer is needed"),
    ("struct S { int a; };", "subset"),
    ("return 1;", "`return` and the function's type"),
    ("int n = 3; __shared__ T s[n];", "constant size"),
    ("__shfl_sync(0xffu, 1, 0);", "full mask"),
    ("int n = 1 +;", "line 3: not C of the subset"),
    ("int n = 2147483647 + 1;", "does not fit int"),
]
FILES = [
    ("#include <math.h>", "line 1: only `#define"),
    ("#define F(x) x", "only `#define"),
    ("#define A B\n#define B A\n__device__ int f() { return A; }", "contains itself"),
    ("void f() {}", "neither __global__ nor __device__"),
    ("__global__ int f() { return 1; }", "a kernel returns void"),
    ("__device__ int f(int n) { return f(n - 1); }", "f is not known"),
    ("__device__ int n;", "only functions"),
    *[(f"__global__ void k(const T* p) {{\n\n{body}\n}} __device__ void later() {{}}", match) for body, match in STATEMENTS],
]


@pytest.mark.parametrize(("text", "match"), FILES)
def test_what_is_outside_the_subset_does_not_compile(text, match):
    with pytest.raises(CompileError, match=match):
        Module(text, ("-DT=float",))
