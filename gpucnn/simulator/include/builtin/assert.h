// assert is there without an include; the C library's own would end the host's process.
#pragma once
