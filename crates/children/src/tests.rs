#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

const LIMITS: Limits =
    Limits { memory_bytes: 256 << 20, cpu: Duration::from_mins(1), file_bytes: 1 << 20, processes: 4096 };
/// Longest wait for a condition; long, for machines that are busy.
const TEST_TIMEOUT: Duration = Duration::from_mins(1);

fn shell(script: &str) -> ChildCommand {
    let mut command = ChildCommand::new("sh", LIMITS);
    command.args(["-c", script]);
    command
}

/// What it prints, and whether it succeeded.
async fn output(command: &ChildCommand) -> (String, bool) {
    let mut child = command.spawn().unwrap();
    let errors = collect_tail(child.stderr.take().unwrap(), 4096);
    let output = read_at_most(child.stdout.take().unwrap(), 1 << 20).await.unwrap();
    let success = child.wait().await.unwrap().success();
    (String::from_utf8_lossy(&output).into_owned() + &errors.await.unwrap(), success)
}

fn is_running(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn until_ended(pid: &str) {
    let begun = Instant::now();
    while is_running(pid) {
        assert!(begun.elapsed() < TEST_TIMEOUT, "process {pid} still runs");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn it_reads_and_writes_what_it_was_given_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for name in ["input", "other", "output"] {
        std::fs::write(at(name), name).unwrap();
    }
    std::fs::create_dir(at("work")).unwrap();
    let rules = |script: &str| {
        let mut command = shell(script);
        command.reads(&at("input")).writes(&at("output")).works_in(&at("work"));
        command
    };
    let shows = async |script: &str| output(&rules(script)).await;
    assert_eq!(shows("cat ../input; echo new > ../output; echo x > file; mv file done; cat done").await.0, "inputx\n");
    assert_eq!(std::fs::read_to_string(at("output")).unwrap(), "new\n");
    assert_eq!(shows("pwd; echo $HOME; echo $TMPDIR").await.0, format!("{}\n", at("work").display()).repeat(3));
    if !enforcement().files {
        return;
    }
    for script in [
        "cat ../other",
        "echo x > ../input",
        "echo x > ../new",
        "rm ../other",
        "ls ..",
        "ln ../other here && cat here",
        "ln -s ../other link && cat link",
        "mv done ../moved",
        "cat /etc/passwd",
        "cat /proc/$PPID/environ",
        "cat /proc/self/mem",
    ] {
        let (text, success) = shows(script).await;
        let denied = ["Permission denied", "cross-device link"].iter().any(|reason| text.contains(reason));
        assert!(!success && denied, "{script}: {text}");
    }
    assert_eq!(std::fs::read_to_string(at("other")).unwrap(), "other");
}

#[tokio::test]
async fn it_inherits_no_variable_but_a_few() {
    let mut command = ChildCommand::new("env", LIMITS);
    let (text, _) = output(command.envs([("OWN", "1")])).await;
    let permitted = ["PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "OWN"];
    assert!(text.contains("OWN=1\n") && text.contains("PATH="), "{text}");
    assert!(text.lines().all(|line| permitted.contains(&line.split('=').next().unwrap())), "{text}");
}

#[tokio::test]
async fn it_reaches_its_port_only() {
    let listen = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (own, other) = (listen(), listen());
    let [own, other] = [&own, &other].map(|listener| listener.local_addr().unwrap().port());
    let reaches = async |port: u16, permitted: Option<u16>| {
        let mut bash = ChildCommand::new("bash", LIMITS);
        bash.args(["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}")]);
        if let Some(permitted) = permitted {
            bash.connects_to(permitted);
        }
        output(&bash).await.1
    };
    let open = !enforcement().network;
    assert!(reaches(own, Some(own)).await);
    assert_eq!(reaches(other, Some(own)).await, open);
    assert_eq!(reaches(own, None).await, open);
}

#[tokio::test]
async fn it_has_no_socket_but_those_of_tcp() {
    let Some(python) = find_program(Path::new("/usr/bin/python3")) else { return };
    let fails = async |permitted: Option<u16>, call: &str| {
        let mut command = ChildCommand::new(&python, LIMITS);
        command.args(["-c", &format!("import socket\n{call}")]);
        if let Some(port) = permitted {
            command.connects_to(port);
        }
        let (text, success) = output(&command).await;
        assert!(success || text.contains("Operation not permitted"), "{call}: {text}");
        !success
    };
    let expected = enforcement().system_calls;
    for (call, with_port) in [
        ("socket.socket(socket.AF_INET, socket.SOCK_STREAM)", false),
        ("socket.socket(socket.AF_INET6, socket.SOCK_STREAM)", false),
        ("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", true),
        ("socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)", true),
    ] {
        assert_eq!(fails(Some(1), call).await, with_port && expected, "{call}");
        assert_eq!(fails(None, call).await, expected, "{call}");
    }
    assert!(!fails(None, "socket.socketpair()").await);
}

#[tokio::test]
async fn its_memory_files_and_processor_time_are_limited() {
    let python = |script: &str| {
        let limits = Limits { memory_bytes: 64 << 20, cpu: Duration::from_secs(1), file_bytes: 1000, processes: 4096 };
        let mut command = ChildCommand::new("/usr/bin/python3", limits);
        command.args(["-c", script]);
        command
    };
    if find_program(Path::new("/usr/bin/python3")).is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (text, success) = output(&python("x = bytearray(128 << 20)")).await;
    assert!(!success && text.contains("MemoryError"), "{text}");
    let (text, success) = output(
        python("open('file', 'wb', 0).write(bytes(1001)); open('file', 'ab', 0).write(bytes(1))")
            .works_in(directory.path()),
    )
    .await;
    assert!(!success && text.contains("File too large"), "{text}");
    let begun = Instant::now();
    let (text, success) = output(&python("while True: pass")).await;
    assert!(!success && begun.elapsed() < TEST_TIMEOUT, "{text}");
}

#[tokio::test]
async fn its_processor_time_is_low_at_first_and_can_be_raised() {
    let Some(python) = find_program(Path::new("/usr/bin/python3")) else { return };
    let script = "import sys, time\nprint('begun', flush=True)\nwhile time.process_time() < 2.5: pass\nprint('done')";
    for raised in [true, false] {
        let limits = Limits { cpu: Duration::from_mins(1), ..LIMITS };
        let mut command = ChildCommand::new(&python, limits);
        let mut child = command.args(["-c", script]).first_cpu(Duration::from_secs(1)).spawn().unwrap();
        let mut lines = Lines::new(child.stdout.take().unwrap(), 100);
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "begun");
        if raised {
            child.allow_cpu().unwrap();
        }
        assert_eq!(lines.next_line().await.unwrap().is_some(), raised);
        assert_eq!(child.wait().await.unwrap().success(), raised);
        child.allow_cpu().unwrap();
    }
}

/// Runs as a user without privileges, which the test below makes it.
#[tokio::test]
#[ignore = "is started by its_processes_are_limited"]
async fn a_child_that_starts_many_processes() {
    assert!(enforcement().processes);
    let limits = Limits { processes: 20, ..LIMITS };
    let mut command = ChildCommand::new("sh", limits);
    command.args(["-c", "n=0; while [ $n -lt 60 ]; do sleep 30 >/dev/null 2>&1 & n=$((n+1)); echo $n; done"]);
    let (text, success) = output(&command).await;
    let started = text.lines().filter(|line| line.parse::<u32>().is_ok()).count();
    assert!(!success && (1..=20).contains(&started), "{text}");
    assert!(output(&shell("sleep 0 & wait; echo 1")).await.1, "others are not affected");
}

#[test]
fn its_processes_are_limited() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    if !enforcement().processes {
        let program = command.get_program().to_owned();
        command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program);
    }
    command.args(["--exact", "tests::a_child_that_starts_many_processes", "--ignored"]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let error = ChildCommand::new("no-such-program", LIMITS).spawn().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().contains("no-such-program"));
}

#[tokio::test]
async fn dropping_it_ends_all_that_it_started() {
    let mut child = shell("sleep 600 & echo $!; wait").spawn().unwrap();
    let mut lines = Lines::new(child.stdout.take().unwrap(), 100);
    let grandchild = lines.next_line().await.unwrap().unwrap();
    let own = child.id().unwrap().to_string();
    assert!(is_running(&grandchild) && is_running(&own));
    // The thread that started it must not end before.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(is_running(&own));
    drop(child);
    until_ended(&own);
    until_ended(&grandchild);
}

#[tokio::test]
async fn what_it_leaves_running_ends_with_it() {
    let mut child = shell("sleep 600 >/dev/null 2>&1 & echo $!").spawn().unwrap();
    let grandchild = Lines::new(child.stdout.take().unwrap(), 100).next_line().await.unwrap().unwrap();
    assert!(child.wait().await.unwrap().success());
    until_ended(&grandchild);
}

/// Runs in a process of its own, which the test below kills.
#[tokio::test]
#[ignore = "is started by kill_9_of_the_parent_ends_it"]
async fn a_parent_that_waits() {
    let mut child = shell("echo begun; exec sleep 600").spawn().unwrap();
    // The signal is set up by then; a parent that dies earlier leaves a child that has not begun anything.
    Lines::new(child.stdout.take().unwrap(), 100).next_line().await.unwrap().unwrap();
    println!("child {}", child.id().unwrap());
    tokio::time::sleep(TEST_TIMEOUT).await;
}

#[test]
fn kill_9_of_the_parent_ends_it() {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::a_parent_that_waits", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let pid = lines.map(Result::unwrap).find_map(|line| Some(line.split_once("child ")?.1.to_owned())).unwrap();
    assert!(is_running(&pid));
    parent.kill().unwrap();
    parent.wait().unwrap();
    if enforcement().death {
        until_ended(&pid);
    }
}

#[tokio::test]
async fn output_is_read_in_bounds() {
    let text = format!("short\r\n{}\nlast", "x".repeat(100_000));
    let mut lines = Lines::new(text.as_bytes(), 1000);
    let mut found = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        found.push(line);
    }
    assert_eq!(found, ["short", &"x".repeat(1000), "last"]);
    assert_eq!(read_at_most(&b"1234"[..], 4).await.unwrap(), b"1234");
    let error = read_at_most(tokio::io::repeat(b'x'), 4).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    let tail = collect_tail(std::io::Cursor::new(text.repeat(3)), 10).await.unwrap();
    assert_eq!(tail, "xxxxx\nlast");
}
