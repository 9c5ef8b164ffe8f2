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


def test_views_share_memory_and_keep_it_in_the_pool(cupy):
    pool, runtime = cupy.get_default_memory_pool(), cupy.cuda.runtime
    whole = on_device(cupy, np.arange(1024.0))
    view = whole.reshape((2, 512))[1]
    assert view.data.ptr == whole.data.ptr + 4096
    view[:2].fill(5)
    runtime.memcpyAsync(view.data.ptr + 8, whole.data.ptr, 16, runtime.memcpyDeviceToDevice, 0)
    with pytest.raises(KernelError, match="target, 24 bytes at"):
        runtime.memcpyAsync(view.data.ptr + 4080, whole.data.ptr, 24, runtime.memcpyDeviceToDevice, 0)
    del whole
    assert pool.used_bytes() == pool.total_bytes() == 8192
    assert view.get()[:4].tolist() == [5, 0, 1, 515]
    del view
    assert (pool.used_bytes(), pool.total_bytes()) == (0, 8192)
    assert runtime.memGetInfo() == ((1 << 20) - 8192, 1 << 20)
    pool.free_all_blocks()
    held = cupy.empty(1 << 19, np.int8)
    with pytest.raises(cupy.cuda.memory.OutOfMemoryError, match=r"allocating 524,800 bytes \(allocated so far: 524,288"):
        cupy.empty(held.size + 1, np.int8)


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


@pytest.mark.parametrize("transposed", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_gemm_is_column_major(cupy, transposed):
    blas = cupy.cuda.cublas
    handle = blas.create()
    blas.setPointerMode(handle, blas.CUBLAS_POINTER_MODE_DEVICE)
    a, b, result, scalars = (
        np.arange(6.0).reshape(2, 3),
        np.arange(12.0).reshape(3, 4) - 5,
        cupy.empty(8),
        on_device(cupy, [2.0, 0, 1]),
    )
    first, second = (on_device(cupy, (x.T if t else x).ravel(order="F")) for x, t in zip((a, b), transposed, strict=True))
    alpha, zero, one = (scalars[i].data.ptr for i in range(3))
    leading = 3 if transposed[0] else 2, 4 if transposed[1] else 3
    for beta in (zero, one):
        factors = first.data.ptr, leading[0], second.data.ptr, leading[1]
        blas.dgemm(handle, *transposed, 2, 4, 3, alpha, *factors, beta, result.data.ptr, 2)
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
    assert gpu.calls == ["zeros", "zeros", "get", "get", "free_all_blocks", "empty"]
    assert gpu.threads == {threading.get_ident()}
