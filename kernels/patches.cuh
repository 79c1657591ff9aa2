// The geometry of a convolution whose positive part is pooled by windows side by side, in constants
// of the compilation.
//
// Output (row, column) of the pooling is a maximum over POOL positions of the convolution, and
// depends on a patch of PATCH_HEIGHT x PATCH_WIDTH pixels, from (row * CELL_HEIGHT - PADDING_TOP,
// column * CELL_WIDTH - PADDING_LEFT) on: the patches of neighbours are a cell apart, and overlap
// where they are larger than that. Positions that pooling leaves out belong to no patch.

#define TAPS (HEIGHT * WIDTH)
#define POOL (POOL_HEIGHT * POOL_WIDTH)
#define CELL_HEIGHT (POOL_HEIGHT * STRIDE_HEIGHT)
#define CELL_WIDTH (POOL_WIDTH * STRIDE_WIDTH)
#define PATCH_HEIGHT ((POOL_HEIGHT - 1) * STRIDE_HEIGHT + (HEIGHT - 1) * DILATION_HEIGHT + 1)
#define PATCH_WIDTH ((POOL_WIDTH - 1) * STRIDE_WIDTH + (WIDTH - 1) * DILATION_WIDTH + 1)

// The row and the column in its patch of what element `e` of a pooling window begins with.
#define ELEMENT_ROW(e) ((e) / POOL_WIDTH * STRIDE_HEIGHT)
#define ELEMENT_COLUMN(e) ((e) % POOL_WIDTH * STRIDE_WIDTH)

// The row and the column, from there on, of what tap `t` of the kernel is multiplied with.
#define TAP_ROW(t) ((t) / WIDTH * DILATION_HEIGHT)
#define TAP_COLUMN(t) ((t) % WIDTH * DILATION_WIDTH)

// What stands for the argmax of an output that ReLU cut to 0: it has no gradient.
#define CUT POOL

// How many of `count` consecutive reals, of which `total` follow each other in memory, are read at
// once: 16 bytes of them, where whole vectors make both up.
#define REALS_OF_VECTOR ((int)(16 / sizeof(REAL)))
#define AT_ONCE(count, total) \
    ((count) % REALS_OF_VECTOR == 0 && (total) % REALS_OF_VECTOR == 0 ? REALS_OF_VECTOR : 1)

#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#define UNROLLED(i, count) _Pragma("unroll") for (int i = 0; i < (count); i++)
