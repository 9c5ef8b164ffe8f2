"""The stand-in for CuPy: work waits until it is waited for, memory has an end, and everything may fail."""

import importlib.util
import sys
import threading

import numpy as np
import pytest

from tests.standin import installed
from tests.standin.faults import KernelError

ADD = 'extern "C" __global__ void add(double* a, const double* b) { a[threadIdx.x] += b[threadIdx.x]; }'


@pytest.fixture(name="gpu")
def _gpu():
    with installed(total_bytes=1 << 20) as standin:
        yield standin


@pytest.fixture(name="cupy")
def _cupy(gpu):
    return gpu.module


def on_device(cupy, values):
    host = np.ascontiguousarray(values)
    array = cupy.empty(host.shape, host.dtype)
    array.set(host)
    return array


def test_it_is_the_module_cupy_only_while_installed():
    before = sys.modules.get("cupy")
    sys.modules.pop("tuisim.backends.cupy_made_up", None)
    with installed() as gpu:
        import cupy
        from cupy.cuda import cublas

        assert cupy is gpu.module
        assert cublas is cupy.cuda.cublas
        assert importlib.util.find_spec("cupy") is not None
        sys.modules["tuisim.backends.cupy.made_up"] = gpu.module
    assert sys.modules.get("cupy") is before
    assert "tuisim.backends.cupy.made_up" not in sys.modules
    assert "cupy.cuda" not in sys.modules


# Arrays


def test_an_array_is_garbage_until_written_and_zeros_are_work_too(cupy, gpu):
    assert np.isnan(cupy.empty((2, 2), np.float32).get()).all()
    assert cupy.empty(2, np.int32).get().min() > 1e9
    zeros = cupy.zeros((2, 3), np.float32)
    assert gpu.waiting == 1
    assert (zeros.get() == 0).all()
    assert (zeros.shape, zeros.dtype, zeros.size, zeros.nbytes, zeros.ndim, len(zeros)) == ((2, 3), np.float32, 6, 24, 2, 2)


def test_set_takes_the_values_as_they_are_and_get_waits(cupy, gpu):
    host = np.arange(4.0)
    array = cupy.empty(4, np.float64)
    array.set(host)
    host[:] = -1
    out = np.empty(4)
    assert gpu.synchronisations == 0
    assert array.get(out=out) is out
    assert out.tolist() == [0, 1, 2, 3]
    assert gpu.synchronisations == 1
    array.fill(7)
    assert array.get().tolist() == [7] * 4


def test_set_refuses_what_does_not_match(cupy):
    array = cupy.empty((2, 2), np.float64)
    for host in (np.zeros(4), np.zeros((2, 2), np.float32), np.zeros((2, 2), order="F")[::-1], np.zeros((2, 2)).T.copy("F")):
        with pytest.raises(ValueError, match=r"set|contiguous"):
            array.set(host)
    with pytest.raises(TypeError):
        array.set([[0.0, 0.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match="shape"):
        array.get(out=np.zeros(4))


def test_nothing_becomes_a_host_array_unasked(cupy, gpu):
    array = on_device(cupy, [2.5])
    with pytest.raises(TypeError, match=r"(?i)implicit conversion"):
        np.asarray(array)
    assert (float(array), int(array), bool(array), array.item()) == (2.5, 2, True, 2.5)
    assert gpu.synchronisations == 4


def test_views_share_memory_and_keep_it(cupy):
    whole = on_device(cupy, np.arange(6.0))
    view = whole.reshape(2, 3)[1]
    assert view.data.ptr == whole.data.ptr + 24
    whole.fill(1)
    view[:2].fill(5)
    assert whole.get().tolist() == [1, 1, 1, 5, 5, 1]
    used = cupy.get_default_memory_pool().used_bytes()
    del whole
    assert cupy.get_default_memory_pool().used_bytes() == used
    assert view.get().tolist() == [5, 5, 1]


def test_the_pool_keeps_what_arrays_give_back_until_told(cupy, gpu):
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
    with pytest.raises(
        cupy.cuda.memory.OutOfMemoryError, match=r"Out of memory allocating 524,800 bytes \(allocated so far: 524,288"
    ):
        cupy.empty((1 << 19) + 1, np.int8)
    assert issubclass(cupy.cuda.memory.OutOfMemoryError, MemoryError)
    assert held.size == 1 << 19


def test_memory_is_copied_by_address(cupy):
    runtime, source, target = cupy.cuda.runtime, on_device(cupy, [1.0, 2.0, 3.0]), cupy.zeros(3, np.float64)
    runtime.memcpyAsync(target.data.ptr, source.data.ptr + 8, 16, runtime.memcpyDeviceToDevice, 0)
    assert target.get().tolist() == [2, 3, 0]
    with pytest.raises(KernelError, match="source, 24 bytes at"):
        runtime.memcpyAsync(target.data.ptr, source.data.ptr + 8, 24, runtime.memcpyDeviceToDevice, 0)


# Kernels, streams and events


def test_a_kernel_runs_when_waited_for_and_keeps_its_arguments(cupy, gpu):
    add = cupy.RawModule(code=ADD, options=("-std=c++17",)).get_function("add")
    a, b = on_device(cupy, [1.0, 2.0]), on_device(cupy, [10.0, 20.0])
    add((1,), (2,), (a, b))
    del b
    cupy.empty(2, np.float64)
    assert gpu.waiting
    assert a.get().tolist() == [11, 22]
    assert "launch:add" in gpu.calls
    assert not gpu.waiting


def test_a_kernels_error_surfaces_where_it_is_waited_for_and_ends_the_device(cupy):
    module = cupy.RawModule(code=ADD)
    module.compile()
    a = cupy.zeros(2, np.float64)
    module.get_function("add")((1,), (3,), (a, a))
    with pytest.raises(KernelError, match=r"read of [ab]\[2\] outside") as caught:
        cupy.cuda.Device().synchronize()
    assert any("test_cupy.py" in note for note in caught.value.__notes__)
    with pytest.raises(KernelError):
        cupy.zeros(2, np.float64)


def test_a_launch_with_the_wrong_arguments_or_name_is_refused_at_once(cupy):
    module = cupy.RawModule(code=ADD + "\n__global__ void mangled() {}")
    with pytest.raises(KernelError, match="takes 2 arguments"):
        module.get_function("add")((1,), (1,), (cupy.zeros(1, np.float64),))
    for name in ("subtract", "mangled"):
        with pytest.raises(cupy.cuda.driver.CUDADriverError, match="CUDA_ERROR_NOT_FOUND"):
            module.get_function(name)
    whole = cupy.zeros((2, 2), np.float64)
    with pytest.raises(ValueError, match="not contiguous"):
        module.get_function("add")((1,), (2,), (whole[:, 0], whole[0]))


def test_streams_are_ordered_by_events_only(cupy):
    first, second = cupy.cuda.Stream(non_blocking=True), cupy.cuda.Stream(non_blocking=True)
    event = cupy.cuda.Event(disable_timing=True)
    with first:
        assert cupy.cuda.get_current_stream() is first
        array = cupy.zeros(1, np.float64)
    assert np.isnan(array.get(stream=second)[0])
    first.record(event)
    second.wait_event(event)
    assert array.get(stream=second)[0] == 0
    assert cupy.cuda.get_current_stream().ptr == 0
    assert first.ptr != second.ptr
    assert cupy.cuda.Stream.null is cupy.cuda.get_current_stream()


def test_looking_at_done_lets_the_device_go_on(cupy):
    event = cupy.cuda.Event()
    assert event.done
    array = cupy.zeros(1, np.float64)
    event.record()
    assert [event.done, event.done] == [False, True]
    assert cupy.cuda.get_current_stream().done
    assert array.get()[0] == 0


def test_events_tell_the_time_between_them_once_passed(cupy):
    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    runtime = cupy.cuda.runtime
    with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorInvalidResourceHandle"):
        cupy.cuda.get_elapsed_time(start, end)
    start.record()
    end.record()
    with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorNotReady"):
        cupy.cuda.get_elapsed_time(start, end)
    end.synchronize()
    assert cupy.cuda.get_elapsed_time(start, end) >= 0


# Products


def columns(matrix, dtype):
    return np.asarray(matrix, dtype).ravel(order="F")


@pytest.mark.parametrize(("name", "dtype"), [("sgemm", np.float32), ("dgemm", np.float64)])
@pytest.mark.parametrize("transposed", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_gemm_multiplies_by_columns(cupy, name, dtype, transposed):
    blas = cupy.cuda.cublas
    handle = blas.create()
    blas.setPointerMode(handle, blas.CUBLAS_POINTER_MODE_DEVICE)
    assert blas.getPointerMode(handle) == 1
    a, b = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4) - 5
    first, second = (on_device(cupy, columns(x.T if t else x, dtype)) for x, t in zip((a, b), transposed, strict=True))
    result, scalars = cupy.empty(8, dtype), on_device(cupy, np.array([2, 0, 1], dtype))
    alpha, zero, one = (scalars[i].data.ptr for i in range(3))
    lda, ldb = 3 if transposed[0] else 2, 4 if transposed[1] else 3
    shape = handle, *transposed, 2, 4, 3, alpha, first.data.ptr, lda, second.data.ptr, ldb
    getattr(blas, name)(*shape, zero, result.data.ptr, 2)
    getattr(blas, name)(*shape, one, result.data.ptr, 2)
    assert result.get().reshape(4, 2).T.tolist() == (4 * a @ b).tolist()
    blas.destroy(handle)
    with pytest.raises(blas.CUBLASError, match="NOT_INITIALIZED"):
        blas.setStream(handle, 0)


def test_gemm_takes_host_scalars_and_works_in_the_current_stream(cupy):
    blas, stream = cupy.cuda.cublas, cupy.cuda.Stream(non_blocking=True)
    handle = blas.create()
    blas.setStream(handle, 0)
    scalars = np.array([3.0, 0.0])
    at = scalars.ctypes.data
    with stream:
        a, c = on_device(cupy, [2.0]), cupy.empty(1, np.float64)
        blas.dgemm(handle, 0, 0, 1, 1, 1, at, a.data.ptr, 1, a.data.ptr, 1, at + 8, c.data.ptr, 1)
        scalars[:] = 0
        assert c.get()[0] == 12


def test_gemm_refuses_what_is_not_its_memory(cupy):
    blas = cupy.cuda.cublas
    handle = blas.create()
    a, c, wide = cupy.zeros(4, np.float32), cupy.zeros(4, np.float32), cupy.zeros(4, np.float64)
    one = np.ones(1, np.float32)

    def product(x, y, z, leading=2, scalar=one.ctypes.data):
        blas.sgemm(handle, 0, 0, 2, 2, 2, scalar, x, leading, y, 2, scalar, z, 2)

    x, z = a.data.ptr, c.data.ptr
    product(x, x, z)
    for wrong, match in (
        (lambda: product(x, x, x + 4), "outside live"),
        (lambda: product(x, 4096, z), "B, 16 bytes at address 0x1000"),
        (lambda: product(x, z, z), "C overlaps B"),
        (lambda: product(wide.data.ptr, x, z), "memory of float64"),
        (lambda: product(x, x, z, leading=3), "outside live"),
        (lambda: product(x, x, z, scalar=x), "host mode"),
    ):
        with pytest.raises(KernelError, match=match):
            wrong()
    with pytest.raises(blas.CUBLASError, match="INVALID_VALUE"):
        product(x, x, z, leading=1)
    del a
    assert c.get().tolist() == [0] * 4
    with pytest.raises(KernelError, match=r"A, 16 bytes at address .* outside live"):
        product(x, x, z)


# What a test may ask and do


def test_the_runtime_describes_the_card_and_its_absence(cupy):
    runtime = cupy.cuda.runtime
    assert runtime.getDeviceCount() == 1
    assert runtime.getDeviceProperties(0)["name"] == b"Stand-in GPU"
    assert runtime.driverGetVersion() >= runtime.runtimeGetVersion()
    with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorInvalidDevice"):
        cupy.cuda.Device(1).use()
    with cupy.cuda.Device(0) as card:
        assert card.id == 0
    with (
        installed(cards=0) as none,
        pytest.raises(none.module.cuda.runtime.CUDARuntimeError, match="cudaErrorNoDevice") as caught,
    ):
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
        with pytest.raises(cupy.cuda.runtime.CUDARuntimeError, match=r"^cudaErrorIllegalAddress: an illegal") as caught:
            call()
        assert caught.value.status == 700
    assert gpu.call_count == len(gpu.calls) == 6


def test_the_threads_that_called_are_known(cupy, gpu):
    other = threading.Thread(target=lambda: cupy.zeros(1, np.float64))
    other.start()
    other.join()
    assert gpu.threads == {other.ident}
    cupy.cuda.Event().record()
    assert gpu.threads == {other.ident, threading.get_ident()}
    assert gpu.calls == ["zeros", "Event", "record"]
