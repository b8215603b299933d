//! Real programs at work in a cell: debuggers, runtimes, a database, a browser, a compiler. Each is one session, and
//! a program that is missing fails its test.
#![forbid(unsafe_code)]

use cofferdam_testkit::{Home, Outcome, Owner};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(100);

const BOTH: [Owner; 2] = [Owner::Ordinary, Owner::Root];

fn sh(home: &Home, flags: &[&str], script: &str) -> Outcome {
    let run = home.cofferdam().args(["run", "--rm"]).args(flags).args(["--", "bash", "-ec", script]);
    let outcome = run.run_within(PATIENCE);
    home.wait_until_quiet();
    outcome
}

/// Runs `script` as both owners, outside first: a machine on which it does not work there proves nothing.
fn works(files: &[(&str, &str)], flags: &[&str], script: &str, says: &[&str]) {
    for owner in BOTH {
        let home = Home::of(owner);
        for (path, text) in files {
            home.write(path, text);
        }
        let inside = sh(&home, flags, script);
        let text = format!("{}{}", inside.assert_success().stdout(), inside.stderr());
        for word in says {
            assert!(text.contains(word), "{word:?} is missing as {owner:?}: {inside}");
        }
    }
}

#[test]
fn gdb_stops_at_a_breakpoint_and_reads_variables() {
    let program = "int f(int x) {\n  int y = x * 6;\n  return y;\n}\nint main(void) { return f(7) != 42; }\n";
    let script = "gcc -g -O0 -o p p.c; gdb -q -nx -batch -ex 'break f' -ex run -ex next -ex 'print x' -ex finish -ex continue ./p 2>&1";
    works(
        &[("p.c", program)],
        &[],
        script,
        &["Breakpoint 1, f", "$1 = 7", "Value returned is $2 = 42", "exited normally"],
    );
}

#[test]
fn strace_follows_children() {
    let script = "strace -f -qq -e trace=openat -o trace sh -c 'cat file; true'; grep -c '\"file\"' trace";
    works(&[("file", "content\n")], &[], script, &["content\n1\n"]);
}

#[test]
fn node_has_interfaces_workers_and_a_server_on_loopback() {
    let script = "
const os = require('os'), http = require('http'), { Worker } = require('worker_threads');
if (Object.keys(os.networkInterfaces()).join() !== 'lo') throw new Error('interfaces');
const worker = new Worker('require(\"worker_threads\").parentPort.postMessage(6 * 7)', { eval: true });
worker.on('message', answer => {
  const server = http.createServer((_, response) => response.end('answer ' + answer)).listen(0, '127.0.0.1', () =>
    fetch('http://127.0.0.1:' + server.address().port).then(r => r.text()).then(text => {
      console.log(text, os.userInfo().homedir === os.homedir(), require('child_process').execSync('echo child').toString().trim());
      server.close();
    }));
});";
    works(&[("p.js", script)], &[], "node p.js", &["answer 42 true child"]);
}

#[test]
fn java_compiles_and_runs_with_threads() {
    let program = "public class P { public static void main(String[] a) throws Exception {
        var t = new Thread(() -> System.out.println(\"thread \" + System.getProperty(\"user.home\"))); t.start(); t.join();
        System.out.println(java.util.stream.IntStream.range(0, 1000).parallel().sum()); } }";
    works(&[("P.java", program)], &[], "javac P.java; java -Xmx256m P", &["thread /", "499500"]);
}

#[test]
fn go_builds_and_runs() {
    let program = "package main\nimport (\"fmt\"; \"net\"; \"os/user\")\nfunc main() { u, _ := user.Current(); l, err := net.Listen(\"tcp\", \"127.0.0.1:0\")\n
        c := make(chan int); go func() { c <- 42 }(); fmt.Println(<-c, u.HomeDir != \"\", l != nil, err) }\n";
    let files = [("p.go", program), ("go.mod", "module p\n\ngo 1.19\n")];
    works(&files, &[], "go build -o p . && ./p", &["42 true true <nil>"]);
}

#[test]
fn python_multiprocessing_and_sqlite() {
    let program = "import multiprocessing as m, sqlite3
def f(x): return x * x
if __name__ == '__main__':
    with m.Pool(4) as pool: print(sum(pool.map(f, range(100))))
    q = m.Queue(); s = m.Semaphore(); a = m.Array('i', 3); q.put('queued'); print(q.get())
    from multiprocessing import shared_memory as sm
    b = sm.SharedMemory(create=True, size=4096); b.buf[0] = 7; print(b.buf[0]); b.close(); b.unlink()
    d = sqlite3.connect('db'); d.execute('pragma journal_mode=wal'); d.execute('create table t (x)'); d.commit(); print(sqlite3.sqlite_version)
";
    works(&[("p.py", program)], &[], "python3 p.py", &["328350", "queued", "7\n"]);
}

#[test]
fn postgres_is_set_up_started_and_asked() {
    let script = "export PATH=$(echo /usr/lib/postgresql/*/bin):$PATH; export PGHOST=/tmp PGDATA=$PWD/data
        initdb -U me --auth=trust >log; pg_ctl -w -l server.log -o '-k /tmp -c listen_addresses=127.0.0.1' start >>log
        psql -U me -Atc 'create table t as select generate_series(1, 1000) x' postgres; psql -U me -Atc 'select sum(x) from t' postgres
        psql -h 127.0.0.1 -U me -Atc 'select inet_server_addr()' postgres; pg_ctl -w -m fast stop >>log";
    works(&[], &[], script, &["SELECT 1000", "500500", "127.0.0.1"]);
}

#[test]
fn git_and_a_c_build_and_make() {
    let make = "p: p.c\n\tgcc -O2 -o p p.c\nall: p\n";
    let script = "git init -q a; cp p.c Makefile a; cd a; git add .; git -c user.name=a -c user.email=a@b commit -qm x; cd ..;
        git clone -q a b; cd b; make -j4; ./p";
    let files = [("p.c", "#include <stdio.h>\nint main(void) { puts(\"built\"); }\n"), ("Makefile", make)];
    works(&files, &[], script, &["built"]);
}

const PAGE: &str = "data:text/html,<body><script>document.body.append('6*7='+6*7)</script></body>";

#[test]
fn chromium_renders_a_page_in_its_own_sandbox_with_its_profile() {
    let script = format!("timeout 80 chromium --headless --disable-gpu --dump-dom \"{PAGE}\"");
    works(&[], &["--profile", "chromium"], &script, &["6*7=42"]);
}

#[test]
fn chromium_without_its_profile_says_so_and_ends() {
    for owner in BOTH {
        let home = Home::of(owner);
        let script = format!("timeout 60 chromium --headless --disable-gpu --dump-dom \"{PAGE}\"");
        let run = sh(&home, &[], &script);
        assert!(!run.status.success() && run.status.code() != Some(124), "{run}");
        assert!(run.stderr().to_lowercase().contains("sandbox"), "{run}");
    }
}

/// The toolchain that builds this very test, in the owner's home: `--tools cargo` brings it.
#[test]
fn cargo_builds_offline_with_the_owners_toolchain() {
    for owner in BOTH {
        let home = Home::of(owner);
        home.bring_toolchain();
        let manifest = "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
        home.write("p/Cargo.toml", manifest);
        home.write("p/src/main.rs", "fn main() { println!(\"built {}\", 6 * 7); }\n");
        let script = "cd p; cargo build -q --offline; ./target/debug/p; touch src/main.rs; cargo run -q --offline; cargo test -q --offline >/dev/null";
        let run = home.cofferdam();
        let run = run.args(["run", "--tools", "cargo", "--", "bash", "-ec", script]).run_within(PATIENCE);
        assert_eq!(run.assert_success().stdout(), "built 42\nbuilt 42\n", "{owner:?}: {run}");
        let warm = home.cofferdam();
        let warm = warm.args(["resume", "--", "bash", "-ec", script]).run_within(PATIENCE);
        assert_eq!(warm.assert_success().stdout(), "built 42\nbuilt 42\n", "{owner:?}: {warm}");
    }
}
