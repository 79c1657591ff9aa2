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
