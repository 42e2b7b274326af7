//! Somebody who writes to a site's database through its gateway, as WordPress does, and remembers every answer.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A connection an insert, as WordPress opens one a request, or with an argument one for all as long as it lasts. Says
/// `ack NUMBER NODE` or `error TEXT`.
const SCRIPT: &str = r#"
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$password = strtok(file_get_contents('/etc/wpaas/secrets/database-password'), "\n");
stream_set_blocking(STDIN, false);
[$held, $table] = isset($argv[1]) ? [true, 'held'] : [false, 'proof'];
for ($n = 1, $made = false, $db = null; !feof(STDIN); $n++, fread(STDIN, 1), usleep(10000)) {
    try {
        if (!$db) {
            $db = mysqli_init();
            $db->options(MYSQLI_OPT_CONNECT_TIMEOUT, 2);
            $db->options(MYSQLI_OPT_READ_TIMEOUT, 20);
            $db->real_connect('gateway-0', 'wordpress', $password, 'wordpress');
        }
        if (!$made) $db->query("CREATE TABLE IF NOT EXISTS $table (n BIGINT PRIMARY KEY) ENGINE=InnoDB");
        $made = true;
        $node = $db->query('SELECT @@wsrep_node_name')->fetch_row()[0];
        $db->query("INSERT INTO $table VALUES ($n)");
        echo "ack $n $node\n";
        if (!$held) { $db->close(); $db = null; }
    } catch (Throwable $error) {
        $db = null;
        echo 'error ', strtr($error->getMessage(), "\n", ' '), "\n";
        usleep(40000);
    }
}
"#;

/// Writes until it is dropped.
pub struct Writer {
    child: Child,
    answers: Arc<Mutex<Vec<Answer>>>,
    reader: Option<JoinHandle<()>>,
}

/// What it was answered, and when.
#[derive(Debug, Clone)]
pub struct Answer {
    at: Instant,
    /// The number that was acknowledged and the node that did; the error.
    pub result: Result<(u64, String), String>,
}

impl Writer {
    /// Starts writing from within this container of a WordPress node.
    pub fn start(wordpress: &str) -> Self {
        Self::run(wordpress, &[])
    }

    /// The same over one connection, as long as it lasts.
    pub fn holding(wordpress: &str) -> Self {
        Self::run(wordpress, &["--", "held"])
    }

    fn run(wordpress: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("docker");
        command.args(["exec", "--interactive", wordpress, "php", "-r", SCRIPT]).args(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let answers = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&answers);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(Answer { at: Instant::now(), result: parse(&line) });
            }
        });
        Self { child, answers, reader: Some(reader) }
    }

    /// All so far.
    pub fn answers(&self) -> Vec<Answer> {
        self.answers.lock().unwrap().clone()
    }

    /// The numbers that were acknowledged.
    pub fn acknowledged(&self) -> BTreeSet<u64> {
        self.answers().into_iter().filter_map(|answer| answer.result.ok()).map(|(number, _)| number).collect()
    }

    /// The node that acknowledged last, once one did since `since`.
    pub fn last_node(&self, since: Instant) -> Option<String> {
        let answers = self.answers();
        let since = answers.into_iter().rev().take_while(|answer| answer.at > since);
        since.filter_map(|answer| answer.result.ok()).map(|(_, node)| node).next()
    }

    /// The nodes that acknowledged since then, one after the other.
    pub fn nodes(&self, since: Instant) -> Vec<String> {
        let answers = self.answers().into_iter().filter(|answer| answer.at > since);
        let mut nodes: Vec<_> =
            answers.filter_map(|answer| answer.result.ok()).map(|(_, node)| node).collect();
        nodes.dedup();
        nodes
    }

    /// Errors since then.
    pub fn errors(&self, since: Instant) -> Vec<String> {
        let answers = self.answers().into_iter().filter(|answer| answer.at > since);
        answers.filter_map(|answer| answer.result.err()).collect()
    }

    /// The longest time without an acknowledgement since then.
    pub fn longest_gap(&self, since: Instant) -> Duration {
        let acknowledged = self.answers().into_iter().filter(|answer| answer.result.is_ok());
        let times: Vec<_> = acknowledged.map(|answer| answer.at).filter(|at| *at > since).collect();
        let ends = times.iter().copied().chain([Instant::now()]);
        std::iter::once(since)
            .chain(times.iter().copied())
            .zip(ends)
            .map(|(a, b)| b - a)
            .max()
            .unwrap_or_default()
    }

    /// Stops, once what is under way is answered.
    pub fn stop(&mut self) {
        drop(self.child.stdin.take());
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn parse(line: &str) -> Result<(u64, String), String> {
    let mut words = line.split(' ');
    match (words.next(), words.next().and_then(|n| n.parse().ok()), words.next()) {
        (Some("ack"), Some(number), Some(node)) => Ok((number, node.to_owned())),
        _ => Err(line.to_owned()),
    }
}
