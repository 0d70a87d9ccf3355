"""A program that stands in for Python where nothing of a bundle may run.

Asked by uv what interpreter it is, it says what the real one said when it was asked elsewhere. Called
for anything else it leaves a mark and ends with 77. It is an executable of a few dozen instructions, without
libraries and blind to its environment, so that the place it stands in needs no shell and no other program.
"""

from __future__ import annotations

import platform
import shlex
import struct
import sys

EXIT_CODE = 77
# How every release from 0.1.24 to 0.13.9 asks: `-I`, later `-B` too, `-c`, and a script that begins like this.
QUESTION = "import sys; sys.path = ["


def program(mark: str, answer: bytes = b"", venv: str = "", venv_answer: bytes = b"") -> bytes | None:
    """The executable for this machine; None for one that runs other executables or has other instructions.

    It marks by making the file `mark` longer. `venv_answer` is for calls by a name below the directory `venv`,
    `answer` for calls by any other name; where there is none, it refuses that question too.
    """
    data = {
        "mark": mark.encode() + b"\0",
        "prefix": (venv.rstrip("/") + "/bin/").encode("utf-8", "surrogateescape") if venv else b"\xff",
        "question": QUESTION.encode(),
        "answer": answer,
        "venv_answer": venv_answer,
    }
    machine = platform.machine() if sys.platform.startswith("linux") else ""
    if machine == "x86_64":
        return _elf(62, x86_64(data))
    if machine == "aarch64":
        return _elf(183, aarch64(data))
    return None


def script(mark: str, answer: bytes = b"", venv: str = "", venv_answer: bytes = b"") -> bytes:
    """The same for any machine with a shell; to be used only where nothing else is kept from running either."""

    def say(text: bytes) -> str:
        return f"printf %s {shlex.quote(text.decode('utf-8', 'surrogateescape'))}; exit 0" if text else ":"

    lines = [
        "#!/bin/sh",
        'for last do :; done; case "$last" in ' + shlex.quote(QUESTION) + '*) case "$0" in',
        f"{shlex.quote(venv or '-')}/*) {say(venv_answer)} ;;",
        f"*) {say(answer)} ;; esac ;; esac",
        f"printf / >>{shlex.quote(mark)}",
        f"exit {EXIT_CODE}",
    ]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def x86_64(data: dict[str, bytes]) -> bytes:
    """The instructions, and `data` behind them."""
    size = {name: struct.pack("<I", len(value)) for name, value in data.items()}
    code: list[bytes | str] = [
        _h("488b0c24 488b34cc"),  # mov rcx, [rsp]; mov rsi, [rsp + rcx * 8]   the last argument
        _h("488d3d"), ">>question", b"\xb9" + size["question"],  # lea rdi, [question]; mov ecx, its size
        _h("fc f3a6 75"), ">refuse",  # cld; repe cmpsb; jne refuse
        _h("488b742408"),  # mov rsi, [rsp + 8]   the name it was called by
        _h("488d3d"), ">>prefix", b"\xb9" + size["prefix"],
        _h("f3a6"),
        _h("488d35"), ">>venv_answer", b"\xba" + size["venv_answer"],  # lea rsi, [venv_answer]; mov edx, its size
        _h("74"), ">say",  # je say                (what is between leaves the flags alone)
        _h("488d35"), ">>answer", b"\xba" + size["answer"],
        "say:",
        _h("85d2 74"), ">refuse",  # test edx, edx; je refuse
        _h("bf01000000 b801000000 0f05"),  # write(1, rsi, edx)
        _h("31ff b8e7000000 0f05"),  # exit_group(0)
        "refuse:",
        _h("488d3d"), ">>mark", _h("be01040000 31d2 b802000000 0f05"),  # open(mark, O_WRONLY | O_APPEND)
        _h("89c7 488d35"), ">>mark", _h("ba01000000 b801000000 0f05"),  # write(it, mark, 1)
        _h("bf4d000000 b8e7000000 0f05"),  # exit_group(77)
    ]  # fmt: skip
    at, labels = 0, {}
    for part in code:
        if isinstance(part, str) and part.endswith(":"):
            labels[part[:-1]] = at
        else:
            at += len(part) if isinstance(part, bytes) else 4 if part.startswith(">>") else 1
    for name, value in data.items():
        labels[name] = at
        at += len(value)
    out = b""
    for part in code:
        # Distances count from the end of the instruction, which here is the end of the distance itself.
        if isinstance(part, bytes):
            out += part
        elif part.startswith(">>"):
            out += struct.pack("<i", labels[part[2:]] - (len(out) + 4))
        elif part.startswith(">"):
            out += struct.pack("<b", labels[part[1:]] - (len(out) + 1))
    return out + b"".join(data.values())


def _h(text: str) -> bytes:
    return bytes.fromhex(text)


def aarch64(data: dict[str, bytes]) -> bytes:
    """The instructions, and `data` behind them."""
    svc = 0xD4000001
    # Plain numbers are whole instructions; a pair is one that lacks the distance to a label.
    code: list[int | str | tuple[int, str]] = [
        0xF94003E0, 0x8B206FE0, 0xF9400000,  # ldr x0, [sp]; add x0, sp, x0, lsl 3; ldr x0, [x0]   the last argument
        (0x10000001, "question"), *_mov(2, len(data["question"])),  # adr x1, question; mov x2, its size
        "ask:",
        (0xB4000002, "asked"),  # cbz x2, asked
        0x38401403, 0x38401424,  # ldrb w3, [x0], 1; ldrb w4, [x1], 1
        0xD1000442, 0x6B04007F, (0x54000000, "ask"), (0x14000000, "refuse"),  # sub x2, x2, 1; cmp w3, w4; b.eq ask; b
        "asked:",
        0xF94007E0,  # ldr x0, [sp, 8]   the name it was called by
        (0x10000001, "prefix"), *_mov(2, len(data["prefix"])),
        "loop:",
        (0xB4000002, "venv"),
        0x38401403, 0x38401424,
        0xD1000442, 0x6B04007F, (0x54000000, "loop"),
        (0x10000001, "answer"), *_mov(2, len(data["answer"])), (0x14000000, "say"),
        "venv:",
        (0x10000001, "venv_answer"), *_mov(2, len(data["venv_answer"])),
        "say:",
        (0xB4000002, "refuse"),  # cbz x2, refuse
        *_mov(0, 1), *_mov(8, 64), svc,  # write(1, x1, x2)
        *_mov(0, 0), *_mov(8, 94), svc,  # exit_group(0)
        "refuse:",
        0x92800C60, (0x10000001, "mark"), *_mov(2, 0x401), *_mov(3, 0), *_mov(8, 56), svc,  # openat(-100, mark, ...)
        (0x10000001, "mark"), *_mov(2, 1), *_mov(8, 64), svc,  # write(it, mark, 1)
        *_mov(0, EXIT_CODE), *_mov(8, 94), svc,  # exit_group(77)
    ]  # fmt: skip
    at, labels = 0, {}
    for part in code:
        if isinstance(part, str):
            labels[part[:-1]] = at
        else:
            at += 4
    for name, value in data.items():
        labels[name] = at
        at += len(value)
    out = b""
    for part in code:
        if isinstance(part, int):
            out += struct.pack("<I", part)
        elif isinstance(part, tuple):
            word, distance = part[0], labels[part[1]] - len(out)
            if word >> 24 == 0x10:  # adr: in bytes, the two low bits apart
                word |= (distance & 3) << 29 | (distance >> 2 & 0x7FFFF) << 5
            elif word >> 26 == 0b000101:  # b
                word |= distance >> 2 & 0x3FFFFFF
            else:  # cbz, cbnz, b.cond
                word |= (distance >> 2 & 0x7FFFF) << 5
            out += struct.pack("<I", word)
    return out + b"".join(data.values())


def _mov(register: int, value: int) -> tuple[int, int]:
    """What loads a register: `value` of up to 32 bits."""
    return 0xD2800000 | (value & 0xFFFF) << 5 | register, 0xF2A00000 | (value >> 16) << 5 | register


def _elf(machine: int, code: bytes) -> bytes:
    base, start = 0x400000, 64 + 56
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, machine, 1, base + start, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, start + len(code), start + len(code), 0x10000)
    return header + segment + code
