// The geometry of a convolution or a pooling, laid out as `Window.dtype` in
// gpucnn/backends/window.py says.
//
// Window (row, column) sees the pixels (row * stride_height - padding_top + i * dilation_height,
// column * stride_width - padding_left + j * dilation_width), for i < height and j < width, of which
// those outside the image are padding. Only convolutions have a dilation above 1.

struct Window {
    int image_height;
    int image_width;
    int rows;  // of window positions
    int columns;
    int height;
    int width;
    int stride_height;
    int stride_width;
    int padding_top;
    int padding_left;
    int dilation_height;
    int dilation_width;
};

// Which windows of a convolution or a pooling see a pixel, along one axis: every `dilation`th from
// `first_window` to `last_window`.
//
// `pixel` is its distance from the first window's first element, padding counted in. Window o sees
// the pixels o * stride + i * dilation, for i < size. The stride or the dilation is 1, so that from
// one window that sees the pixel to the next, i falls by the stride.

__device__ int first_window(int pixel, int size, int stride, int dilation = 1)
{
    const int extent = (size - 1) * dilation + 1;
    return pixel < extent ? pixel % dilation : (pixel - extent) / stride + 1;
}

__device__ int last_window(int pixel, int stride, int windows)
{
    return min(pixel / stride, windows - 1);
}
