// Products of matrices: by themselves, or with what else a dense layer needs.
//
// matmul:          out = A B + bias; A of (m, k) and B of (k, n) may each lie transposed.
// dense_relu:      out = max(A B + bias, 0), NaN where that is NaN, of which dropout zeroes some
//                  elements and scales the others, unless `step` is null; its words are those of
//                  philox.cuh, for element first + i of the batch.
// dense_gradients: kernel_gradient = the transpose of x times output_gradient,
//                  bias_gradient[j] = sum of output_gradient[l, j] over l
//
// Index map: block (tile, z) adds up the terms l from z * split to (z + 1) * split - 1 for a tile of
// TILE x TILE outputs; the tiles are in row-major order. A and B go through shared memory in steps
// of STEP terms. There a term is a row, of A's tile as of B's, so that a thread reads what it needs
// of a term in vectors of 16 bytes. There are two of each tile: while one is multiplied, the next
// is on its way to registers, and from there goes to the other.
//
// The threads form SLICES squares of GROUP x GROUP. Each square adds up its share of the terms of
// every step for all outputs, so that a small tile keeps as many threads busy as a large one. A
// thread keeps THREAD x THREAD sums in registers, which take 2 * THREAD numbers of shared memory a
// term. In the end the sums of the slices are added up in shared memory.
//
// With more than one split, each block writes its tile to `slabs`, and the last block of a tile to
// finish adds these up in the order of the splits: so the few outputs of a sum over many terms are
// shared out over the whole device, and come out the same each time.
//
// The columns of B are summed by blocks of their own, one more row of tiles. Thread t of such a block
// adds up column t % TILE of the terms t / TILE, t / TILE + LINES, ... of the split; these LINES sums
// are then added up in shared memory, and the splits like those of the products.
//
// Bytes per output, at best: (2 k / TILE + 1) * sizeof(REAL), the first mostly from cache, and
// 2 sizeof(REAL) for each of several splits. Operations per output: k multiply-adds. Per sum of a
// column: k sizeof(REAL) from cache, and k additions. Dropout adds about 80 operations of integers.
//
// BLOCKS of float32 are asked for on a multiprocessor, half as many of float64: left to itself, the
// compiler takes 150 registers for a thread of 8 x 8 sums, which leaves room for one block.

#include "last_block.cuh"
#include "philox.cuh"

#define VECTOR (16 / (int)sizeof(REAL))                        // elements of 16 bytes
#define STEP (TERMS * (int)sizeof(float) / (int)sizeof(REAL))  // terms of a tile
#define ROW (TILE + VECTOR)  // elements from a term of a tile to the next
#define GROUP (TILE / THREAD)
#define SLICES (THREADS / (GROUP * GROUP))
#define SHARE (STEP / SLICES)             // terms of a step that a slice adds up
#define LOADED (THREADS * VECTOR / TILE)  // terms of a tile that are loaded at once
#define LOADS (STEP / LOADED)
#define LINES (THREADS / TILE)    // threads that add up a column of B
#define STRIP (GROUP * VECTOR)  // rows of outputs whose slices are added up at once
#define UNROLL (THREAD < 8 ? SHARE / 2 : 1)
#define MIN_BLOCKS (BLOCKS * sizeof(float) / sizeof(REAL))

#define EACH(i, count) _Pragma("unroll") for (int i = 0; i < (count); i++)

struct __align__(16) Vector {
    REAL elements[VECTOR];
};

typedef REAL Sums[THREAD][THREAD];
typedef REAL Tile[STEP][ROW];

union Shared {
    struct {
        Tile a, b;
    } tiles[2];
    REAL strip[SLICES][STRIP][TILE];
    REAL lines[LINES][TILE];
};

__device__ __forceinline__ Vector& vector_at(REAL* address) { return *(Vector*)address; }

__device__ __forceinline__ const Vector& vector_at(const REAL* address)
{
    return *(const Vector*)address;
}

// What a thread brings from A or B to shared memory. A line is a row of A or a column of B.
//
// A warp loads neighbouring vectors where lines are neighbours in memory. Where terms are, it loads
// two vectors of each of 16 lines, 32 bytes at a place, which go to different banks.
struct Operand {
    const REAL* next;       // its first element of the next tile
    long long load_stride;  // elements from one load to the next
    int terms_left;         // from that element to the end of the split; 0 beyond the matrix
    int lines_left;         // from that element to the end of the matrix, at most VECTOR
    int place;              // of that element in the tile
    bool along_lines;       // whether lines are neighbours in memory
    bool in_vectors;        // whether 16 bytes may be loaded at once
    Vector loaded[LOADS];
};

__device__ __forceinline__ Operand operand(
    const REAL* __restrict__ matrix,
    bool along_lines,
    long long lines,
    long long terms,
    long long first_line,
    long long first_term,
    int split_terms)
{
    const int t = threadIdx.x;
    const int tile_line = along_lines ? t % (TILE / VECTOR) * VECTOR : t / 2 % TILE;
    const int tile_term =
        along_lines ? t / (TILE / VECTOR) : (t / (2 * TILE) * 2 + t % 2) * VECTOR;
    const long long line = first_line + tile_line;
    const long long term = first_term + tile_term;
    Operand o;
    o.next = matrix + (along_lines ? term * lines + line : line * terms + term);
    o.load_stride = along_lines ? LOADED * lines : LOADED;
    o.terms_left = line < lines ? split_terms - tile_term : 0;
    o.lines_left = (int)min(lines - line, (long long)VECTOR);
    o.place = tile_term * ROW + tile_line;
    o.along_lines = along_lines;
    o.in_vectors = (along_lines ? lines : terms) % VECTOR == 0 && (size_t)matrix % 16 == 0;
    return o;
}

// Loads a thread's part of the next tile, zeros beyond the matrix and the split.
__device__ __forceinline__ void load(Operand& o)
{
    EACH(i, LOADS) {
        if (o.in_vectors) {
            o.loaded[i] = o.terms_left > 0 ? vector_at(o.next) : Vector{};
        } else {
            const int count = !o.along_lines ? o.terms_left : o.terms_left > 0 ? o.lines_left : 0;
            EACH(j, VECTOR) o.loaded[i].elements[j] = j < count ? o.next[j] : (REAL)0;
        }
        o.next += o.load_stride;
        o.terms_left -= LOADED;
    }
}

__device__ __forceinline__ void store(const Operand& o, Tile& tile)
{
    EACH(i, LOADS) {
        REAL* to = &tile[0][0] + o.place + i * LOADED * ROW;
        if (o.along_lines) {
            vector_at(to) = o.loaded[i];
        } else {
            EACH(j, VECTOR) to[j * ROW] = o.loaded[i].elements[j];
        }
    }
}

// Adds the products of a slice's share of the terms. Of its rows, a thread takes VECTOR neighbours
// from tm * VECTOR, from (tm + GROUP) * VECTOR, ...; columns alike.
__device__ __forceinline__ void multiply(
    Sums& sums, const Tile& a, const Tile& b, int slice, int tm, int tn)
{
#pragma unroll UNROLL
    for (int l = 0; l < SHARE; l++) {
        Vector x[THREAD / VECTOR], y[THREAD / VECTOR];
        EACH(v, THREAD / VECTOR) {
            x[v] = vector_at(&a[slice * SHARE + l][(tm + v * GROUP) * VECTOR]);
            y[v] = vector_at(&b[slice * SHARE + l][(tn + v * GROUP) * VECTOR]);
        }
        EACH(r, THREAD) EACH(c, THREAD)
            sums[r][c] += x[r / VECTOR].elements[r % VECTOR] * y[c / VECTOR].elements[c % VECTOR];
    }
}

// What is made of a product with its bias.
struct Activation {
    bool is_relu;
    bool drops;
    Dropout dropout;
    long long first;  // the number of the first output among the batch's
};

// Writes VECTOR neighbouring outputs from (i, j) on, those within the matrix, given their sums.
__device__ __forceinline__ void write(
    REAL* __restrict__ out,
    Vector values,
    long long i,
    long long j,
    long long m,
    long long n,
    const REAL* __restrict__ bias,
    const Activation& activation)
{
    if (i >= m || j >= n) return;
    long long drawn = -1;
    Words words;
    EACH(c, VECTOR)
    {
        REAL& value = values.elements[c];
        if (bias != nullptr && j + c < n) value += bias[j + c];
        if (activation.is_relu) value = value < 0 ? (REAL)0 : value;
        if (activation.drops) {
            const long long element = activation.first + i * n + j + c;
            if (element / 4 != drawn) words = random_words(activation.dropout.generator, element / 4);
            drawn = element / 4;
            unsigned word = 0;
            EACH(k, 4) word = element % 4 == k ? words.of[k] : word;
            value *= factor(activation.dropout, word);
        }
    }
    out += i * n + j;
    if (n % VECTOR == 0 && (size_t)out % 16 == 0) {
        vector_at(out) = values;
    } else {
        EACH(c, VECTOR) if (j + c < n) out[c] = values.elements[c];
    }
}

// The tile of outputs of this block.
__device__ __forceinline__ void product(
    const REAL* __restrict__ a,
    const REAL* __restrict__ b,
    const REAL* __restrict__ bias,
    REAL* __restrict__ out,
    REAL* slabs,
    unsigned* tickets,
    long long m,
    long long n,
    long long k,
    bool a_transposed,
    bool b_transposed,
    long long split,
    const Activation& activation,
    Shared& shared)
{
    const int t = threadIdx.x;
    const int slice = t / (GROUP * GROUP);
    const int tm = t / GROUP % GROUP;
    const int tn = t % GROUP;
    const unsigned columns_of_tiles = (unsigned)((n + TILE - 1) / TILE);
    const long long first_row = (long long)(blockIdx.x / columns_of_tiles) * TILE;
    const long long first_column = (long long)(blockIdx.x % columns_of_tiles) * TILE;
    const long long first_term = blockIdx.y * split;
    const int terms = (int)min(split, k - first_term);  // long sums are split

    Sums sums = {};
    Operand rows = operand(a, a_transposed, m, k, first_row, first_term, terms);
    Operand columns = operand(b, !b_transposed, n, k, first_column, first_term, terms);
    load(rows);
    load(columns);
    for (int left = terms, turn = 0;; left -= STEP, turn ^= 1) {
        store(rows, shared.tiles[turn].a);
        store(columns, shared.tiles[turn].b);
        __syncthreads();
        if (left > STEP) {
            load(rows);
            load(columns);
        }
        multiply(sums, shared.tiles[turn].a, shared.tiles[turn].b, slice, tm, tn);
        if (left <= STEP) break;
    }

    REAL* slab = slabs + ((long long)blockIdx.x * gridDim.y + blockIdx.y) * (TILE * TILE);
    EACH(v, THREAD / VECTOR) {
        __syncthreads();  // before the tiles, or the strip before, are overwritten
        EACH(r, VECTOR) EACH(w, THREAD / VECTOR) {
            Vector part;
            EACH(c, VECTOR) part.elements[c] = sums[v * VECTOR + r][w * VECTOR + c];
            vector_at(&shared.strip[slice][tm * VECTOR + r][(tn + w * GROUP) * VECTOR]) = part;
        }
        __syncthreads();
#pragma unroll
        for (int e = t * VECTOR; e < STRIP * TILE; e += THREADS * VECTOR) {
            Vector sum = {};
            EACH(s, SLICES)
            {
                const Vector part = vector_at(&shared.strip[s][e / TILE][e % TILE]);
                EACH(c, VECTOR) sum.elements[c] += part.elements[c];
            }
            const int row = v * STRIP + e / TILE;
            // Unsigned: of a sum of signed indices the compiler stores the elements one by one.
            const unsigned place = row * TILE + e % TILE;
            if (slabs != nullptr)
                vector_at(slab + place) = sum;
            else
                write(out, sum, first_row + row, first_column + e % TILE, m, n, bias, activation);
        }
    }
    if (slabs == nullptr || !is_last_block(tickets + blockIdx.x, gridDim.y)) return;

    slab = slabs + (long long)blockIdx.x * gridDim.y * (TILE * TILE);
    for (int e = t * VECTOR; e < TILE * TILE; e += THREADS * VECTOR) {
        Vector sum = {};
        for (unsigned z = 0; z < gridDim.y; z += AT_ONCE) {
            Vector parts[AT_ONCE];
            EACH(s, AT_ONCE)
                parts[s] = z + s < gridDim.y ? vector_at(slab + (z + s) * (TILE * TILE) + e)
                                             : Vector{};
            EACH(s, AT_ONCE) EACH(c, VECTOR) sum.elements[c] += parts[s].elements[c];
        }
        write(out, sum, first_row + e / TILE, first_column + e % TILE, m, n, bias, activation);
    }
}

// The sums of the columns of `b`, of (terms, columns), that are those of tile number `column_tile`.
__device__ __forceinline__ void sum_columns(
    const REAL* __restrict__ b,
    REAL* __restrict__ out,
    REAL* slabs,
    unsigned* tickets,
    long long terms,
    long long columns,
    long long column_tile,
    long long split,
    REAL (&lines)[LINES][TILE])
{
    const int line = threadIdx.x / TILE;
    const int column = threadIdx.x % TILE;
    const long long j = column_tile * TILE + column;
    const long long first_term = blockIdx.y * split;
    const int count = (int)min(split, terms - first_term);
    const REAL* next = b + (first_term + line) * columns + j;
    REAL sum = 0;
    if (j < columns) {
#pragma unroll 16
        for (int l = line; l < count; l += LINES, next += LINES * columns) sum += *next;
    }
    lines[line][column] = sum;
    __syncthreads();
    const bool writes = line == 0 && j < columns;
    EACH(other, LINES - 1) sum += lines[other + 1][column];
    if (slabs == nullptr) {
        if (writes) out[j] = sum;
        return;
    }
    REAL* slab = slabs + (long long)blockIdx.x * gridDim.y * (TILE * TILE) + column;
    if (writes) slab[blockIdx.y * (TILE * TILE)] = sum;
    if (!is_last_block(tickets + blockIdx.x, gridDim.y) || !writes) return;
    sum = 0;
#pragma unroll 16
    for (unsigned z = 0; z < gridDim.y; z++) sum += slab[z * (TILE * TILE)];
    out[j] = sum;
}

extern "C" __global__ void __launch_bounds__(THREADS, MIN_BLOCKS) matmul(
    const REAL* __restrict__ a,
    const REAL* __restrict__ b,
    const REAL* __restrict__ bias,
    REAL* __restrict__ out,
    REAL* slabs,
    unsigned* tickets,
    long long m,
    long long n,
    long long k,
    int a_transposed,
    int b_transposed,
    long long split)
{
    __shared__ Shared shared;
    product(
        a, b, bias, out, slabs, tickets, m, n, k, a_transposed, b_transposed, split, Activation{},
        shared);
}

extern "C" __global__ void __launch_bounds__(THREADS, MIN_BLOCKS) dense_relu(
    const REAL* __restrict__ x,
    const REAL* __restrict__ kernel,
    const REAL* __restrict__ bias,
    const long long* __restrict__ step,
    REAL* __restrict__ out,
    REAL* slabs,
    unsigned* tickets,
    long long images,
    long long inputs,
    long long units,
    long long split,
    long long first,
    unsigned threshold,
    unsigned key_low,
    unsigned key_high,
    unsigned stream,
    REAL scale)
{
    __shared__ Shared shared;
    const bool drops = step != nullptr;
    const Generator generator = {drops ? (unsigned)step[0] : 0, key_low, key_high, stream};
    const Activation activation = {true, drops, {generator, threshold, scale}, first};
    product(
        x, kernel, bias, out, slabs, tickets, images, units, inputs, false, false, split,
        activation, shared);
}

extern "C" __global__ void __launch_bounds__(THREADS, MIN_BLOCKS) dense_gradients(
    const REAL* __restrict__ x,
    const REAL* __restrict__ output_gradient,
    REAL* __restrict__ kernel_gradient,
    REAL* __restrict__ bias_gradient,
    REAL* slabs,
    unsigned* tickets,
    long long images,
    long long inputs,
    long long units,
    long long split)
{
    __shared__ Shared shared;
    const long long column_tile = blockIdx.x - (gridDim.x - (units + TILE - 1) / TILE);
    if (column_tile >= 0) {
        sum_columns(
            output_gradient, bias_gradient, slabs, tickets, images, units, column_tile, split,
            shared.lines);
        return;
    }
    product(
        x, output_gradient, nullptr, kernel_gradient, slabs, tickets, inputs, units, images, true,
        false, split, Activation{}, shared);
}
