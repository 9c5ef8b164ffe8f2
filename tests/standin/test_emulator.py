"""The emulator of CUDA C: what of the language it runs, and that it means what it means in C."""

import numpy as np
import pytest

from tests.standin.faults import KernelError
from tests.standin.simt import Module, compiled


def run(body, *arrays, grid=1, block=1, parameters="", scalars=(), before="", options=("-DT=float",)):
    """Run a kernel of that body over arrays a, b, c, ... of their own types, and hand the arrays back."""
    names = {"float32": "float", "float64": "double", "int32": "int", "int64": "long long", "uint32": "unsigned int"}
    pointers = [f"{names[str(array.dtype)]}* {name}" for name, array in zip("abcd", arrays, strict=False)]
    text = f"{before}\n__global__ void k({', '.join(filter(None, [*pointers, parameters]))}) {{\n{body}\n}}\n"
    grid, block = (grid if isinstance(grid, tuple) else (grid,)), (block if isinstance(block, tuple) else (block,))
    compiled(text, options).kernel("k")(grid, block, (*arrays, *scalars))
    return arrays


def value(text, dtype="float64", **more):
    """The value of one expression in C."""
    (out,) = run(f"a[0] = {text};", np.zeros(1, dtype), **more)
    return out[0]


def fails(match, body, *arrays, **more):
    with pytest.raises(KernelError, match=match) as caught:
        run(body, *arrays, **more)
    return caught.value


def f32(*values):
    return np.array(values or [0.0], np.float32)


def i32(*values):
    return np.array(values or [0], np.int32)


HERE = "int t = threadIdx.x; long long i = blockIdx.x * (long long)blockDim.x + t;"


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
        ("2147483647 + 1", -(2**31)),
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
        ("T(7) / 2", 3.5),
        ("static_cast<int>(7.5) / 2", 3),
        ("(bool)0.5 + true", 2),
        ("sizeof(T) + sizeof(double)", 12),
        ("2 > 1 ? 10 : 20.5", 10),
        ("(1, 2)", 2),
        ("1.5e2 + .5", 150.5),
        ("max(2, 3) + min(2.5, 3.0) + abs(-4)", 9.5),
        ("SIZE * 2 + WIDTH", 17),
    ],
)
def test_an_expression_means_what_it_does_in_c(text, expected):
    before = "#define SIZE (4 + 2) // six\nconst int WIDTH = 5; /* of\nlines */"
    assert value(text, before=before) == expected


@pytest.mark.parametrize("name", ["exp", "log", "log1p", "expm1", "tanh", "sqrt", "fabs"])
def test_mathematics_is_float_of_floats_and_double_of_doubles(name):
    single, double = np.float32(0.3), 0.3
    numpy = getattr(np, name)
    assert value(f"{name}(0.3f)") == float(numpy(single))
    assert value(f"{name}(0.3)") == numpy(double)
    assert value(f"{name}f(0.3)") == float(numpy(single))
    assert value(f"{name}(1)") == numpy(1.0)


def test_nan_and_infinity_are_legal_and_told_apart():
    arrays = f32(np.nan, np.inf, 1, -0.0), i32(*[0] * 4)
    _, codes = run("int t = threadIdx.x; T x = a[t]; b[t] = isfinite(x) + 2 * isnan(x) + 4 * isinf(x);", *arrays, block=4)
    assert codes.tolist() == [2, 4, 1, 1]
    assert value("fmax(0.0 / 0.0, 2.0) + fmin(1.0, 0.0 / 0.0)") == 3
    assert np.signbit(value("copysign(0.0, -1.0)"))
    assert value("exp(1000.0f)") == np.inf


def test_threads_know_where_they_are():
    body = """
    long long i = ((blockIdx.z * gridDim.y + blockIdx.y) * (long long)gridDim.x + blockIdx.x)
        * (blockDim.x * blockDim.y * blockDim.z) + (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    a[i] = i;"""
    (a,) = run(body, np.full(2 * 3 * 2 * 4 * 2 * 3, -1), grid=(2, 3, 2), block=(4, 2, 3))
    assert a.tolist() == list(range(a.size))


def test_a_condition_keeps_the_rest_from_reading_outside():
    body = f"{HERE} b[t] = i < 3 && a[i] > 0; c[t] = i >= 3 || a[i] > 0; d[t] = i < 3 ? a[i] : T(9);"
    a, b, c, d = run(body, f32(1, -1, 2), i32(*[7] * 5), i32(*[7] * 5), f32(*[7] * 5), block=5)
    assert b.tolist() == [1, 0, 1, 0, 0]
    assert c.tolist() == [1, 0, 1, 1, 1]
    assert d.tolist() == [*a.tolist(), 9, 9]


def test_loops_leave_go_on_and_stop_each_thread_for_itself():
    body = f"""{HERE}
    int sum = 0;
    for (int j = 0, k = 1; j < t; j++, ++k) {{
        if (j == 2) continue;
        if (j == 5) break;
        sum += k;
    }}
    int n = 0;
    while (true) {{ if (n >= t) break; n += 2; }}
    do {{ n--; }} while (n > 3);
    if (t == 7) return;
    a[t] = sum; b[t] = n;"""
    a, b = run(body, i32(*[-1] * 8), i32(*[-1] * 8), block=8)

    def by_hand(t):
        total = sum(j + 1 for j in range(min(t, 5)) if j != 2)
        n = min(n for n in range(0, 99, 2) if n >= t) - 1
        return total, min(n, 3)

    expected = [by_hand(t) for t in range(7)] + [(-1, -1)]
    assert list(zip(a.tolist(), b.tolist(), strict=True)) == expected


@pytest.mark.parametrize("subject", ["t", "code"])
def test_switch_falls_through_breaks_and_has_a_default(subject):
    body = f"""{HERE}
    int r = 0;
    switch ({subject}) {{
        case 0: case 1: r = 1;
        case 2: {{ r += 10; break; }}
        default: r = 5; break;
        case 4: if (t >= 0) return;
    }}
    a[t] = r;"""
    got = []
    for code in range(6):
        (a,) = run(body, i32(*[-1] * 6), block=6, parameters="int code", scalars=(np.int32(code),))
        got.append(int(a[code]))
    assert got == [11, 11, 10, 5, -1, 5]


def test_device_functions_return_early_call_each_other_and_take_pointers():
    before = """
    __device__ __forceinline__ T clipped(T x) { if (x < 0) return 0; if (x > 2) { return 2; } return x; }
    static __device__ T twice(const T* __restrict__ x, int i) { return 2 * clipped(x[i]); }
    __device__ void put(T* to, T x) { *to = x; }"""
    _, b = run("int t = threadIdx.x; put(b + t, twice(&a[0], t));", f32(-1, 1, 3), f32(0, 0, 0), block=3, before=before)
    assert b.tolist() == [0, 2, 4]


def test_pointers_move_and_are_compared_with_null():
    body = """const float* row = a + blockIdx.x * 2; row += 1;
    b[blockIdx.x] = (p != 0 ? 100 : 0) + row[-1] * 10 + *row;
    if (p) p[0] = 1;"""
    _, b = run(body, f32(1, 2, 3, 4), f32(0, 0), grid=2, parameters="T* p", scalars=(None,))
    assert b.tolist() == [12, 34]
    p = f32()
    _, b = run(body, f32(1, 2), f32(0), parameters="T* p", scalars=(p,))
    assert (b[0], p[0]) == (112, 1)


def test_assignments_change_and_give_their_value():
    body = """int x = 7, y; y = x += 2; x <<= 1; x |= 1; x %= 8; x -= 10; y *= x++; y = y / 2 - --x;
    a[0] = y; a[1] = x; a[1]++; ++a[1];"""
    (a,) = run(body, i32(0, 0))
    x = ((9 << 1) | 1) % 8 - 10
    assert a.tolist() == [int(9 * x / 2) - x, x + 2]


def test_shared_memory_is_each_blocks_own_and_sums_at_barriers():
    body = """
    __shared__ double s[64];
    __shared__ int total;
    int t = threadIdx.x;
    s[t] = a[blockIdx.x * 64 + t];
    __syncthreads();
    #pragma unroll
    for (int half = 32; half > 0; half /= 2) {
        if (t < half) s[t] += s[t + half];
        __syncthreads();
    }
    if (t == 0) { total = 3; b[blockIdx.x] = s[0] * total; }"""
    a = np.arange(192, dtype=np.float32)
    _, b = run(body, a, np.zeros(3), grid=3, block=64)
    assert b.tolist() == (3 * a.reshape(3, 64).sum(1)).tolist()


def test_shuffles_move_values_within_warps():
    body = """int t = threadIdx.x + 16 * threadIdx.y;
    a[t] = __shfl_xor_sync(0xffffffffu, t, 1);
    b[t] = __shfl_down_sync(0xffffffff, (T)t, 16);
    c[t] = __shfl_sync(0xffffffffu, (double)t, 3);"""
    a, b, c = run(body, np.zeros(64, np.int32), np.zeros(64, np.float32), np.zeros(64), block=(16, 4))
    t = np.arange(64)
    assert a.tolist() == (t ^ 1).tolist()
    assert b.tolist() == np.where(t % 32 < 16, t + 16, t).tolist()
    assert c.tolist() == (t // 32 * 32 + 3).tolist()


def test_a_grid_larger_than_one_batch_runs_whole():
    (a,) = run(f"{HERE} if (i < 150000) a[i] = i;", np.zeros(150_000, np.int64), grid=-(-150_000 // 96), block=96)
    assert (a == np.arange(150_000)).all()


def test_t_is_what_the_options_say():
    text = 'extern "C" __global__ void __launch_bounds__(256) f(T* __restrict__ x) { x[0] = x[0] / 3; }'
    for kind, dtype in (("float", np.float32), ("double", np.float64)):
        x = np.ones(1, dtype)
        Module(text, (f"-DT={kind}", "-std=c++17")).kernel("f")((1,), (1,), (x,))
        assert x[0] == dtype(1) / dtype(3)


def test_kernels_without_c_linkage_are_known_to_be_mangled():
    module = Module('extern "C" { __global__ void f() {} }\n__global__ void g() {}\nextern "C" __global__ void h(void) {}')
    assert (module.names, module.mangled) == (["f", "g", "h"], {"g"})
