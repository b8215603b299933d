"""Searches all that can be read in a cell: `seek.py NEEDLES`, a JSON object of names and texts, each letter moved on by one.

So neither the texts nor any run of them is in this program's own memory. It prints where runs of each were found.
"""

import json
import os
import sys

# A run of twelve bytes holds one of these windows whole.
WINDOW, STEP = 8, 4
# The host's own programs, and what is no file. What processes keep comes by itself.
ELSEWHERE = {"/proc", "/sys", "/usr", "/dev/pts", "/opt"}
PIECE_BYTES = 1 << 24

moved_on = bytes((byte + 1) % 256 for byte in range(256))
needles = {}
for name, texts in json.load(open(sys.argv[1], encoding="ascii")).items():
    windows = set()
    for text in texts:
        windows |= {text[at:at + WINDOW].encode("latin-1") for at in range(0, len(text) - WINDOW + 1, STEP)}
    needles[name] = windows
found = {name: set() for name in needles}
searched = {"files": 0, "bytes": 0, "processes": 0}


def look(place, data):
    data = data.translate(moved_on)
    searched["bytes"] += len(data)
    for name, windows in needles.items():
        if any(window in data for window in windows):
            found[name].add(place)


def look_into(place, path):
    try:
        with open(path, "rb", buffering=0) as file:
            before = b""
            while piece := file.read(PIECE_BYTES):
                look(place, before + piece)
                before = piece[-64:]
        return True
    except OSError:
        return False


def look_into_process(pid):
    for kind in ["environ", "cmdline", "maps", "comm", "stat", "mountinfo"]:
        look_into("process " + kind, f"/proc/{pid}/{kind}")
    try:
        with open(f"/proc/{pid}/maps", encoding="latin-1") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for line in maps:
                span, mode = line.split()[:2]
                first, last = (int(end, 16) for end in span.split("-"))
                if mode[0] != "r" or last > 1 << 47:
                    continue
                try:
                    memory.seek(first)
                    look("process memory", memory.read(last - first))
                except OSError:
                    pass
        searched["processes"] += 1
    except OSError:
        pass


for pid in filter(str.isdigit, os.listdir("/proc")):
    look_into_process(pid)
for directory, below, files in os.walk("/"):
    below[:] = [name for name in below if os.path.join(directory, name) not in ELSEWHERE]
    for name in files:
        path = os.path.join(directory, name)
        place = "answer " + name if "/answers" in directory else "file"
        # Of the programs that search, one holds what is searched for.
        if os.path.isfile(path) and not os.path.islink(path) and name != os.path.basename(sys.argv[1]):
            searched["files"] += look_into(place, path)
print(json.dumps({"searched": searched, **{name: sorted(places) for name, places in found.items()}}))
