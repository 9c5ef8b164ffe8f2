// The kernels of a training step, except its matrix products. T is float or double; arrays are C-contiguous.
//
// step[0] counts the steps since the chunk began: it is the index of a step's rows, its scalars and its loss.
// stopped[0] becomes 1 at a loss that is not finite. From then on gradients and parameters do not change: gather and update
// do nothing, and both factors of a weight gradient become zeros, whose product is added (beta = stopped) to the previous
// gradient. The host does not have to check.
//
// Sums are in a fixed order, without atomics, so that a run repeats bit for bit. CuPy compiles with -ftz=true: float numbers
// below 1.2e-38 are 0, whatever `smallest` is.

// The headers of the compiler, which come first, use the name T: the macro given from outside is REAL.
#define T REAL
#define WARP 32
#define TILE_ROWS 8
#define THREADS 256
#define SCALARS 4
#define RATE 0
#define DECAY_FACTOR 1
#define ADAM_RATE 2
#define ADAM_EPSILON 3

// ── data ──

__device__ long long place(const long long* rows, long long k, long long count)
{
    long long row = rows[k];
    return row < 0 ? 0 : (row >= count ? count - 1 : row);
}

extern "C" __global__ void gather(const T* data, long long count, const long long* rows, const long long* step,
                                  const T* stopped, T* out, long long batch, long long width)
{
    if (stopped[0] != 0) return;
    long long first = step[0] * batch;
    for (long long i = blockIdx.y; i < batch; i += gridDim.y) {
        const T* from = data + place(rows, first + i, count) * width;
        for (long long j = (long long)blockIdx.x * blockDim.x + threadIdx.x; j < width; j += (long long)gridDim.x * blockDim.x)
            out[i * width + j] = from[j];
    }
}

extern "C" __global__ void gather_classes(const long long* data, long long count, const long long* rows, const long long* step,
                                          const T* stopped, long long* out, long long batch)
{
    if (stopped[0] != 0) return;
    long long first = step[0] * batch;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < batch; i += (long long)gridDim.x * blockDim.x)
        out[i] = data[place(rows, first + i, count)];
}

// ── activations: the formulas of PyTorch's documentation, as in the other backends ──

// From here on σ is 0 or 1; arguments are clamped there to avoid 0·∞.
#define SATURATION 800

// 1 / (1 + exp(−z)), written so that exp does not overflow.
__device__ T sigmoid(T z)
{
    T e = exp(-fabs(z));
    return (z < 0 ? e : (T)1) / ((T)1 + e);
}

// z·σ(y); 0 where z is −∞.
__device__ T gate(T z, T y)
{
    return (z < -SATURATION ? (T)-SATURATION : z) * sigmoid(y);
}

// The derivative of z·σ(y) by z: s + z·s(1 − s)·y', from z, |y| and |z|·y'; y has the sign of z.
__device__ T gate_slope(T z, T y, T steepness)
{
    T e = exp(-y);
    T s = (T)1 / ((T)1 + e);
    T bell = steepness * (e * s);
    return s * (z < 0 ? e - bell : (T)1 + bell);
}

// 2u = 2·GELU_C·(z + GELU_K·z³): ½(1 + tanh u) is σ(2u), which does not cancel for z < 0.
__device__ T gelu_gate(T z)
{
    return (T)(2 * GELU_C) * z * ((T)1 + (T)GELU_K * z * z);
}

__device__ T activate(int function, T z)
{
    switch (function) {
        case RELU: return z > 0 ? z : (z == z ? (T)0 : z);
        case LEAKY_RELU: return z > 0 ? z : (T)LEAKY_SLOPE * z;
        case SIGMOID: return sigmoid(z);
        case TANH: return tanh(z);
        case GELU: return gate(z, gelu_gate(z));
        case SILU: return gate(z, z);
        case SOFTPLUS: return (z > 0 ? z : (z == z ? (T)0 : z)) + log1p(exp(-fabs(z)));
        case ELU: return z > 0 ? z : expm1(z);
        default: return z;
    }
}

// f'(z) from z and a = f(z). Those of sigmoid and tanh are accurate to the rounding of a, as in PyTorch.
__device__ T slope(int function, T z, T a)
{
    T size = fabs(z) > SATURATION ? (T)SATURATION : fabs(z);
    switch (function) {
        case RELU: return a > 0 ? (T)1 : (T)0;
        case LEAKY_RELU: return z > 0 ? (T)1 : (T)LEAKY_SLOPE;
        case SIGMOID: return a * ((T)1 - a);
        case TANH: return (T)1 - a * a;
        case GELU: return gate_slope(z, gelu_gate(size), size * (T)(2 * GELU_C) * ((T)1 + (T)(3 * GELU_K) * size * size));
        case SILU: return gate_slope(z, size, size);
        case SOFTPLUS: return sigmoid(z);
        case ELU: return z > 0 ? (T)1 : exp(z);
        default: return (T)1;
    }
}

// ── forward ──

// z += b, row by row, and a = f(z); a is null without an activation. Blocks are 32 columns × 8 rows.
extern "C" __global__ void bias_activation(T* z, const T* bias, T* a, const T* stopped, long long batch, long long width,
                                           int function)
{
    long long column = (long long)blockIdx.x * WARP + threadIdx.x;
    if (column >= width) return;
    bool halt = stopped[0] != 0;
    T b = bias[column];
    for (long long row = (long long)blockIdx.y * TILE_ROWS + threadIdx.y; row < batch; row += (long long)gridDim.y * TILE_ROWS) {
        long long k = row * width + column;
        T value = halt ? (T)0 : z[k] + b;
        z[k] = value;
        if (a != 0) a[k] = halt ? (T)0 : activate(function, value);
    }
}

// ── losses: one warp per row; finish_loss sums over the rows ──

__device__ double warp_sum(double value)
{
    for (int lane = WARP / 2; lane > 0; lane /= 2) value += __shfl_xor_sync(0xffffffffu, value, lane);
    return value;
}

__device__ double block_sum(double* sums, double value)
{
    int me = threadIdx.x;
    sums[me] = value;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (me < half) sums[me] += sums[me + half];
        __syncthreads();
    }
    return sums[0];
}

// log Σ exp z − z_t, shifted by the largest z, whose exp is 1: log1p of the sum of the others keeps the digits of small
// losses. Gradient (softmax z − onehot t) / B.
extern "C" __global__ void cross_entropy(const T* z, const long long* target, double* row_loss, T* gradient, const T* stopped,
                                         long long batch, long long width)
{
    long long row = (long long)blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= batch) return;
    const T* logits = z + row * width;
    bool halt = stopped[0] != 0;
    long long wanted = target[row];
    T largest = logits[0];
    long long best = 0;
    for (long long j = threadIdx.x; j < width; j += WARP)
        if (logits[j] > largest || (logits[j] == largest && j < best)) {
            largest = logits[j];
            best = j;
        }
    for (int lane = WARP / 2; lane > 0; lane /= 2) {
        T other = __shfl_xor_sync(0xffffffffu, largest, lane);
        long long where = __shfl_xor_sync(0xffffffffu, best, lane);
        if (other > largest || (other == largest && where < best)) {
            largest = other;
            best = where;
        }
    }
    double rest = 0;
    for (long long j = threadIdx.x; j < width; j += WARP)
        if (j != best) rest += exp(logits[j] - largest);
    rest = warp_sum(rest);
    if (threadIdx.x == 0) row_loss[row] = log1p(rest) - (double)(logits[wanted] - largest);
    if (gradient == 0) return;
    for (long long j = threadIdx.x; j < width; j += WARP) {
        T share = exp(logits[j] - largest) / (T)(1 + rest);
        gradient[row * width + j] = halt ? (T)0 : (share - (j == wanted ? (T)1 : (T)0)) / (T)batch;
    }
}

// Σ(a − t)²; gradient 2(a − t) / (B·M).
extern "C" __global__ void mse(const T* a, const T* target, double* row_loss, T* gradient, const T* stopped, long long batch,
                               long long width)
{
    long long row = (long long)blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= batch) return;
    bool halt = stopped[0] != 0;
    T scale = (T)(2.0 / ((double)batch * (double)width));
    double sum = 0;
    for (long long j = threadIdx.x; j < width; j += WARP) {
        T difference = a[row * width + j] - target[row * width + j];
        sum += (double)difference * (double)difference;
        if (gradient != 0) gradient[row * width + j] = halt ? (T)0 : difference * scale;
    }
    sum = warp_sum(sum);
    if (threadIdx.x == 0) row_loss[row] = sum;
}

// Σ max(z, 0) − z·t + log(1 + e), e = exp(−|z|); gradient (σ(z) − t) / (B·M).
extern "C" __global__ void binary_cross_entropy(const T* z, const T* target, double* row_loss, T* gradient, const T* stopped,
                                                long long batch, long long width)
{
    long long row = (long long)blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= batch) return;
    bool halt = stopped[0] != 0;
    T scale = (T)(1.0 / ((double)batch * (double)width));
    double sum = 0;
    for (long long j = threadIdx.x; j < width; j += WARP) {
        T logit = z[row * width + j];
        T wanted = target[row * width + j];
        T e = exp(-fabs(logit));
        sum += (double)((logit > 0 ? logit : (T)0) - logit * wanted + log1p(e));
        if (gradient != 0) gradient[row * width + j] = halt ? (T)0 : ((logit < 0 ? e : (T)1) / ((T)1 + e) - wanted) * scale;
    }
    sum = warp_sum(sum);
    if (threadIdx.x == 0) row_loss[row] = sum;
}

// One block: losses[step] = the mean loss; counts the step.
extern "C" __global__ void finish_loss(const double* row_loss, long long batch, double scale, double* losses, long long* step,
                                       T* stopped)
{
    __shared__ double sums[THREADS];
    if (stopped[0] != 0) return;
    int me = threadIdx.x;
    double sum = 0;
    for (long long row = me; row < batch; row += THREADS) sum += row_loss[row];
    double total = block_sum(sums, sum);
    if (me == 0) {
        long long made = step[0];
        double mean = (double)(T)(total * scale);  // beyond the range of T it is infinite and detected
        losses[made] = mean;
        step[0] = made + 1;
        if (!isfinite(mean)) stopped[0] = 1;
    }
}

// ── backward ──

// dz = da · f'(z), and its sums over this block's part of the rows: sums[blockIdx.y, column]. Without an activation da is dz.
// Blocks are 32 columns × 8 rows. `below` is the other factor of the weight gradient, which may not be finite in the step that
// stopped the run.
extern "C" __global__ void activation_gradient(const T* da, const T* z, const T* a, T* dz, T* sums, const T* stopped,
                                               long long batch, long long width, int function, T* below, long long below_count)
{
    __shared__ T partial[THREADS];
    long long column = (long long)blockIdx.x * WARP + threadIdx.x;
    bool halt = stopped[0] != 0;
    T sum = 0;
    if (column < width)
        for (long long row = (long long)blockIdx.y * TILE_ROWS + threadIdx.y; row < batch;
             row += (long long)gridDim.y * TILE_ROWS) {
            long long k = row * width + column;
            T value = function == IDENTITY ? dz[k] : da[k] * slope(function, z[k], a[k]);
            sum += value;
            if (halt) dz[k] = 0;
            else if (function != IDENTITY) dz[k] = value;
        }
    partial[threadIdx.y * WARP + threadIdx.x] = sum;
    __syncthreads();
    for (int half = TILE_ROWS / 2; half > 0; half /= 2) {
        if (threadIdx.y < half)
            partial[threadIdx.y * WARP + threadIdx.x] += partial[(threadIdx.y + half) * WARP + threadIdx.x];
        __syncthreads();
    }
    if (halt) {
        long long me = ((long long)blockIdx.y * gridDim.x + blockIdx.x) * THREADS + threadIdx.y * WARP + threadIdx.x;
        for (long long k = me; k < below_count; k += (long long)gridDim.x * gridDim.y * THREADS) below[k] = 0;
    }
    if (threadIdx.y == 0 && column < width && !halt) sums[(long long)blockIdx.y * width + column] = partial[threadIdx.x];
}

// The bias gradients of every layer, summed over the parts. layers[4·l ...] = the begin of the sums of layer l, the number of
// parts, its width, and the offset of its biases in the gradients.
extern "C" __global__ void bias_gradients(const T* sums, const long long* layers, T* gradients, const T* stopped)
{
    if (stopped[0] != 0) return;
    const long long* layer = layers + 4 * (long long)blockIdx.y;
    long long width = layer[2];
    for (long long column = (long long)blockIdx.x * blockDim.x + threadIdx.x; column < width;
         column += (long long)gridDim.x * blockDim.x) {
        T sum = 0;
        for (long long share = 0; share < layer[1]; share++) sum += sums[layer[0] + share * width + column];
        gradients[layer[3] + column] = sum;
    }
}

// ── update ──

// Σg² of the part of a block; the number of blocks is fixed.
extern "C" __global__ void gradient_squares(const T* gradients, long long count, double* shares, const T* stopped)
{
    __shared__ double sums[THREADS];
    if (stopped[0] != 0) return;
    double sum = 0;
    for (long long k = (long long)blockIdx.x * THREADS + threadIdx.x; k < count; k += (long long)gridDim.x * THREADS)
        sum += (double)gradients[k] * (double)gradients[k];
    double total = block_sum(sums, sum);
    if (threadIdx.x == 0) shares[blockIdx.x] = total;
}

// One block: s = Σg², c = min(1, limit / (√s + ε)); nan stays nan.
extern "C" __global__ void clip_factor(const double* shares, int count, double limit, double epsilon, T* squares, T* factor,
                                       const T* stopped)
{
    __shared__ double sums[THREADS];
    if (stopped[0] != 0) return;
    double sum = 0;
    for (int k = threadIdx.x; k < count; k += THREADS) sum += shares[k];
    double total = block_sum(sums, sum);
    if (threadIdx.x == 0) {
        double scale = limit / (sqrt(total) + epsilon);
        squares[0] = (T)total;
        factor[0] = (T)(scale > 1 ? 1.0 : scale);
    }
}

// The gradient that the rule uses: clipped if there is a factor, with λθ added.
__device__ T followed(T gradient, T theta, const T* factor, T decay)
{
    if (factor != 0) gradient = gradient * factor[0];
    return gradient + decay * theta;
}

#define EACH (long long k = (long long)blockIdx.x * THREADS + threadIdx.x; k < count; k += (long long)gridDim.x * THREADS)

extern "C" __global__ void sgd(T* theta, const T* gradients, const T* factor, T decay, const T* scalars, const long long* step,
                               const T* stopped, long long count)
{
    if (stopped[0] != 0) return;
    T rate = scalars[SCALARS * (step[0] - 1) + RATE];
    for EACH theta[k] -= rate * followed(gradients[k], theta[k], factor, decay);
}

// The optimizer state that a rule writes: 0 if it is subnormal. `lost` counts the numbers that became 0 because `kept`, the part
// of the old value, was subnormal.
__device__ T written(T value, T old, T kept, T smallest, long long* lost)
{
    if (fabs(value) < smallest) value = (T)0;
    if (value == 0 && old != 0 && fabs(kept) < smallest) lost[(long long)blockIdx.x * THREADS + threadIdx.x] += 1;
    return value;
}

extern "C" __global__ void momentum(T* theta, const T* gradients, T* velocity, const T* factor, T decay, T mu, int nesterov,
                                    T smallest, long long* lost, const T* scalars, const long long* step, const T* stopped, long long count)
{
    if (stopped[0] != 0) return;
    T rate = scalars[SCALARS * (step[0] - 1) + RATE];
    for EACH {
        T g = followed(gradients[k], theta[k], factor, decay);
        T v = written(mu * velocity[k] + g, velocity[k], mu * velocity[k], smallest, lost);
        velocity[k] = v;
        theta[k] -= rate * (nesterov ? g + mu * v : v);
    }
}

extern "C" __global__ void rmsprop(T* theta, const T* gradients, T* square_average, const T* factor, T decay, T rho, T rest,
                                   T epsilon, T smallest, long long* lost, const T* scalars, const long long* step, const T* stopped, long long count)
{
    if (stopped[0] != 0) return;
    T rate = scalars[SCALARS * (step[0] - 1) + RATE];
    for EACH {
        T g = followed(gradients[k], theta[k], factor, decay);
        T old = square_average[k];
        T s = written(rho * old + rest * g * g, old, rho * old, smallest, lost);
        square_average[k] = s;
        theta[k] -= rate * g / (sqrt(s) + epsilon);
    }
}

// The decay of AdamW is a factor on θ before the update; without it the factor is not read.
extern "C" __global__ void adam(T* theta, const T* gradients, T* first_moment, T* second_moment, const T* factor, T decay,
                                int decoupled, T beta1, T rest1, T beta2, T rest2, T smallest, long long* lost,
                                const T* scalars, const long long* step, const T* stopped, long long count)
{
    if (stopped[0] != 0) return;
    const T* now = scalars + SCALARS * (step[0] - 1);
    T rate = now[ADAM_RATE];
    T epsilon = now[ADAM_EPSILON];
    for EACH {
        T g = followed(gradients[k], theta[k], factor, decay);
        T m = written(beta1 * first_moment[k] + rest1 * g, first_moment[k], beta1 * first_moment[k], smallest, lost);
        T v = written(beta2 * second_moment[k] + rest2 * g * g, second_moment[k], beta2 * second_moment[k], smallest, lost);
        first_moment[k] = m;
        second_moment[k] = v;
        T before = decoupled ? theta[k] * now[DECAY_FACTOR] : theta[k];
        theta[k] = before - rate * m / (sqrt(v) + epsilon);
    }
}
