"""The build files of an exported library: CMake and pkg-config."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qdkernel.export.compiled.sources import Files, kernel_file
from qdkernel.export.compiled.variants import Function

_CMAKE = """# Builds libqdkernel.so: cmake -B build && cmake --build build && cmake --install build --prefix DIR
cmake_minimum_required(VERSION 3.16)
project(qdkernel VERSION 1.0.0 LANGUAGES C)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
find_package(OpenMP REQUIRED COMPONENTS C)
find_package(Threads REQUIRED)

add_library(qdkernel SHARED
%(sources)s)
%(flags)sset_target_properties(qdkernel PROPERTIES
  C_VISIBILITY_PRESET hidden VERSION ${PROJECT_VERSION} SOVERSION 1 PUBLIC_HEADER include/qdkernel.h)
target_include_directories(qdkernel
  PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
target_link_libraries(qdkernel PRIVATE OpenMP::OpenMP_C Threads::Threads m ${CMAKE_DL_LIBS})

configure_file(qdkernel.pc.in qdkernel.pc @ONLY)
install(TARGETS qdkernel EXPORT qdkernelConfig
  LIBRARY DESTINATION lib PUBLIC_HEADER DESTINATION include)
install(EXPORT qdkernelConfig NAMESPACE qdkernel:: DESTINATION lib/cmake/qdkernel)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/qdkernel.pc DESTINATION lib/pkgconfig)
"""

_PKG_CONFIG = """prefix=${pcfiledir}/../..
includedir=${prefix}/include
libdir=${prefix}/lib

Name: qdkernel
Description: Kernels bred by qdkernel
Version: @PROJECT_VERSION@
Cflags: -I${includedir}
Libs: -L${libdir} -lqdkernel
"""


def cmake_files(functions: Sequence[Function], sources: Iterable[str]) -> Files:
    """``CMakeLists.txt`` and ``qdkernel.pc.in``.

    Args:
        functions: of the library; each kernel is compiled with its own flags.
        sources: paths of all C files of the library.
    """
    flags = "".join(
        f'set_source_files_properties({kernel_file(variant)} PROPERTIES COMPILE_OPTIONS "{";".join(variant.flags)}")\n'
        for function in functions
        for variant in function.variants
    )
    listed = "".join(f"  {path}\n" for path in sources if path.endswith(".c"))
    return {
        "CMakeLists.txt": (_CMAKE % {"sources": listed.rstrip("\n"), "flags": flags}).encode(),
        "qdkernel.pc.in": _PKG_CONFIG.encode(),
    }
