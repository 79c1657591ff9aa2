// The geometry of a convolution or a pooling, laid out as `Window.dtype` in
// gpucnn/backends/window.py says.
//
// Window (row, column) sees the pixels (row * stride_height - padding_top + i,
// column * stride_width - padding_left + j), for i < height and j < width, of which those outside
// the image are padding.

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
};

// Which windows of a convolution or a pooling cover a pixel, along one axis.
//
// `pixel` is its distance from the first window's first element, padding counted in. Window o
// covers the pixels o * stride to o * stride + size - 1.

__device__ int first_window(int pixel, int size, int stride)
{
    return pixel < size ? 0 : (pixel - size) / stride + 1;
}

__device__ int last_window(int pixel, int stride, int windows)
{
    return min(pixel / stride, windows - 1);
}
