"""The emulated CuPy: work waits until it is waited for, memory is limited, every address is checked, every call may fail."""

import importlib.util
import sys
import threading

import numpy as np
import pytest

from tests.support.cuda_emulator import installed
from tests.support.cuda_emulator.errors import KernelError

ADD = 'extern "C" __global__ void add(double* a, const double* b) { a[threadIdx.x] += b[threadIdx.x]; } __global__ void f() {}'


@pytest.fixture(name="gpu")
def _gpu():
    with installed(total_bytes=1 << 20) as gpu:
        yield gpu


@pytest.fixture(name="cupy")
def _cupy(gpu):
    return gpu.module


def on_device(cupy, values):
    array = cupy.empty(np.shape(values), np.asarray(values).dtype)
    array.set(np.ascontiguousarray(values))
    return array


def test_it_is_the_module_cupy_only_while_installed():
    before = sys.modules.get("cupy")
    with installed() as gpu:
        import cupy
        from cupy.cuda import cublas

        assert cupy is gpu.module
        assert cublas is cupy.cuda.cublas
        assert importlib.util.find_spec("cupy") is not None
        sys.modules["tuisim.backends.cupy.made_up"] = gpu.module
    assert sys.modules.get("cupy") is before
    assert not {"tuisim.backends.cupy.made_up", "cupy.cuda"} & set(sys.modules)


def test_an_array_is_garbage_until_work_is_waited_for(cupy, gpu):
    assert np.isnan(cupy.empty((2, 2), np.float32).get()).all()
    assert cupy.empty(2, np.int32).get().min() > 1e9
    array, host = cupy.zeros((2, 3), np.float32), np.arange(6, dtype=np.float32).reshape(2, 3)
    assert (gpu.waiting, gpu.synchronisations) == (1, 2)
    assert (array.shape, array.dtype, array.size, array.nbytes, array.ndim, len(array)) == ((2, 3), np.float32, 6, 24, 2, 2)
    assert (array.get() == 0).all()
    array.set(host)
    host[:] = -1
    assert array.get().ravel().tolist() == [0, 1, 2, 3, 4, 5]
    array.fill(7)
    assert (array.get() == 7).all()
    for wrong in (np.zeros(6, np.float32), np.zeros((2, 3)), np.zeros((3, 2), np.float32).T):
        with pytest.raises(ValueError, match=r"set|contiguous"):
            array.set(wrong)
    with pytest.raises(TypeError, match=r"(?i)implicit conversion"):
        np.asarray(array)


def test_views_share_memory_and_keep_it(cupy):
    whole = on_device(cupy, np.arange(6.0))
    view = whole.reshape((2, 3))[1]
    assert view.data.ptr == whole.data.ptr + 24
    whole.fill(1)
    view[:2].fill(5)
    assert whole.get().tolist() == [1, 1, 1, 5, 5, 1]
    used = cupy.get_default_memory_pool().used_bytes()
    del whole
    assert cupy.get_default_memory_pool().used_bytes() == used
    assert view.get().tolist() == [5, 5, 1]


def test_the_pool_keeps_what_arrays_give_back_until_told(cupy):
    pool, info = cupy.get_default_memory_pool(), cupy.cuda.runtime.memGetInfo
    a = cupy.empty(1000, np.float32)
    assert pool.used_bytes() == pool.total_bytes() == 4096
    assert info() == ((1 << 20) - 4096, 1 << 20)
    del a
    assert (pool.used_bytes(), pool.total_bytes()) == (0, 4096)
    pool.free_all_blocks()
    cupy.get_default_pinned_memory_pool().free_all_blocks()
    assert info()[0] == 1 << 20
    held = cupy.empty(1 << 19, np.int8)
    with pytest.raises(cupy.cuda.memory.OutOfMemoryError, match=r"allocating 524,800 bytes \(allocated so far: 524,288"):
        cupy.empty((1 << 19) + 1, np.int8)
    assert held.size == 1 << 19


def test_memory_is_copied_by_address(cupy):
    runtime, source, target = cupy.cuda.runtime, on_device(cupy, [1.0, 2.0, 3.0]), cupy.zeros(3, np.float64)
    runtime.memcpyAsync(target.data.ptr, source.data.ptr + 8, 16, runtime.memcpyDeviceToDevice, 0)
    assert target.get().tolist() == [2, 3, 0]
    with pytest.raises(KernelError, match="source, 24 bytes at"):
        runtime.memcpyAsync(target.data.ptr, source.data.ptr + 8, 24, runtime.memcpyDeviceToDevice, 0)


def test_a_kernel_runs_when_waited_for_and_keeps_its_arguments(cupy, gpu):
    module = cupy.RawModule(code=ADD, options=("-std=c++17",))
    a, b = on_device(cupy, [1.0, 2.0]), on_device(cupy, [10.0, 20.0])
    module.get_function("add").kernel((1,), (2,), (a, b))
    del b
    cupy.empty(2, np.float64)
    assert gpu.waiting
    assert a.get().tolist() == [11, 22]
    assert "launch:add" in gpu.calls
    with pytest.raises(TypeError, match="None is no null pointer"):
        module.get_function("add")((1,), (2,), (a, None))
    for name in ("f", "g"):  # one is mangled, the other does not exist
        with pytest.raises(RuntimeError, match="CUDA_ERROR_NOT_FOUND"):
            module.get_function(name)


def test_an_error_of_a_kernel_surfaces_when_it_is_waited_for_and_ends_the_device(cupy):
    module, a = cupy.RawModule(code=ADD), cupy.zeros(2, np.float64)
    module.compile()
    module.get_function("add")((1,), (3,), (a, a))
    for call in (a.get, lambda: cupy.empty(1, np.int32)):
        with pytest.raises(KernelError, match=r"read of [ab]\[2\] outside"):
            call()


def test_streams_are_apart_and_events_tell_the_time_when_they_are_passed(cupy):
    runtime, first, second = cupy.cuda.runtime, *(cupy.cuda.Stream(non_blocking=True) for _ in range(2))
    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorInvalidResourceHandle"):
        cupy.cuda.get_elapsed_time(start, end)
    first.use()
    array = cupy.zeros(1, np.float64)
    start.record()
    end.record()
    second.use()
    assert np.isnan(array.get()[0])
    with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorNotReady"):
        cupy.cuda.get_elapsed_time(start, end)
    first.synchronize()
    assert array.get()[0] == 0
    assert cupy.cuda.get_elapsed_time(start, end) >= 0


# ── cuBLAS ──


@pytest.mark.parametrize(("name", "dtype"), [("sgemm", np.float32), ("dgemm", np.float64)])
@pytest.mark.parametrize("transposed", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_gemm_is_column_major(cupy, name, dtype, transposed):
    blas = cupy.cuda.cublas
    handle = blas.create()
    blas.setPointerMode(handle, blas.CUBLAS_POINTER_MODE_DEVICE)
    a, b = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4) - 5
    first, second = ((x.T if t else x).astype(dtype).ravel(order="F") for x, t in zip((a, b), transposed, strict=True))
    first, second, result = on_device(cupy, first), on_device(cupy, second), cupy.empty(8, dtype)
    alpha, zero, one = (scalars[i].data.ptr for scalars in [on_device(cupy, np.array([2, 0, 1], dtype))] for i in range(3))
    leading = 3 if transposed[0] else 2, 4 if transposed[1] else 3
    for beta in (zero, one):
        shape = handle, *transposed, 2, 4, 3, alpha, first.data.ptr, leading[0], second.data.ptr, leading[1]
        getattr(blas, name)(*shape, beta, result.data.ptr, 2)
    assert result.get().reshape(4, 2).T.tolist() == (4 * a @ b).tolist()


def test_gemm_refuses_what_is_not_its_memory(cupy):
    blas = cupy.cuda.cublas
    handle, hosts = blas.create(), blas.create()
    blas.setPointerMode(handle, blas.CUBLAS_POINTER_MODE_DEVICE)
    a, c, wide, one = cupy.zeros(4, np.float32), cupy.zeros(4, np.float32), cupy.zeros(4, np.float64), cupy.zeros(1, np.float32)
    x, z, scalar = a.data.ptr, c.data.ptr, one.data.ptr

    def product(x, y, z, leading=2, scalar=scalar, handle=handle):
        blas.sgemm(handle, 0, 0, 2, 2, 2, scalar, x, leading, y, 2, scalar, z, 2)

    product(x, x, z)
    for arguments, options, error, match in (
        ((x, x, x + 4), {}, KernelError, "outside live"),
        ((x, 4096, z), {}, KernelError, "B, 16 bytes at address 0x1000"),
        ((x, z, z), {}, KernelError, "C overlaps B"),
        ((wide.data.ptr, x, z), {}, KernelError, "memory of float64"),
        ((x, x, z), {"leading": 3}, KernelError, "outside live"),
        ((x, x, z), {"scalar": 4096}, KernelError, "a scalar, 4 bytes"),
        ((x, x, z), {"leading": 1}, blas.CUBLASError, "INVALID_VALUE"),
        ((x, x, z), {"handle": hosts}, blas.CUBLASError, "INVALID_VALUE"),
        ((x, x, z), {"handle": 1}, blas.CUBLASError, "NOT_INITIALIZED"),
    ):
        with pytest.raises(error, match=match):
            product(*arguments, **options)
    del a
    assert c.get().tolist() == [0] * 4
    with pytest.raises(KernelError, match=r"A, 16 bytes at address .* outside live"):
        product(x, x, z)


# ── what a test may ask and do ──


def test_a_machine_without_a_device_says_so(cupy):
    runtime = cupy.cuda.runtime
    assert runtime.getDeviceCount() == 1
    assert runtime.driverGetVersion() >= runtime.runtimeGetVersion()
    with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorInvalidDevice"):
        cupy.cuda.Device(1).use()
    with installed(devices=0) as none, pytest.raises(RuntimeError, match="cudaErrorNoDevice") as caught:
        none.module.cuda.runtime.getDeviceCount()
    assert caught.value.status == 100


def test_a_planned_fault_comes_at_its_call_once_or_for_ever(cupy, gpu):
    gpu.fail_at(2, gpu.out_of_memory(512))
    array = cupy.zeros(1, np.float64)
    with pytest.raises(MemoryError):
        cupy.zeros(1, np.float64)
    assert array.get()[0] == 0
    gpu.fail_at(1, gpu.device_error(700), sticky=True)
    for call in (array.get, cupy.get_default_memory_pool().free_all_blocks, lambda: cupy.empty(1, np.int32)):
        with pytest.raises(cupy.cuda.runtime.CUDARuntimeError, match=r"^cudaErrorIllegalAddress: an illegal"):
            call()
    assert len(gpu.calls) == 6


def test_the_calls_and_their_threads_are_known(cupy, gpu):
    other = threading.Thread(target=lambda: cupy.zeros(1, np.float64))
    other.start()
    other.join()
    assert gpu.threads == {other.ident}
    cupy.cuda.Event().record()
    assert gpu.threads == {other.ident, threading.get_ident()}
    assert gpu.calls == ["zeros", "Event", "record"]
