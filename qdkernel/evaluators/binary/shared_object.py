"""What a linked kernel holds: symbols, sections, code and relocations, read with pyelftools."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_RELOC_TYPE_AARCH64, ENUM_RELOC_TYPE_x64

# Heuristic: four times what the object policy accepts, so that a fat kernel is refused for its size.
_FILE_LIMIT = 16 << 20
# Bounds on the work and the memory that damaged headers can ask for. A kernel has 15 sections and takes 2,000 reads.
_MAX_SECTIONS = 256
_MAX_READS = 200_000  # about a second
_MAX_READ_BYTES = 2 * _FILE_LIMIT
_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR, _SHF_COMPRESSED = 1, 2, 4, 1 << 11
_PF_EXEC, _PF_WRITE = 1, 2
_RELOCATION_NAMES: Mapping[int, str] = {
    number: name
    for kinds in (ENUM_RELOC_TYPE_x64, ENUM_RELOC_TYPE_AARCH64)
    for name, number in kinds.items()
    if name[0] == "R"
} | {1031: "R_AARCH64_TLSDESC", 1032: "R_AARCH64_IRELATIVE"}  # pyelftools has names of an older ABI


@dataclass(frozen=True)
class Section:
    """A section as it lies in memory; ``data`` is empty for one without contents (.bss, .tbss)."""

    name: str
    address: int
    size: int
    writable: bool
    executable: bool
    data: bytes

    def holds(self, address: int) -> bool:
        """Whether ``address`` lies inside."""
        return self.address <= address < self.address + self.size


@dataclass(frozen=True)
class CodeFunction:
    """A function's machine code and where it is linked to."""

    name: str
    address: int
    code: bytes


@dataclass(frozen=True)
class SharedObject:
    """The facts of one linked kernel.

    Attributes:
        file_size: bytes.
        machine: ELF machine, e.g. ``EM_X86_64``.
        exports: names of the defined dynamic symbols.
        imports: names of the undefined dynamic symbols; what the linker dropped leaves none behind.
        needed: libraries it asks the loader for.
        dynamic_tags: names of its dynamic entries, e.g. ``DT_INIT_ARRAY``.
        ifuncs: symbols that a resolver would choose while the object is loaded.
        writable_code: whether a segment is both writable and executable.
        executable_stack: whether it asks for a stack that holds code.
        sections: those that occupy memory, by name.
        functions: by ascending address.
        got: address of a relocated pointer -> the imported symbol it will hold.
        constant_pointers: address of a pointer that is read-only once the object is loaded -> the address inside the
            object that it will hold.
        code_hash: SHA-256 over code, constants, initialised data and relocations with the names of imported symbols.
            Names of the kernel's own symbols, comments and layout of the source do not enter.
    """

    file_size: int
    machine: str
    exports: tuple[str, ...]
    imports: tuple[str, ...]
    needed: tuple[str, ...]
    dynamic_tags: frozenset[str]
    ifuncs: tuple[str, ...]
    writable_code: bool
    executable_stack: bool
    sections: Mapping[str, Section]
    functions: tuple[CodeFunction, ...]
    got: Mapping[int, str]
    constant_pointers: Mapping[int, int]
    code_hash: str

    def section_size(self, prefix: str) -> int:
        """Bytes in the sections named ``prefix`` or ``prefix.something``."""
        return sum(s.size for s in self.sections.values() if s.name == prefix or s.name.startswith(prefix + "."))

    @property
    def static_bytes(self) -> int:
        """Bytes of writable static data that all threads share; what is thread-local or only relocated is not."""
        return self.section_size(".data") + self.section_size(".bss") - self.section_size(".data.rel.ro")

    @property
    def thread_local_bytes(self) -> int:
        """Bytes of data that each thread has a copy of."""
        return self.section_size(".tdata") + self.section_size(".tbss")


@dataclass(frozen=True)
class _Relocation:
    offset: int
    kind: int
    symbol: str
    addend: int


def read_shared_object(path: Path) -> SharedObject:
    """The facts of the shared object in a file.

    Raises:
        ValueError: not a well-formed 64-bit shared object, or larger than 16 MiB.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(_FILE_LIMIT + 1)
    if len(data) > _FILE_LIMIT:
        raise ValueError(f"{path.name} is larger than {_FILE_LIMIT >> 20} MiB; shrink its tables or its unrolling")
    try:
        return _read(data)
    except Exception as error:  # pyelftools answers damaged files with whatever its parser ran into
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path.name} is not a well-formed 64-bit ELF shared object: {reason}") from error


class _Metered(io.BytesIO):
    """A file in memory that refuses to be read for ever: tables may overlap, and names may have no end."""

    reads_left, bytes_left = _MAX_READS, _MAX_READ_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file.

        Raises:
            ValueError: more, or more often, was read than any kernel takes.
        """
        data = super().read(size)
        self.reads_left -= 1
        self.bytes_left -= len(data)
        if self.reads_left < 0 or self.bytes_left < 0:
            raise ValueError("its tables overlap or have too many entries")
        return data


def _read(data: bytes) -> SharedObject:
    elf = ELFFile(_Metered(data))
    if elf.elfclass != 64 or elf["e_type"] != "ET_DYN":
        raise ValueError(f"expected a 64-bit shared object, got a {elf.elfclass}-bit {elf['e_type']}")
    if not 0 < elf.num_sections() <= _MAX_SECTIONS:
        raise ValueError(f"{elf.num_sections()} sections; expected 1 to {_MAX_SECTIONS}")
    parts = list(elf.iter_sections())
    _check_extents(parts, len(data))
    sections = _memory_sections(parts)
    dynamic_symbols = _symbols(parts, "SHT_DYNSYM")
    all_symbols = _symbols(parts, "SHT_SYMTAB") or dynamic_symbols
    relocations = _relocations(elf, parts)
    tags = _dynamic(parts)
    return SharedObject(
        file_size=len(data),
        machine=str(elf["e_machine"]),
        exports=tuple(sorted(s.name for s in dynamic_symbols if s.name and s["st_shndx"] != "SHN_UNDEF")),
        imports=tuple(sorted(s.name for s in dynamic_symbols if s.name and s["st_shndx"] == "SHN_UNDEF")),
        needed=tuple(tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"),
        dynamic_tags=frozenset(str(tag.entry.d_tag) for tag in tags),
        ifuncs=_ifuncs(all_symbols, relocations),
        writable_code=_writable_code(elf),
        executable_stack=any(
            segment["p_type"] == "PT_GNU_STACK" and segment["p_flags"] & _PF_EXEC for segment in elf.iter_segments()
        ),
        sections=sections,
        functions=_functions(all_symbols, sections),
        got={r.offset: name for r in relocations if (name := _held(r))},
        constant_pointers=_constant_pointers(sections, relocations),
        code_hash=_code_hash(sections, relocations),
    )


def _check_extents(parts: Sequence[Any], file_size: int) -> None:
    """Every section lies inside the file: a damaged size would otherwise keep the parser busy for ever."""
    for part in parts:
        if part["sh_type"] not in ("SHT_NOBITS", "SHT_NULL") and part["sh_offset"] + part["sh_size"] > file_size:
            raise ValueError(f"section {part.name!r} ends behind the end of the file")
        if part["sh_flags"] & _SHF_COMPRESSED:
            raise ValueError(f"section {part.name!r} is compressed, and may be of any size unpacked")
        if part["sh_type"] in ("SHT_DYNSYM", "SHT_SYMTAB", "SHT_RELA", "SHT_DYNAMIC") and part["sh_entsize"] < 8:
            raise ValueError(f"section {part.name!r} has entries of {part['sh_entsize']} bytes")


def _memory_sections(parts: Sequence[Any]) -> dict[str, Section]:
    found: dict[str, Section] = {}
    for part in parts:
        flags = part["sh_flags"]
        if flags & _SHF_ALLOC:
            name = part.name if part.name not in found else f"{part.name}@{part['sh_addr']:#x}"
            empty = part["sh_type"] == "SHT_NOBITS"
            found[name] = Section(
                name=name,
                address=part["sh_addr"],
                size=part["sh_size"],
                writable=bool(flags & _SHF_WRITE),
                executable=bool(flags & _SHF_EXECINSTR),
                data=b"" if empty else bytes(part.data()),
            )
    return found


def _symbols(parts: Sequence[Any], kind: str) -> list[Any]:
    return [symbol for part in parts if part["sh_type"] == kind for symbol in part.iter_symbols()]


def _relocations(elf: Any, parts: Sequence[Any]) -> list[_Relocation]:
    found = []
    for part in parts:
        if part["sh_type"] not in ("SHT_RELA", "SHT_REL"):
            continue
        table = elf.get_section(part["sh_link"]) if part["sh_link"] else None
        for entry in part.iter_relocations():
            index = entry["r_info_sym"]
            name = table.get_symbol(index).name if table is not None and index else ""
            addend = entry["r_addend"] if entry.is_RELA() else 0
            found.append(_Relocation(entry["r_offset"], entry["r_info_type"], name, addend))
    return found


def _dynamic(parts: Sequence[Any]) -> list[Any]:
    return [tag for part in parts if part["sh_type"] == "SHT_DYNAMIC" for tag in part.iter_tags()]


def _held(relocation: _Relocation) -> str:
    """The imported symbol whose address a relocated slot will hold; empty where it holds none."""
    # aarch64 finds thread-local data by a function of the loader whose address is in a descriptor.
    descriptor = _RELOCATION_NAMES.get(relocation.kind) == "R_AARCH64_TLSDESC"
    return "__tls_get_addr" if descriptor else relocation.symbol


def _constant_pointers(sections: Mapping[str, Section], relocations: Sequence[_Relocation]) -> dict[int, int]:
    constant = [section for section in sections.values() if section.name.startswith(".data.rel.ro")]
    relative = (r for r in relocations if _RELOCATION_NAMES.get(r.kind, "").endswith("_RELATIVE"))
    return {r.offset: r.addend for r in relative if any(section.holds(r.offset) for section in constant)}


def _ifuncs(symbols: Sequence[Any], relocations: Sequence[_Relocation]) -> tuple[str, ...]:
    named = {s.name for s in symbols if s["st_info"]["type"] in ("STT_GNU_IFUNC", "STT_LOOS")}
    resolved = {f"at {r.offset:#x}" for r in relocations if "IRELATIV" in _RELOCATION_NAMES.get(r.kind, "")}
    return tuple(sorted(named | resolved))


def _writable_code(elf: Any) -> bool:
    wanted = _PF_EXEC | _PF_WRITE
    return any(s["p_type"] == "PT_LOAD" and s["p_flags"] & wanted == wanted for s in elf.iter_segments())


def _functions(symbols: Sequence[Any], sections: Mapping[str, Section]) -> tuple[CodeFunction, ...]:
    code = [section for section in sections.values() if section.executable]
    found: dict[int, CodeFunction] = {}
    left = sum(len(section.data) for section in code)
    for symbol in symbols:
        address, size = symbol["st_value"], symbol["st_size"]
        if symbol["st_info"]["type"] != "STT_FUNC" or not size:
            continue
        for section in code:
            start = address - section.address
            if start >= 0 and start + size <= len(section.data) and address not in found:
                found[address] = CodeFunction(symbol.name, address, section.data[start : start + size])
                left -= size
                if left < 0:  # would be read once per function
                    raise ValueError("its functions overlap")
    return tuple(found[address] for address in sorted(found))


def _code_hash(sections: Mapping[str, Section], relocations: Sequence[_Relocation]) -> str:
    # Without the relocations' symbol names a kernel that calls sin and one that calls cos are equal.
    digest = hashlib.sha256()
    for part in _hashed(sections, relocations):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _hashed(sections: Mapping[str, Section], relocations: Sequence[_Relocation]) -> Iterator[bytes]:
    wanted = (".text", ".rodata", ".data", ".tdata", ".bss", ".tbss", ".init", ".fini", ".ctors", ".dtors")
    for name in sorted(sections):
        if name.startswith(wanted):
            section = sections[name]
            yield f"{name} {section.size}".encode()
            yield section.data
    for relocation in sorted(relocations, key=lambda r: (r.offset, r.kind)):
        yield f"{relocation.offset} {relocation.kind} {relocation.symbol} {relocation.addend}".encode()
