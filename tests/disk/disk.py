"""Orders to the preloaded disk library (disk.h), and its log, from Python.

    disk = Disk(folder, root)               # folder: outside of root
    subprocess.Popen(..., env={**os.environ, **disk.environment(build_folder)})
    disk.order(FAIL, (WRITE, WRITE_SYNC), "spool/*", parameter=errno.ENOSPC)    # from the next write on
    disk.order(FAIL, (FLUSH,), "spool/data.mdb", skip=3, times=1, parameter=errno.EIO)  # the fourth flush, once
    disk.order(SLEEP, (FLUSH, FLUSH_ALL), parameter=20)                        # every flush takes 20 ms longer
    disk.hits(slot); disk.clear(slot); disk.clear()
"""
import mmap
import os
import pathlib
import signal
import struct
import threading

(WRITE, WRITE_SYNC, TRUNCATE, CREATE, MAKE_FOLDER, RENAME, LINK, UNLINK, REMOVE_FOLDER, FLUSH, FLUSH_ALL, FLUSH_END, MAP,
 NOTE) = range(1, 15)
FAIL, SLEEP, SWALLOW, DIE_BEFORE, DIE_AFTER = range(1, 6)

HEADER = struct.Struct("=IHHiIQQQQ")          # struct disk_record
ORDER = struct.Struct("=II96sqqQq")           # struct disk_order
ORDERS_MAX, DEATH_OFFSET, ORDERS_OFFSET, CONTROL_SIZE = 8, 504, 512, 4096


class Disk:
    def __init__(self, folder, root, record=True):
        self.folder, self.root = pathlib.Path(folder), pathlib.Path(root).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        control = self.folder / "control"
        if not control.exists():
            control.write_bytes(bytes(CONTROL_SIZE))
        self.log_path = self.folder / "log"
        if record:
            self.log_path.touch()
        self.log = os.open(self.log_path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC) if record else None
        with open(control, "r+b") as file:
            self.control = mmap.mmap(file.fileno(), CONTROL_SIZE)
        self.executioner = None
        self.closed = threading.Event()

    def environment(self, build):
        """`build`: a build folder of meson's."""
        return {"LD_PRELOAD": str(pathlib.Path(build).resolve() / "tests/disk/libdisk.so"),
                "POSTROAD_DISK": str(self.folder.resolve()), "POSTROAD_DISK_ROOT": str(self.root),
                # The address sanitizer wants to come first, and does not have to.
                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def place(self, slot):
        return ORDERS_OFFSET + slot * ORDER.size

    def order(self, action, kinds, pattern="", skip=0, times=-1, parameter=0):
        """Gives the slot of the order; it holds for calls from now on."""
        if action in (DIE_BEFORE, DIE_AFTER) and not self.executioner:
            self.executioner = threading.Thread(target=self.execute, daemon=True)
            self.executioner.start()
        slot = next(i for i in range(ORDERS_MAX) if not self.control[self.place(i)])
        packed = ORDER.pack(action, sum(1 << kind for kind in kinds), pattern.encode(), skip, times, 0, parameter)
        at = self.place(slot)
        self.control[at + 4:at + ORDER.size] = packed[4:]
        self.control[at:at + 4] = packed[:4]  # Last: now it is in force.
        return slot

    def execute(self):
        """Kills the process group that an order is to end (disk_die)."""
        while not self.closed.wait(0.002):
            [group] = struct.unpack_from("=i", self.control, DEATH_OFFSET)
            if group:
                struct.pack_into("=i", self.control, DEATH_OFFSET, 0)
                os.killpg(group, signal.SIGKILL)

    def hits(self, slot):
        return ORDER.unpack_from(self.control, self.place(slot))[5]

    def clear(self, *slots):
        for slot in slots or range(ORDERS_MAX):
            self.control[self.place(slot):self.place(slot) + 4] = bytes(4)

    def note(self, text):
        """Into the log, in order with what the server does. One write: it takes its place as a whole."""
        data = text.encode()
        os.write(self.log, HEADER.pack(HEADER.size + len(data), NOTE, 0, 0, os.getpid(), 0, 0, 0, len(data)) + data)

    def close(self):
        self.closed.set()
        if self.executioner:
            self.executioner.join()
            self.executioner = None
        if self.log is not None:
            os.close(self.log)
            self.log = None


def records(path):
    """(kind, result, process, file, number, offset, path, bytes) of each record of a log."""
    data = pathlib.Path(path).read_bytes()
    at = 0
    while at + HEADER.size <= len(data):
        size, kind, path_length, result, process, file, number, offset, length = HEADER.unpack_from(data, at)
        name = data[at + HEADER.size:at + HEADER.size + path_length]
        yield kind, result, process, file, number, offset, name.decode(), data[at + HEADER.size + path_length:at + size]
        at += size
