"""The names of NumPy that CuPy has too, by what CuPy does with them."""


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


SAME = words("""
bool bool_ byte cdouble complex128 complex64 complexfloating csingle double dtype dtypes e
euler_gamma exceptions finfo float16 float32 float64 floating generic half iinfo index_exp inexact
inf int16 int32 int64 int8 int_ intc integer intp long longlong nan newaxis number pi s_ short
signedinteger single ubyte uint uint16 uint32 uint64 uint8 uintc uintp ulong ulonglong
unsignedinteger ushort array2string base_repr binary_repr broadcast_shapes can_cast
format_float_positional format_float_scientific get_printoptions isdtype isscalar issubdtype
iterable min_scalar_type mintypecode ndindex printoptions promote_types set_printoptions typename
""")
"""Types, constants, and functions of no array."""

CREATING = words("""
array asanyarray asarray asarray_chkfinite ascontiguousarray asfortranarray require
""")
"""Functions that bring arrays to the device."""

CHANGING = words("""
copyto fill_diagonal place put put_along_axis putmask
""")
"""Functions that change an array and return nothing."""

TRUTHS = ["allclose", "array_equal", "array_equiv"]
"""Functions whose result is an array of one bool, where NumPy's is a Python bool."""

GRIDS = ["c_", "mgrid", "ogrid", "r_"]
"""What is indexed, and gives arrays."""

FUNCTIONS = words("""
all amax amin angle any append apply_along_axis apply_over_axes arange argmax argmin argpartition
argsort argwhere around array_repr array_split array_str astype atleast_1d atleast_2d atleast_3d
average bartlett bincount blackman broadcast broadcast_arrays broadcast_to choose clip
column_stack common_type compress concat concatenate convolve copy corrcoef correlate
count_nonzero cov cross cumprod cumsum cumulative_prod cumulative_sum delete diag diag_indices
diag_indices_from diagflat diagonal diff digitize dot dsplit dstack ediff1d einsum expand_dims
extract eye fix flatnonzero flip fliplr flipud frombuffer fromfile fromfunction fromiter
fromstring full full_like genfromtxt gradient hamming hanning histogram histogram2d histogramdd
hsplit hstack i0 identity imag indices inner interp intersect1d isclose iscomplex iscomplexobj
isfortran isin isneginf isposinf isreal isrealobj ix_ kaiser kron lexsort linspace load loadtxt
logspace mask_indices matrix_transpose max may_share_memory mean median meshgrid min moveaxis
nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanprod nanstd
nansum nanvar ndim nonzero ones ones_like outer packbits pad partition percentile permute_dims
piecewise poly polyadd polyfit polymul polysub polyval prod ptp quantile ravel ravel_multi_index
real real_if_close repeat reshape resize result_type roll rollaxis roots rot90 round save savetxt
savez savez_compressed searchsorted select setdiff1d setxor1d shape shares_memory sinc size sort
sort_complex split squeeze stack std sum swapaxes take take_along_axis tensordot tile trace
transpose trapezoid tri tril tril_indices tril_indices_from trim_zeros triu triu_indices
triu_indices_from union1d unique unique_all unique_counts unique_inverse unique_values unpackbits
unravel_index unwrap vander var vdot vsplit vstack where zeros zeros_like
""")
"""Functions of arrays, with arrays as results."""

UFUNCS = words("""
abs absolute acos acosh add arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan
atan2 atanh bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or
bitwise_right_shift bitwise_xor cbrt ceil conj conjugate copysign cos cosh deg2rad degrees divide
divmod equal exp exp2 expm1 fabs float_power floor floor_divide fmax fmin fmod frexp gcd greater
greater_equal heaviside hypot invert isfinite isinf isnan lcm ldexp left_shift less less_equal log
log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor matmul
maximum minimum mod modf multiply negative nextafter not_equal positive pow power rad2deg radians
reciprocal remainder right_shift rint sign signbit sin sinh sqrt square subtract tan tanh
true_divide trunc
""")

LINALG = words("""
cholesky cond cross det diagonal eig eigh eigvals eigvalsh inv lstsq matmul matrix_norm
matrix_power matrix_rank matrix_transpose norm outer pinv qr slogdet solve svd svdvals tensordot
tensorinv tensorsolve trace vecdot vector_norm
""")

FFT = words("""
fft fft2 fftfreq fftn fftshift hfft ifft ifft2 ifftn ifftshift ihfft irfft irfft2 irfftn rfft
rfft2 rfftfreq rfftn
""")

RANDOM = words("""
beta binomial bytes chisquare choice dirichlet exponential f gamma geometric gumbel hypergeometric
laplace logistic lognormal logseries multinomial multivariate_normal negative_binomial
noncentral_chisquare noncentral_f normal pareto permutation poisson power rand randint randn
random random_integers random_sample ranf rayleigh sample standard_cauchy standard_exponential
standard_gamma standard_normal standard_t triangular uniform vonmises wald weibull zipf
""")

SCIPY = words("""
fft interpolate linalg ndimage signal special stats
""")
"""Modules of SciPy that `cupyx.scipy` has, and that are SciPy's here."""
