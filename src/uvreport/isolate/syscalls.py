"""The calls to the kernel that nothing in a jail may make, as a program for the kernel's filter (seccomp).

A second layer: nearly all of them fail in a jail already, for want of a capability. What is refused here does not even
reach the code of the kernel in which most escapes were found: mounting, namespaces, tracing, BPF, io_uring, keys.

The program is made by hand, since a library would have to be installed. It is a list of instructions of eight bytes, as
linux/filter.h has them, that look at `struct seccomp_data`: the number of the call at offset 0, the architecture at 4,
the arguments from 16 on, eight bytes each. Every test is followed by its own answer, so all jumps are short.
Numbers are those of the kernel's tables (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
"""

from __future__ import annotations

import struct

# name -> number on x86_64, and on aarch64 (None: the call does not exist there)
REFUSED: dict[str, tuple[int, int | None]] = {
    # mounts
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442),
    # namespaces
    "unshare": (272, 97), "setns": (308, 268), "sethostname": (170, 161), "setdomainname": (171, 162),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "kcmp": (312, 272), "process_madvise": (440, 440),
    # large parts of the kernel that no build needs
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "fanotify_init": (300, 262),
    # memory that no limit counts
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194),
    # files by a handle, past every path
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    # the machine
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "syslog": (103, 116), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "clock_adjtime": (305, 266), "iopl": (172, None), "ioperm": (173, None),
    "modify_ldt": (154, None), "uselib": (134, None),
}  # fmt: skip

# machine -> its column above, its number for the filter, and its numbers of clone, ioctl and socket
_MACHINES = {
    "x86_64": (0, 0xC000003E, 56, 16, 41),
    "aarch64": (1, 0xC00000B7, 220, 29, 198),
}
_CLONE3 = 435
_X32 = 0x40000000  # x86_64 has a second table of calls from here on

_NEW_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_TYPING = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX: put words into the terminal of whoever started it
# Unix, IPv4, IPv6, netlink. Not AF_VSOCK, which reaches the host of a virtual machine from any network namespace.
_FAMILIES = (1, 2, 10, 16)

_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24


def program(machine: str) -> bytes:
    """The filter for `machine` (as `os.uname` calls it), b"" where its numbers are not known here."""
    if machine not in _MACHINES:
        return b""
    column, architecture, clone, ioctl, socket = _MACHINES[machine]
    out = [
        _do(_LOAD, _ARCHITECTURE),
        *_unless(_EQUAL, architecture, _KILL),  # a program of 32 bits has other numbers
        _do(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        out += _when(_AT_LEAST, _X32, _ERROR | _ENOSYS)
    for numbers in REFUSED.values():
        number = numbers[column]
        if number is not None:
            out += _when(_EQUAL, number, _ERROR | _EPERM)
    # Its flags are in memory, where a filter cannot look. The C library takes clone where this one is missing.
    out += _when(_EQUAL, _CLONE3, _ERROR | _ENOSYS)
    out += _argument(clone, _FIRST, [*_when(_ANY_BIT, _NEW_NAMESPACES, _ERROR | _EPERM)], _ALLOW)
    typing = [step for number in _TYPING for step in _when(_EQUAL, number, _ERROR | _EPERM)]
    out += _argument(ioctl, _SECOND, typing, _ALLOW)
    families = [step for family in _FAMILIES for step in _when(_EQUAL, family, _ALLOW)]
    out += _argument(socket, _FIRST, families, _ERROR | _EAFNOSUPPORT)
    return b"".join([*out, _do(_RETURN, _ALLOW)])


def _do(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _when(test: int, value: int, answer: int) -> list[bytes]:
    """Ends with `answer` where the test holds."""
    return [_do(test, value, 0, 1), _do(_RETURN, answer)]


def _unless(test: int, value: int, answer: int) -> list[bytes]:
    return [_do(test, value, 1, 0), _do(_RETURN, answer)]


def _argument(call: int, offset: int, steps: list[bytes], otherwise: int) -> list[bytes]:
    """For this call: looks at the lower half of an argument with `steps`, and ends with `otherwise`."""
    inner = [_do(_LOAD, offset), *steps, _do(_RETURN, otherwise)]
    return [_do(_EQUAL, call, 0, len(inner)), *inner]
