//! What programs count on, each as a small program that ends with 0 iff it works.
//!
//! It is run in a directory with `file`, `dir/file` and `dir/sub/file`, each holding `content\n`: in a cell these
//! lie in the layer below, so that the first change to each copies it up.

/// One behaviour.
pub(crate) struct Behaviour {
    pub(crate) name: &'static str,
    /// Run by sh before the session, in the same directory.
    pub(crate) before: &'static str,
    kind: Kind,
}

enum Kind {
    Shell(&'static str),
    Python(&'static str),
}

/// What every Python program here begins with.
const PRELUDE: &str =
    "import ctypes, errno, fcntl, mmap, os, shutil, socket, sqlite3, stat, struct, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def ok(result):
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def read(path): return open(path).read()
def write(path, text, mode='w'):
    with open(path, mode) as f: f.write(text)
AT = -100
";

impl Behaviour {
    pub(crate) fn script(&self) -> String {
        match self.kind {
            Kind::Shell(script) => format!("set -e\n{script}\n"),
            Kind::Python(script) => format!("exec python3 - <<'END'\n{PRELUDE}{script}\nEND\n"),
        }
    }
}

const fn python(name: &'static str, script: &'static str) -> Behaviour {
    Behaviour { name, before: "", kind: Kind::Python(script) }
}

const fn shell(name: &'static str, script: &'static str) -> Behaviour {
    Behaviour { name, before: "", kind: Kind::Shell(script) }
}

impl Behaviour {
    const fn after(self, before: &'static str) -> Self {
        Self { before, ..self }
    }
}

pub(crate) const BEHAVIOURS: &[Behaviour] = &[
    // Renames.
    python("rename a file", "os.rename('file', 'new'); assert read('new') == 'content\\n' and not os.path.exists('file')"),
    python("rename over a file", "write('new', 'x'); os.rename('new', 'file'); assert read('file') == 'x'"),
    python("rename a file into another directory", "os.rename('file', 'dir/sub/new'); assert os.listdir('dir/sub').sort() is None"),
    python("rename a new directory", "os.makedirs('new/sub'); write('new/sub/f', 'x'); os.rename('new', 'dir/moved'); assert read('dir/moved/sub/f') == 'x'"),
    python("rename a directory", "os.rename('dir', 'new')"),
    python("move a directory with shutil", "shutil.move('dir', 'new'); assert read('new/sub/file') == 'content\\n' and not os.path.exists('dir')"),
    shell("move a directory with mv", "mv dir new; grep -q content new/sub/file; test ! -e dir"),
    shell("move a directory with git", "git mv dir new; git status --porcelain | grep -q '^R'")
        .after("git init -q .; git add .; git -c user.name=a -c user.email=a@b commit -qm x"),
    shell("check out, merge and collect with git", "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a
        git checkout -q other; grep -q other dir/file; git checkout -q -; git merge -q --no-edit other; git gc -q; git fsck --strict; git stash list")
        .after("git init -q .; git add .; C='git -c user.name=a -c user.email=a@b commit -qm x'; $C; git checkout -qb other; echo other >dir/file; mkdir n; echo n >n/n; git add .; $C; git checkout -q -; git mv file file2; $C"),
    shell("replace a package with npm", "npm install --offline --no-audit --no-fund --loglevel=error ./two.tgz; grep -q 2.0.0 node_modules/pkg/package.json")
        .after("export npm_config_cache=$PWD/../.npm-cache; for v in 1 2; do mkdir -p p/package/lib; printf '{\"name\":\"pkg\",\"version\":\"%s.0.0\"}' $v >p/package/package.json; echo x >p/package/lib/x.js; tar -C p -czf $(test $v = 1 && echo one || echo two).tgz package; done; rm -r p; printf '{\"name\":\"app\",\"version\":\"1.0.0\"}' >package.json; npm install --offline --no-audit --no-fund --loglevel=error ./one.tgz"),
    python("rename without replacing", "write('new', 'x')
assert libc.renameat2(AT, b'new', AT, b'file', 1) < 0 and ctypes.get_errno() == errno.EEXIST
ok(libc.renameat2(AT, b'new', AT, b'other', 1))"),
    python("exchange two files", "write('new', 'x'); ok(libc.renameat2(AT, b'new', AT, b'file', 2)); assert read('file') == 'x' and read('new') == 'content\\n'"),
    python("replace a directory by a file and back", "shutil.rmtree('dir'); write('dir', 'x'); os.unlink('dir'); os.mkdir('dir'); assert os.listdir('dir') == []"),
    // Links.
    python("link a file", "os.link('file', 'new'); write('new', 'x'); assert read('file') == 'x' and os.stat('file').st_nlink == 2"),
    python("inode number of a new link", "os.link('file', 'new'); assert os.stat('file').st_ino == os.stat('new').st_ino"),
    python("change a file that has two names", "write('file', 'x'); assert read('second') == 'x'").after("ln file second"),
    python("symbolic links", "os.symlink('dir/file', 'l'); assert read('l') == 'content\\n' and os.readlink('l') == 'dir/file'
os.symlink('file', 'm'); os.replace('m', 'l'); write('l', 'x'); assert read('file') == 'x'"),
    // Reading and writing.
    python("append and truncate", "write('file', 'more', 'a'); assert read('file') == 'content\\nmore'; os.truncate('file', 3); assert read('file') == 'con'"),
    python("a shared mapping writes the file", "f = open('file', 'r+b'); m = mmap.mmap(f.fileno(), 0); m[0:3] = b'CON'; m.flush(); assert read('file') == 'CONtent\\n'"),
    python("two shared mappings are one", "a = open('file', 'r+b'); b = open('file', 'r+b'); m = mmap.mmap(a.fileno(), 0); n = mmap.mmap(b.fileno(), 0); m[0:3] = b'CON'; assert n[0:3] == b'CON'"),
    python("a file opened for reading shows later changes", "f = open('file'); write('file', 'changed'); assert f.read() == 'changed'"),
    python("a mapping shows the first change", "f = open('file', 'rb'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); write('file', 'CON', 'r+'); assert m[0:3] == b'CON'"),
    python("a removed file stays readable", "f = open('file'); os.unlink('file'); assert f.read() == 'content\\n'"),
    python("direct I/O", "write('big', 'x' * 8192); fd = os.open('big', os.O_RDONLY | os.O_DIRECT); m = mmap.mmap(-1, 4096); assert os.readv(fd, [m]) == 4096"),
    python("copy_file_range and sendfile", "a = os.open('file', os.O_RDONLY); b = os.open('new', os.O_RDWR | os.O_CREAT); assert os.copy_file_range(a, b, 8, 0) == 8
assert os.sendfile(b, a, 0, 8) == 8 and os.stat('new').st_size == 16"),
    python("sparse files stay sparse", "f = open('sparse', 'r+b'); f.seek(50 << 20); f.write(b'x'); f.close(); s = os.stat('sparse'); assert s.st_blocks * 512 < 4 << 20, s
fd = os.open('sparse', os.O_RDONLY); assert os.lseek(fd, 0, os.SEEK_DATA) > 1 << 20").after("truncate -s 100M sparse; printf x | dd of=sparse bs=1 seek=60M conv=notrunc status=none"),
    python("fallocate and punch holes", "fd = os.open('file', os.O_RDWR); os.posix_fallocate(fd, 0, 1 << 20); assert os.fstat(fd).st_size == 1 << 20
ok(libc.fallocate(fd, 3, ctypes.c_long(4096), ctypes.c_long(8192))); assert os.pread(fd, 7, 0) == b'content'"),
    python("unnamed temporary files", "fd = os.open('.', os.O_TMPFILE | os.O_RDWR); os.write(fd, b'x'); ok(libc.linkat(AT, b'/proc/self/fd/%d' % fd, AT, b'new', 0x400)); assert read('new') == 'x'"),
    python("sync files, directories and the file system", "for p in ('file', 'dir', '.'):
    fd = os.open(p, os.O_RDONLY); os.fsync(fd); ok(libc.syncfs(fd))
fd = os.open('file', os.O_RDWR); os.fdatasync(fd); os.sync()"),
    python("a database in a file", "d = sqlite3.connect('db'); d.execute('pragma journal_mode=wal'); d.execute('insert into t values (2)'); d.commit()
e = sqlite3.connect('db'); assert e.execute('select sum(x) from t').fetchone() == (3,)")
        .after("python3 -c \"import sqlite3; d = sqlite3.connect('db'); d.execute('create table t (x)'); d.execute('insert into t values (1)'); d.commit()\""),
    // Locks and watches.
    python("flock between processes", "f = open('file', 'r+'); fcntl.flock(f, fcntl.LOCK_EX); f.write('x'); f.flush()
assert subprocess.run(['flock', '-n', 'file', 'true']).returncode == 1; fcntl.flock(f, fcntl.LOCK_UN); subprocess.run(['flock', '-n', 'file', 'true'], check=True)"),
    python("record locks between processes", "f = open('file', 'r+'); fcntl.lockf(f, fcntl.LOCK_EX, 3)
code = 'import fcntl; f = open(\"file\", \"r+\"); fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 3, %d)'
assert subprocess.run([sys.executable, '-c', code % 0], stderr=-3).returncode == 1; subprocess.run([sys.executable, '-c', code % 3], check=True)"),
    python("a lock taken before the first change", "f = open('file'); fcntl.flock(f, fcntl.LOCK_EX); write('file', 'x'); assert subprocess.run(['flock', '-n', 'file', 'true']).returncode == 1"),
    python("watch files and directories", "fd = ok(libc.inotify_init1(os.O_NONBLOCK)); ok(libc.inotify_add_watch(fd, b'dir', 0x100 | 0x200 | 0x2)); ok(libc.inotify_add_watch(fd, b'file', 0x2))
write('file', 'x'); write('dir/new', 'x'); os.unlink('dir/file'); events = os.read(fd, 4096); masks = set()
while events: wd, mask, _, n = struct.unpack_from('iIII', events); masks.add((wd, mask)); events = events[16 + n:]
assert {(1, 0x100), (1, 0x200), (2, 0x2)} <= masks, masks"),
    // Attributes.
    python("modes", "os.chmod('file', 0o755); os.chmod('dir', 0o700); assert stat.S_IMODE(os.stat('file').st_mode) == 0o755 and stat.S_IMODE(os.stat('dir').st_mode) == 0o700; assert os.access('file', os.X_OK)"),
    python("times", "os.utime('file', ns=(1_000_000_001, 2_000_000_003)); s = os.stat('file'); assert (s.st_atime_ns, s.st_mtime_ns) == (1_000_000_001, 2_000_000_003)
os.utime('dir', (5, 6)); assert os.stat('dir').st_mtime == 6; before = os.stat('.').st_mtime_ns; time.sleep(0.02); write('new', 'x'); assert os.stat('.').st_mtime_ns > before"),
    python("access times", "os.utime('file', (5, 10)); read('file'); assert os.stat('file').st_atime > 10"),
    python("extended attributes", "assert os.getxattr('file', 'user.outside') == b'1'; os.setxattr('file', 'user.inside', b'2'); os.setxattr('dir', 'user.d', b'3')
assert sorted(os.listxattr('file')) == ['user.inside', 'user.outside']; os.removexattr('file', 'user.outside')").after("python3 -c \"import os; os.setxattr('file', 'user.outside', b'1')\""),
    python("attributes of overlays", "os.setxattr('file', 'user.overlay.opaque', b'y'); assert os.getxattr('file', 'user.overlay.opaque') == b'y'"),
    python("inode numbers hold across the first change", "before = os.stat('file').st_ino; f = open('file'); write('file', 'x'); assert os.stat('file').st_ino == before; d = os.stat('dir').st_ino; write('dir/n', ''); assert os.stat('dir').st_ino == d"),
    python("one file system", "assert len({os.stat(p).st_dev for p in ('.', 'file', 'dir', 'dir/sub/file')}) == 1"),
    // Names.
    python("names differ by case", "write('File', 'x'); assert read('file') == 'content\\n' and len([n for n in os.listdir('.') if n.lower() == 'file']) == 2"),
    python("long names and deep paths", "write('n' * 255, 'x'); write('ü' * 127, 'x')
for _ in range(40): os.mkdir('d' * 200); os.chdir('d' * 200)
write('end', 'x'); assert read('end') == 'x'"),
    python("names of any bytes", "write(b'\\xff\\n\\x1b', 'x'); assert b'\\xff\\n\\x1b' in os.listdir(b'.'); os.unlink(b'\\xff\\n\\x1b')"),
    python("many entries in a directory", "for i in range(3000): write('dir/%04d' % i, '')
for i in range(0, 3000, 2): os.unlink('dir/%04d' % i)
assert len(os.listdir('dir')) == 1502"),
    python("remove a tree", "shutil.rmtree('dir'); assert not os.path.exists('dir'); os.makedirs('dir/sub'); assert os.listdir('dir/sub') == []"),
    // Special files made here.
    python("unix sockets", "s = socket.socket(socket.AF_UNIX); s.bind('sock'); s.listen(); c = socket.socket(socket.AF_UNIX); c.connect('sock'); c.send(b'x'); assert s.accept()[0].recv(1) == b'x'"),
    python("named pipes", "os.mkfifo('fifo'); r = os.open('fifo', os.O_RDONLY | os.O_NONBLOCK); w = os.open('fifo', os.O_WRONLY); os.write(w, b'x'); assert os.read(r, 1) == b'x'"),
    shell("run a program that was just written", "printf '#!/bin/sh\\nexit 0\\n' >new; chmod +x new; ./new; cp /bin/true t; ./t"),
    shell("archives", "tar cf - dir file | tar xf - -C dir; test -f dir/dir/sub/file; cp -a dir copy; diff -r dir copy; cp --reflink=auto --sparse=always file new"),
];
