<?php
// Before every script (auto_prepend_file): PHP's sessions are kept in the site's database, so that what a
// plugin has put into $_SESSION outlives the node that answered. Nothing is asked of the database unless a
// session is used. Names of sessions are kept as hashes: who reads the table can take no session over. Two
// requests of one session at once don't wait for each other; the last that changed anything is kept.

final class WpaasSessions implements SessionHandlerInterface, SessionUpdateTimestampHandlerInterface, SessionIdInterface {
	private ?mysqli $database = null;

	private function ask(string $sql, array $values): mysqli_result|bool {
		require_once __DIR__ . '/site.php';
		$this->database ??= wpaas_database();
		return $this->database->execute_query($sql, $values);
	}

	private static function key(string $id): string {
		return hash('sha256', $id);
	}

	private static function until(): int {
		return time() + (int) ini_get('session.gc_maxlifetime');
	}

	public function open(string $path, string $name): bool {
		return true;
	}

	public function close(): bool {
		$this->database?->close();
		$this->database = null;
		return true;
	}

	public function create_sid(): string {
		return bin2hex(random_bytes(16));
	}

	public function validateId(string $id): bool {
		return $this->ask('SELECT 1 FROM wpaas_sessions WHERE id = ? AND until > ?', [self::key($id), time()])->num_rows > 0;
	}

	public function read(string $id): string|false {
		return (string) $this->ask('SELECT data FROM wpaas_sessions WHERE id = ? AND until > ?', [self::key($id), time()])->fetch_column();
	}

	public function write(string $id, string $data): bool {
		return (bool) $this->ask('REPLACE INTO wpaas_sessions (id, data, until) VALUES (?, ?, ?)', [self::key($id), $data, self::until()]);
	}

	/** Of a session that was only read. */
	public function updateTimestamp(string $id, string $data): bool {
		return (bool) $this->ask('UPDATE wpaas_sessions SET until = ? WHERE id = ?', [self::until(), self::key($id)]);
	}

	public function destroy(string $id): bool {
		return (bool) $this->ask('DELETE FROM wpaas_sessions WHERE id = ?', [self::key($id)]);
	}

	public function gc(int $lifetime): int|false {
		$this->ask('DELETE FROM wpaas_sessions WHERE until <= ? LIMIT 1000', [time()]);
		return (int) $this->database->affected_rows;
	}
}

session_set_save_handler(new WpaasSessions(), true);
