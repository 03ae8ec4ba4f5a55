"""The contained compiler, the project's own native code, and the cache of both."""

from qdkernel.evaluators.toolchain.cache import cache_dir, read_kept, write_cached, write_kept
from qdkernel.evaluators.toolchain.cffi_module import load_module
from qdkernel.evaluators.toolchain.compiler import (
    AGENT_RIGHTS,
    NETWORK_RIGHTS,
    CompileError,
    CompileLate,
    CompileLimits,
    assembly_hash,
    compile_instrumented,
    compile_kernel,
    confined_command,
    preprocess,
)
from qdkernel.evaluators.toolchain.counting import (
    FACTS_BYTES,
    TRACE_ROWS,
    NotCountable,
    compile_counting,
    static_tls,
    trace_bytes,
)
from qdkernel.evaluators.toolchain.flags import check_flags
from qdkernel.evaluators.toolchain.loop_bound import LoopBound, McaTool, find_llvm_mca, loop_bound
from qdkernel.evaluators.toolchain.native import (
    NATIVE,
    OWN_FLAGS,
    Built,
    build_cached,
    build_library_adapter,
    build_native,
    build_trace,
)
from qdkernel.evaluators.toolchain.remarks import Remark, compile_with_remarks, read_remarks
from qdkernel.evaluators.toolchain.toolchain import Toolchain, find_toolchain

__all__ = [
    "AGENT_RIGHTS",
    "FACTS_BYTES",
    "NATIVE",
    "NETWORK_RIGHTS",
    "OWN_FLAGS",
    "TRACE_ROWS",
    "Built",
    "CompileError",
    "CompileLate",
    "CompileLimits",
    "LoopBound",
    "McaTool",
    "NotCountable",
    "Remark",
    "Toolchain",
    "assembly_hash",
    "build_cached",
    "build_library_adapter",
    "build_native",
    "build_trace",
    "cache_dir",
    "check_flags",
    "compile_counting",
    "compile_instrumented",
    "compile_kernel",
    "compile_with_remarks",
    "confined_command",
    "find_llvm_mca",
    "find_toolchain",
    "load_module",
    "loop_bound",
    "preprocess",
    "read_kept",
    "read_remarks",
    "static_tls",
    "trace_bytes",
    "write_cached",
    "write_kept",
]
