// The functions of CUDA that need no include, beyond those of language.cu.

extern "C" __global__ void conversions(float x, double y, long long* out)
{
    int k = 0;
    out[k++] = __float2int_rn(x), out[k++] = __float2int_rz(-x), out[k++] = __float2int_rd(-x);
    out[k++] = __float2int_ru(x), out[k++] = __float2uint_rn(-x), out[k++] = __float2int_rz(1e20f);
    out[k++] = __float2int_rn(-1e20f), out[k++] = __double2int_rn(y - y);
    out[k++] = __double2uint_rz(5e9), out[k++] = __double2ll_rn(1e30), out[k++] = __float2ll_rz(-x);
    out[k++] = __float2ull_rz(1e19f) == 9999999980506447872ull;
    out[k++] = __int2float_rz(16777219), out[k++] = __int2float_rn(16777219);
    out[k++] = __int2float_ru(16777217), out[k++] = __int2float_rd(-16777217);
    out[k++] = __uint2float_rz(4294967295u), out[k++] = __ull2float_ru(~0ull) == 0x1p64f;
    out[k++] = __double2float_rd(y) < y, out[k++] = __double2float_ru(y) > y;
    out[k++] = __double2hiint(1.5), out[k++] = __hiloint2double(0x3ff80000, 0) == 1.5;
}

extern "C" __global__ void bits(long long* out)
{
    int k = 0;
    out[k++] = __byte_perm(0x03020100, 0x07060504, 0x7531);
    out[k++] = __byte_perm(0x000080ff, 0, 0x4991);
    out[k++] = __funnelshift_l(0x80000000u, 1, 1), out[k++] = __funnelshift_r(0, 1, 33);
    out[k++] = __funnelshift_lc(7, 1, 40), out[k++] = __funnelshift_rc(7, 9, 32);
    out[k++] = __brevll(1) == 1ull << 63, out[k++] = __mul24(-3, 5), out[k++] = __umul24(~0u, 2);
    out[k++] = __sad(-5, 3, 10), out[k++] = __usad(3, 5, 1), out[k++] = __hadd(-3, 0);
    out[k++] = __rhadd(1, 2), out[k++] = __uhadd(~0u, 1), out[k++] = __urhadd(~0u, 0);
    out[k++] = __dp4a(0x01ff0203, 0x04050607, 100), out[k++] = __dp4a(0xff000001u, 0x02000003u, 1u);
}

extern "C" __global__ void warps(unsigned* out)
{
    const unsigned i = threadIdx.x;
    out[i] = __match_any_sync(~0u, i / 5);
    int all;
    out[32 + i] = __match_all_sync(~0u, i / 32, &all) & (all ? ~0u : 0);
    out[64 + i] = __reduce_add_sync(~0u, i), out[96 + i] = __reduce_max_sync(~0u, -(int)i);
    out[128 + i] = __reduce_xor_sync(i < 16 ? 0xffffu : 0xffff0000u, 1u << i);
    if (i % 2 == 0) out[160 + i] = __activemask();
}

extern "C" __global__ void memory(float* x, int* out)
{
    __stcs(x, __ldcs(x + 1) + __ldcg(x + 2));
    char* bytes = (char*)malloc(8);
    memset(bytes, 3, 8);
    memcpy(out, bytes, 4);
    free(bytes);
    const long long begin = clock64();
    out[1] = clock64() >= begin;
    atomicAdd_block(&out[2], 5), atomicMax_system(&out[2], 7), atomicCAS_block(&out[2], 7, 9);
}
